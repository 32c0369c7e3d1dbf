#include "catch.hpp"
#include "websocket_server.hpp"
#include <kvolt/error.hpp>
#include <kvolt/upgrade_options.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace {

using kvolt::Context;
using kvolt::Task;
using kvolt::UpgradeOptions;
using test::Server;

auto upgrade_with(UpgradeOptions options) {
    return [options](Context& c) -> Task<> {
        auto socket = co_await c.upgrade(options);
        socket.send(socket.protocol());
    };
}

TEST_CASE("upgrade: a good handshake gets the answer that RFC 6455 asks for") {
    Server server(test::echo);
    auto client = server.client();
    auto answer =
        client.handshake("/ws", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
    CHECK(answer.status == 101);
    CHECK(answer.field("upgrade") == "websocket");
    CHECK((answer.field("connection") == "upgrade" || answer.field("connection") == "Upgrade"));
    CHECK(answer.field("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(answer.fields.count("sec-websocket-protocol") == 0);
    CHECK(answer.fields.count("sec-websocket-extensions") == 0);
}

TEST_CASE("upgrade: what follows a refused handshake is no request") {
    Server server(test::echo);
    auto client = server.client();
    std::string request = test::handshake_request("/ws", "Origin: null\r\n");
    auto answer = client.request(request + "GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(answer.status == 403);
    CHECK(answer.field("connection") == "close");
    CHECK(client.ended());
}

TEST_CASE("upgrade: the origin table") {
    Server server;
    server.app.get("/same", upgrade_with(UpgradeOptions()));
    server.app.get(
        "/list", upgrade_with(UpgradeOptions().allow_origin("https://Example.com").allow_origin("http://other:8080")));
    server.app.get("/any", upgrade_with(UpgradeOptions().allow_any_origin()));
    server.app.get("/required", upgrade_with(UpgradeOptions().require_origin()));
    server.start();

    struct Case {
        const char *path, *host, *origin;
        bool allowed;
    };
    const std::vector<Case> cases = {
        {"/same", "localhost", nullptr, true},
        {"/same", "localhost", "http://localhost", true},
        {"/same", "localhost", "http://localhost:80", true},
        {"/same", "localhost:80", "http://localhost", true},
        {"/same", "LocalHost", "HTTP://LOCALHOST", true},
        {"/same", "localhost:8080", "http://localhost:8080", true},
        {"/same", "[::1]:8080", "http://[::1]:8080", true},
        {"/same", "localhost:8080", "http://localhost", false},
        {"/same", "localhost", "http://localhost:8080", false},
        {"/same", "localhost", "https://localhost", false},
        {"/same", "localhost:443", "https://localhost", false},
        {"/same", "localhost", "http://evil", false},
        {"/same", "localhost", "http://localhost.evil", false},
        {"/same", "localhost", "http://evil.localhost", false},
        {"/same", "localhost", "http://localhost/", false},
        {"/same", "localhost", "http://user@localhost", false},
        {"/same", "localhost", "localhost", false},
        {"/same", "localhost", "null", false},
        {"/same", "localhost", "", false},
        {"/same", "localhost", "http://localhost\r\nOrigin: http://localhost", false},
        {"/list", "localhost", "https://example.com", true},
        {"/list", "localhost", "https://example.com:443", true},
        {"/list", "localhost", "http://other:8080", true},
        {"/list", "localhost", "http://localhost", true},
        {"/list", "localhost", nullptr, true},
        {"/list", "localhost", "http://example.com", false},
        {"/list", "localhost", "https://www.example.com", false},
        {"/list", "localhost", "http://other", false},
        {"/list", "localhost", "null", false},
        {"/any", "localhost", "https://evil", true},
        {"/any", "localhost", "null", true},
        {"/any", "localhost", nullptr, true},
        {"/required", "localhost", "http://localhost", true},
        {"/required", "localhost", "https://evil", false},
        {"/required", "localhost", nullptr, false},
    };
    for (const Case& c : cases) {
        INFO(c.path << " at " << c.host << " from " << (c.origin ? c.origin : "nowhere"));
        std::string request =
            test::handshake_request(c.path, c.origin ? "Origin: " + std::string(c.origin) + "\r\n" : "");
        request.replace(request.find("localhost"), 9, c.host);
        auto client = server.client();
        CHECK(client.request(request).status == (c.allowed ? 101 : 403));
    }
}

TEST_CASE("upgrade: the client's favourite of the server's subprotocols is agreed on") {
    Server server(upgrade_with(UpgradeOptions().protocols({"chat.v1", "chat.v2"})));
    struct Case {
        const char *offer, *agreed;
    };
    const std::vector<Case> cases = {
        {"", ""},
        {"Sec-WebSocket-Protocol: chat.v2\r\n", "chat.v2"},
        {"Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n", "chat.v2"},
        {"Sec-WebSocket-Protocol: soap,chat.v1 ,chat.v2\r\n", "chat.v1"},
        {"Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol: chat.v2\r\n", "chat.v2"},
        {"Sec-WebSocket-Protocol: soap\r\n", ""},
        {"Sec-WebSocket-Protocol: CHAT.V1, chat\r\n", ""},
        {"Sec-WebSocket-Protocol:\r\n", ""},
    };
    for (const Case& c : cases) {
        INFO(c.offer);
        auto client = server.client();
        auto answer = client.handshake("/ws", c.offer);
        CHECK(answer.status == 101);
        CHECK(answer.field("sec-websocket-protocol") == c.agreed);
        CHECK(answer.fields.count("sec-websocket-protocol") == (*c.agreed ? 1 : 0));
        CHECK(test::read_text(client) == c.agreed);
    }
}

TEST_CASE("upgrade: middleware of every kind guards it") {
    auto guard = [](Context& c) {
        if (c.query("token") != "secret") throw kvolt::HttpError(401, "who are you?");
    };
    auto around = [](Context& c, kvolt::Next next) -> Task<> {
        if (c.query("token") == "secret")
            co_await next();
        else
            c.status(401).text("who are you?");
    };
    Server server;
    auto group = server.app.group("/group");
    group.use(guard);
    group.get("/ws", test::echo);
    server.app.get("/plain", guard, test::echo);
    server.app.get("/around", around, test::echo);
    std::string everywhere = GENERATE("", "everywhere");
    if (!everywhere.empty()) server.app.use(guard);
    server.start();

    for (std::string path : {"/group/ws", "/plain", "/around"}) {
        INFO(path);
        auto stranger = server.client();
        CHECK(stranger.handshake(path).status == 401);
        auto friendly = server.client();
        CHECK(friendly.handshake(path + "?token=secret").status == 101);
        friendly.send_frame(test::text, "hi");
        CHECK(test::read_text(friendly) == "hi");
    }
}

TEST_CASE("upgrade: a handler's mistakes before it") {
    Server server;
    server.app.get("/throws", [](Context& c) -> Task<> {
        if (c.query("now") == "") throw std::runtime_error("lost my way");
        co_await c.upgrade();
    });
    server.app.get("/answered", [](Context& c) -> Task<> {
        c.text("hello");
        co_await c.upgrade();
    });
    server.app.get("/twice", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        std::string what = "no exception";
        try {
            co_await c.upgrade();
        } catch (const std::logic_error&) {
            what = "logic_error";
        }
        socket.send(what);
    });
    server.app.get("/caught", [](Context& c) -> Task<> {
        bool refused = false;
        try {
            co_await c.upgrade();
        } catch (const kvolt::HttpError&) {
            refused = true;
        }
        if (refused) c.text("a page for browsers");
    });
    server.start();

    for (std::string path : {"/throws", "/answered"}) {
        INFO(path);
        auto answer = server.client().handshake(path);
        CHECK(answer.status == 500);
        CHECK(answer.body == R"({"error":"Internal Server Error"})");
        CHECK(server.log.next().find(path) != std::string::npos);
    }
    auto twice = server.connect("/twice");
    CHECK(test::read_text(twice) == "logic_error");
    CHECK(server.client().get("/caught").body == "a page for browsers");
}

TEST_CASE("upgrade: what middleware has said in the header goes with the 101") {
    Server server;
    server.app.use([](Context& c) {
        c.header("X-Request-Id", "7").header("Content-Type", "text/html").header("Upgrade", "h2c");
        c.response().add_header("Set-Cookie", "a=1");
        c.response().add_header("Set-Cookie", "b=2");
    });
    server.app.get("/ws", test::echo);
    server.start();
    auto client = server.client();
    auto answer = client.handshake("/ws");
    CHECK(answer.status == 101);
    CHECK(answer.field("x-request-id") == "7");
    CHECK(answer.field("set-cookie") == "a=1, b=2");
    CHECK(answer.field("upgrade") == "websocket");
    CHECK_FALSE(answer.fields.contains("content-type"));
    client.send_frame(test::text, "hi");
    CHECK(test::read_text(client) == "hi");
}

TEST_CASE("upgrade: bytes behind the handshake are frames and are not lost") {
    auto late = [](Context& c) -> Task<> {
        for (int turn = 0; turn < 10; ++turn) co_await boost::asio::post(c.executor(), boost::asio::use_awaitable);
        co_await test::echo(c);
    };
    Server server;
    server.app.get("/ws", test::echo);
    server.app.get("/late", late);
    server.start();
    const std::string large(3000, 'x');
    const std::string frames =
        test::frame(test::text, "one") + test::frame(test::text, large) + test::frame(test::text, "three");
    for (std::string path : {"/ws", "/late"})
        for (std::size_t cut : {std::size_t{1}, std::size_t{9}, std::size_t{10}, std::size_t{1000}, frames.size()}) {
            INFO(path << " with " << cut << " bytes");
            auto client = server.client();
            CHECK(client.request(test::handshake_request(path) + frames.substr(0, cut)).status == 101);
            client.send(frames.substr(cut));
            CHECK(test::read_text(client) == "one");
            CHECK(test::read_text(client) == large);
            CHECK(test::read_text(client) == "three");
        }
}

TEST_CASE("upgrade: requests before it on the same connection are answered first") {
    Server server;
    server.app.get("/ws", test::echo);
    server.app.get("/page", [](Context& c) { c.text("a page"); });
    server.start();
    auto client = server.client();
    CHECK(client.get("/page").body == "a page");
    client.send("GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n" + test::handshake_request("/ws") +
                test::frame(test::text, "hi"));
    CHECK(client.read_response().body == "a page");
    CHECK(client.read_response().status == 101);
    CHECK(test::read_text(client) == "hi");
}

TEST_CASE("upgrade: it ends the deadlines of HTTP") {
    kvolt::Limits limits;
    limits.header_timeout = limits.idle_timeout = limits.write_timeout = limits.body_grace =
        std::chrono::milliseconds(100);
    limits.ping_interval = std::chrono::milliseconds(400);
    Server server(test::echo, limits);
    auto client = server.connect();
    CHECK(client.read_frame().opcode == test::ping);  // by when any of them would have closed it
    client.send_frame(test::text, "hi");
    CHECK(test::read_text(client) == "hi");
}

}  // namespace
