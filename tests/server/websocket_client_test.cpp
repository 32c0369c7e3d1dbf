#include "catch.hpp"
#include "eventually.hpp"
#include "raw_server.hpp"
#include "socket_path.hpp"
#include "websocket_server.hpp"
#include "with_socket.hpp"
#include <kvolt/detail/client/connector.hpp>
#include <kvolt/detail/net/timer.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/run.hpp>
#include <kvolt/websocket_client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using kvolt::ConnectError;
using kvolt::ConnectOptions;
using kvolt::Context;
using kvolt::MessageView;
using kvolt::Task;
using kvolt::WebSocket;
using kvolt::WebSocketClient;
using test::RawServer;
using test::Reports;
using test::Server;
using test::with_socket;
using namespace std::chrono_literals;

std::string url_of(const Server& server, std::string_view target = "/ws") {
    return "ws://127.0.0.1:" + std::to_string(server.app.port()) + std::string(target);
}

Task<> sleep_for(std::chrono::milliseconds time) {
    kvolt::detail::Timer timer(kvolt::detail::Loop::current()->io(), time);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

// How connecting fails: the reason, the status, and what() without the URL.
struct Failure {
    ConnectError::Reason reason;
    int status;
    std::string what, body;
};
std::optional<Failure> failure_of(const std::string& url, const ConnectOptions& options = {}) {
    try {
        with_socket(url, options, [](WebSocket&) -> Task<> { co_return; });
    } catch (const ConnectError& error) {
        std::string what = error.what(), begin = "kvolt: " + url + ": ";
        if (!what.starts_with(begin)) throw std::runtime_error("it does not name the URL: " + what);
        return Failure{error.reason(), error.status(), what.substr(begin.size()), error.body()};
    }
    return std::nullopt;
}

kvolt::Limits big_messages() {
    kvolt::Limits limits;
    limits.message_size = 8 * 1024 * 1024;
    limits.backlog.bytes = 32 * 1024 * 1024;
    return limits;
}

// A handler that reports how its connection ended.
auto reporting(Reports<std::string>& endings) {
    return [&endings](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.send("open");
        while (co_await socket.read()) {
        }
        endings.add(test::ending(socket));
    };
}

TEST_CASE("websocket_client: messages of all kinds and sizes go and come back") {
    Server server(test::echo, big_messages(), GENERATE(1u, 2u));
    struct Case {
        std::size_t size;
        bool binary;
    };
    const std::vector<Case> cases = {{0, false},   {0, true},      {1, false},     {125, true},     {126, false},
                                     {1000, true}, {65535, false}, {65536, false}, {1 << 20, true}, {5 << 20, true}};
    Reports<bool> same;
    with_socket(url_of(server), ConnectOptions().limits(big_messages()), [&](WebSocket& socket) -> Task<> {
        for (const Case& c : cases) {
            std::string payload(c.size, 'x');
            for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 7 % 127);
            MessageView message(payload);
            message.binary = c.binary;
            socket.send(message);
            auto answer = co_await socket.read();
            same.add(answer && answer->payload == payload && answer->binary == c.binary);
        }
    });
    for (std::size_t i = 0; i < cases.size(); ++i) CHECK(same.next());
}

TEST_CASE("websocket_client: many messages at once stay in order") {
    Server server(test::echo, big_messages());
    bool in_order = true;
    with_socket(url_of(server), ConnectOptions().limits(big_messages()), [&](WebSocket& socket) -> Task<> {
        for (int i = 0; i < 5000; ++i) socket.send(std::to_string(i));
        for (int i = 0; i < 5000; ++i) {
            auto message = co_await socket.read();
            in_order = in_order && message && message->payload == std::to_string(i);
        }
    });
    CHECK(in_order);
}

TEST_CASE("websocket_client: what the server sees of the handshake") {
    Server server;
    server.app.get("/rooms/:room", [&](Context& c) -> Task<> {
        std::string seen(c.target());
        for (const char* name : {"Host", "Authorization", "Origin", "Cookie", "Sec-WebSocket-Protocol"})
            seen += '|' + std::string(c.header(name));
        server.endings.add(seen);
        kvolt::UpgradeOptions options;
        options.protocols({"chat.v1", "chat.v2"}).allow_any_origin();
        auto socket = co_await c.upgrade(options);
        co_await socket.read();
    });
    server.start();
    std::string port = std::to_string(server.app.port()), agreed;
    ConnectOptions options;
    options.protocols({"chat.v3", "chat.v2"}).header("Authorization", "Bearer 7").header("Cookie", "id=7; a=b");
    options.header("Origin", "https://example.com");
    with_socket(url_of(server, "/rooms/caf%C3%A9?a=1&b=%20"), options, [&](WebSocket& socket) -> Task<> {
        agreed = socket.protocol();
        co_return;
    });
    CHECK(agreed == "chat.v2");
    CHECK(server.endings.next() ==
          "/rooms/caf%C3%A9?a=1&b=%20|127.0.0.1:" + port + "|Bearer 7|https://example.com|id=7; a=b|chat.v3, chat.v2");
    ConnectOptions host;
    host.header("host", "example.com").protocols({"soap"});
    with_socket("ws://localhost:" + port + "/rooms/1", host, [&](WebSocket& socket) -> Task<> {
        agreed = socket.protocol();
        co_return;
    });
    CHECK(server.endings.next() == "/rooms/1|example.com||||soap");
    CHECK(agreed.empty());
}

TEST_CASE("websocket_client: each side learns how the other one closes") {
    Server server;
    server.app.get("/ws", reporting(server.endings));
    server.app.get("/closes", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.send("last words");
        socket.close(4002, "enough");
    });
    server.app.get("/throws", [](Context& c) -> Task<> {
        co_await c.upgrade();
        throw std::runtime_error("oh");
    });
    server.start();
    std::string ending;
    SECTION("the client closes, with a code and a reason") {
        with_socket(url_of(server), {}, [](WebSocket& socket) -> Task<> {
            co_await socket.read();
            socket.close(4001, "done");
        });
        CHECK(server.endings.next() == "4001 done");
    }
    SECTION("the client lets go of its last handle") {
        with_socket(url_of(server), {}, [](WebSocket& socket) -> Task<> { co_await socket.read(); });
        CHECK(server.endings.next() == "1000");
    }
    SECTION("one handle of several keeps the connection open") {
        with_socket(url_of(server), {}, [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            auto copy = std::make_unique<WebSocket>(socket);
            copy.reset();
            ending = socket.is_open() ? "open" : "closed";
            socket.close(4003);
        });
        CHECK(ending == "open");
        CHECK(server.endings.next() == "4003");
    }
    SECTION("the server closes, and reading ends once and for all") {
        with_socket(url_of(server, "/closes"), {}, [&](WebSocket& socket) -> Task<> {
            while (auto message = co_await socket.read()) ending += message->payload + ' ';
            ending += test::ending(socket);
            if (co_await socket.read()) ending += " more?";
            co_await sleep_for(1ms);  // for the answering close frame
            if (socket.send("late") != kvolt::SendResult::dropped) ending += " sent?";
            co_await socket.drained();
        });
        CHECK(ending == "last words 4002 enough");
    }
    SECTION("the client refuses to send what is not UTF-8") {
        with_socket(url_of(server), {}, [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            CHECK(socket.send("caf\xE9") == kvolt::SendResult::invalid);
            CHECK_THROWS_AS(socket.close(4000, "caf\xE9"), std::invalid_argument);
            CHECK(socket.is_open());
            socket.close(4003);
        });
        CHECK(server.endings.next() == "4003");
    }
    SECTION("a handler of the server throws") {
        with_socket(url_of(server, "/throws"), {}, [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            ending = test::ending(socket);
        });
        CHECK(ending == "1011");
    }
    SECTION("the program ends with the connection open") {
        std::optional<WebSocket> kept;
        with_socket(url_of(server), {}, [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            kept = socket;
        });
        CHECK(server.endings.next() == "1001");
        CHECK(test::ending(*kept) == "1001");
        CHECK(kept->send("late") == kvolt::SendResult::dropped);
    }
}

TEST_CASE("websocket_client: a handle may outlive its loop, and be used and dropped by any thread") {
    Server server;
    server.app.get("/ws", reporting(server.endings));
    server.start();
    std::promise<WebSocket> made;
    std::promise<void> finish;
    std::thread loop([&] {
        with_socket(url_of(server), {}, [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            made.set_value(socket);
            WebSocket only_copy = std::move(socket);
            while (auto message = co_await only_copy.read()) {
            }
        });
        finish.set_value();
    });
    {
        WebSocket socket = made.get_future().get();
        for (int i = 0; i < 100; ++i) socket.send("from another thread");
        socket.close(4005);
        finish.get_future().wait();
    }
    loop.join();
    CHECK(server.endings.next() == "4005");
}

TEST_CASE("websocket_client: the last handle may go in another thread") {
    Server server;
    server.app.get("/ws", reporting(server.endings));
    server.start();
    kvolt::App app;
    app.start("127.0.0.1:0");
    std::promise<WebSocket> made;
    WebSocketClient client(url_of(server));
    auto open = [](WebSocketClient& by, std::promise<WebSocket>& to) -> Task<> {
        WebSocket socket = co_await by.connect();
        to.set_value(std::move(socket));
    };
    boost::asio::co_spawn(app.executor(), open(client, made), boost::asio::detached);
    std::optional<WebSocket> socket = made.get_future().get();
    made = {};
    socket->send("hi");
    socket.reset();
    CHECK(server.endings.next() == "1000");
}

TEST_CASE("websocket_client: in handlers, to another app and to its own") {
    Server backend(test::echo);
    Server server;
    auto relay = [](const std::string& url) {
        return [url](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            WebSocketClient client(url);
            auto other = co_await client.connect();
            while (auto message = co_await socket.read()) {
                other.send(*message);
                auto answer = co_await other.read();
                if (answer) socket.send(*answer);
            }
        };
    };
    unsigned short port = server.app.listen("127.0.0.1:0");
    server.app.get("/ws", test::echo);
    server.app.get("/other", relay(url_of(backend)));
    server.app.get("/own", relay("ws://localhost:" + std::to_string(port) + "/ws"));
    server.app.get("/none", relay("ws://localhost:" + std::to_string(port) + "/nowhere"));
    server.app.start();
    for (const char* path : {"/other", "/own"}) {
        auto client = server.connect(path);
        client.send_frame(test::text, "a");
        client.send_frame(test::text, "b");
        CHECK(test::read_text(client) == "a");
        CHECK(test::read_text(client) == "b");
        client.send_frame(test::close, test::close_payload(1000));
        CHECK(test::closing(client) == "1000");
    }
    auto client = server.connect("/none");
    CHECK(test::closing(client) == "1011");
    CHECK(server.log.next() == "kvolt: GET /none: kvolt: ws://localhost:" + std::to_string(port) +
                                   R"(/nowhere: the server answered 404 Not Found: {\"error\":\"Not Found\"})");
}

TEST_CASE("websocket_client: an app that stops closes what it has opened, and opens nothing more") {
    Server server;
    server.app.get("/ws", reporting(server.endings));
    server.start();
    Reports<std::string> told;
    {
        kvolt::App app;
        WebSocketClient client(url_of(server));
        auto talk = [](WebSocketClient& by, Reports<std::string>& to) -> Task<> {
            auto socket = co_await by.connect();
            co_await socket.read();
            to.add("open");
            co_await socket.read();
            to.add(test::ending(socket));
            std::string what;
            try {
                co_await by.reconnect();
            } catch (const ConnectError& error) {
                what = error.reason() == ConnectError::Reason::stopped ? "stopped" : error.what();
            }
            to.add(what);
        };
        boost::asio::co_spawn(app.executor(), talk(client, told), boost::asio::detached);
        app.start("127.0.0.1:0");
        CHECK(told.next() == "open");
        app.stop();
    }
    CHECK(told.next() == "1001");
    CHECK(told.next() == "stopped");
    CHECK(server.endings.next() == "1001");
}

TEST_CASE("websocket_client: misuse throws at once") {
    CHECK_THROWS_AS(WebSocketClient("http://localhost/"), std::invalid_argument);
    CHECK_THROWS_AS(WebSocketClient("wss://localhost/"), std::logic_error);
    Server server(test::echo);
    auto outside = std::make_shared<std::promise<bool>>();
    boost::asio::io_context io;
    WebSocketClient client(url_of(server));
    auto talk = [](WebSocketClient& by) -> Task<bool> {
        try {
            co_await by.connect();
        } catch (const std::logic_error&) {
            co_return true;
        }
        co_return false;
    };
    boost::asio::co_spawn(io, talk(client), [&](std::exception_ptr, bool thrown) { outside->set_value(thrown); });
    io.run();
    CHECK(outside->get_future().get());

    kvolt::App app;
    kvolt::Hub<> hub(app);
    bool refused = false;
    with_socket(url_of(server), {}, [&](WebSocket& socket) -> Task<> {
        try {
            auto seat = hub.join(socket);
        } catch (const std::logic_error&) {
            refused = true;
        }
        co_return;
    });
    CHECK(refused);
}

TEST_CASE("websocket_client: by a Unix socket, whatever host the URL names") {
    test::SocketPath socket;
    Server server;
    server.app.get("/ws", [&](Context& c) -> Task<> {
        server.endings.add(std::string(c.header("Host")) + ' ' + c.remote_address());
        co_await test::echo(c);
    });
    server.app.start("unix:" + socket.path);
    std::string answer;
    with_socket("ws://chat.example/ws", ConnectOptions().unix_socket(socket.path), [&](WebSocket& s) -> Task<> {
        s.send("hi");
        auto message = co_await s.read();
        answer = message ? message->payload : "";
    });
    CHECK(answer == "hi");
    CHECK(server.endings.next() == "chat.example unix");
    auto failure = failure_of("ws://localhost/", ConnectOptions().unix_socket(socket.path + "_none"));
    REQUIRE(failure);
    CHECK(failure->what == "cannot connect: unix: No such file or directory");
}

TEST_CASE("websocket_client: backpressure is told and waited out") {
    std::promise<void> go;
    RawServer server([&](test::Client& client) {
        client.send(test::handshake_answer(test::read_head(client)));
        go.get_future().wait();
        while (test::read_masked_frame(client).payload != "last") {
        }
        client.send(test::frame(test::close, test::close_payload(4000), true, false));
        test::read_masked_frame(client);
    });
    std::vector<kvolt::SendResult> results;
    std::string ending;
    bool drained = false;
    with_socket(server.url(), ConnectOptions().limits(big_messages()), [&](WebSocket& socket) -> Task<> {
        std::string chunk(1 << 20, 'x');
        while (socket.send(chunk) == kvolt::SendResult::queued && results.size() < 100) {
            results.push_back(kvolt::SendResult::queued);
            co_await sleep_for(1ms);  // for the turn to end
        }
        go.set_value();
        co_await socket.drained();
        drained = socket.send("last") == kvolt::SendResult::queued;
        while (co_await socket.read()) {
        }
        ending = test::ending(socket);
    });
    CHECK(results.size() < 100);
    CHECK(drained);
    CHECK(ending == "4000");
}

TEST_CASE("websocket_client: every frame is masked, and no two alike") {
    Reports<std::string> masks;
    RawServer server([&](test::Client& client) {
        client.send(test::handshake_answer(test::read_head(client)) +
                    test::frame(test::ping, "are you there?", true, false));
        for (;;) {
            auto frame = test::read_masked_frame(client);
            masks.add(frame.mask);
            masks.add(std::to_string(frame.opcode) + ' ' + frame.payload);
            if (frame.opcode == test::close) break;
        }
        client.send(test::frame(test::close, {}, true, false));
    });
    with_socket(server.url(), {}, [](WebSocket& socket) -> Task<> {
        for (int i = 0; i < 100; ++i) socket.send("same");
        co_await sleep_for(1ms);
        socket.close(1000, "bye");
    });
    std::set<std::string> seen;
    std::string all, last;
    int count = 0;
    do {
        seen.insert(masks.next());
        last = masks.next();
        if (last == "10 are you there?") all += "pong ";
        ++count;
    } while (!last.starts_with("8 "));
    CHECK(last == std::string("8 \x03\xE8") + "bye");
    CHECK(all == "pong ");
    CHECK(count == 102);
    CHECK(seen.size() >= 101);  // two of 2^32 may well be the same, once in a long while
}

TEST_CASE("websocket_client: what a server must not send ends the connection with the code of the RFC") {
    struct Case {
        std::string bytes;
        int code;
    };
    const std::vector<Case> cases = {
        {test::frame(test::text, "masked"), 1002},
        {test::frame(test::ping, "masked"), 1002},
        {std::string("\xC1\x00", 2), 1002},
        {std::string("\x80\x00", 2), 1002},
        {std::string("\x83\x00", 2), 1002},
        {test::frame(test::close, "x", true, false), 1002},
        {test::frame(test::close, test::close_payload(1006), true, false), 1002},
        {test::frame(test::text, "\xFF", true, false), 1007},
        {test::frame(test::text, std::string(1001, 'x'), true, false), 1009},
    };
    for (const Case& c : cases) {
        Reports<int> codes;
        RawServer server([&](test::Client& client) {
            client.send(test::handshake_answer(test::read_head(client)) + c.bytes);
            auto frame = test::read_masked_frame(client);
            codes.add(frame.opcode == test::close ? test::close_code(frame.payload) : -1);
        });
        kvolt::Limits limits;
        limits.message_size = 1000;
        int code = 0;
        with_socket(server.url(), ConnectOptions().limits(limits), [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            code = socket.close_code();
        });
        CAPTURE(c.bytes.substr(0, 20), c.code);
        CHECK(code == c.code);
        CHECK(codes.next() == c.code);
    }
}

TEST_CASE("websocket_client: it is for the server to close the connection, and not for ever") {
    Reports<bool> ended;
    RawServer server([&](test::Client& client) {
        client.send(test::handshake_answer(test::read_head(client)) +
                    test::frame(test::close, test::close_payload(1001), true, false));
        test::read_masked_frame(client);
        ended.add(client.readable(200ms));
        ended.add(client.readable(5s) && client.ended());
    });
    kvolt::Limits limits;
    limits.close_timeout = 500ms;
    std::string ending;
    with_socket(server.url(), ConnectOptions().limits(limits), [&](WebSocket& socket) -> Task<> {
        co_await socket.read();
        ending = test::ending(socket);
    });
    CHECK(ending == "1001");
    CHECK_FALSE(ended.next());
    CHECK(ended.next());
}

TEST_CASE("websocket_client: pings measure the way, and find a server that is dead") {
    kvolt::Limits limits;
    limits.ping_interval = 100ms;
    limits.silence_timeout = 400ms;
    std::string ending;
    SECTION("it answers") {
        Server server(test::echo);
        with_socket(url_of(server), ConnectOptions().limits(limits), [&](WebSocket& socket) -> Task<> {
            while (!socket.round_trip_time()) co_await sleep_for(10ms);
            ending = socket.is_open() ? "open" : "closed";
        });
        CHECK(ending == "open");
    }
    SECTION("it does not") {
        std::promise<void> done;
        RawServer server([&](test::Client& client) {
            client.send(test::handshake_answer(test::read_head(client)));
            done.get_future().wait();
        });
        with_socket(server.url(), ConnectOptions().limits(limits), [&](WebSocket& socket) -> Task<> {
            co_await socket.read();
            ending = test::ending(socket);
        });
        done.set_value();
        CHECK(ending == "1006");
    }
    SECTION("it vanishes") {
        RawServer server([&](test::Client& client) {
            client.send(test::handshake_answer(test::read_head(client)) + test::frame(test::text, "last", true, false));
        });
        with_socket(server.url(), {}, [&](WebSocket& socket) -> Task<> {
            while (auto message = co_await socket.read()) ending += message->payload + ' ';
            ending += test::ending(socket);
        });
        CHECK(ending == "last 1006");
    }
}

TEST_CASE("websocket_client: bad answers, each told by what is wrong with it") {
    using Reason = ConnectError::Reason;
    struct Case {
        std::string answer;  // ACCEPT stands for the right key
        Reason reason;
        std::string what;
        int status = 0;
    };
    const std::string good =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ACCEPT\r\n";
    auto with = [&](std::string_view from, std::string_view to) {
        std::string answer = good + "\r\n";
        return answer.replace(answer.find(from), from.size(), to);
    };
    const std::vector<Case> cases = {
        {"", Reason::network, "the server closed the connection without an answer"},
        {"HTTP/1.1 101 Swi", Reason::network, "the server closed the connection without an answer"},
        {good, Reason::network, "the server closed the connection without an answer"},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", Reason::handshake,
         "the server's answer is not that of HTTP (bad version): SSH-2.0-OpenSSH_9.2    "},
        {std::string(9000, 'x'), Reason::handshake, ""},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", Reason::handshake, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Reason::status, "the server answered 200 OK: hello", 200},
        {"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno \r\n4\r\nroom\r\n0\r\n\r\n",
         Reason::status, "the server answered 404 Not Found: no room", 404},
        {"HTTP/1.0 503 Busy\r\n\r\nuntil\nthe end", Reason::status, "the server answered 503 Busy: until the end", 503},
        {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\ncut", Reason::status,
         "the server answered 401 Unauthorized: cut", 401},
        {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", Reason::status,
         "the server answered 302 Found, go to /elsewhere", 302},
        {"HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk", Reason::status, "the server answered 500 ",
         500},
        {"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Reason::status,
         "the server answered 403 No", 403},
        {with("HTTP/1.1", "HTTP/1.0"), Reason::handshake, "the server answered 101 in HTTP/1.0"},
        {with("Upgrade: websocket\r\n", ""), Reason::handshake, "the server's 101 has no Upgrade field"},
        {with("websocket", "h2c"), Reason::handshake, "the server's 101 upgrades to something else: h2c"},
        {with("Connection: Upgrade", "Connection: close"), Reason::handshake,
         "the server's 101 has no Connection: Upgrade"},
        {with("Connection: Upgrade\r\n", ""), Reason::handshake, "the server's 101 has no Connection: Upgrade"},
        {with("Sec-WebSocket-Accept: ACCEPT\r\n", ""), Reason::handshake,
         "the server's 101 has no Sec-WebSocket-Accept"},
        {with("ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), Reason::handshake,
         "the server's Sec-WebSocket-Accept is wrong: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {with("ACCEPT", "ACCEPT\r\nSec-WebSocket-Accept: ACCEPT"), Reason::handshake,
         "the server's Sec-WebSocket-Accept is wrong: ACCEPT"},
        {with("ACCEPT", "ACCEPT\r\nSec-WebSocket-Extensions: permessage-deflate"), Reason::handshake,
         "the server uses an extension that was not offered: permessage-deflate"},
        {with("ACCEPT", "ACCEPT\r\nSec-WebSocket-Protocol: soap"), Reason::handshake,
         "the server speaks a subprotocol that was not offered: soap"},
        {with("ACCEPT", "ACCEPT\r\nSec-WebSocket-Protocol:"), Reason::handshake,
         "the server speaks a subprotocol that was not offered: an empty one"},
        {with("ACCEPT", "ACCEPT\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat"), Reason::handshake,
         "the server speaks more than one subprotocol"},
    };
    for (const Case& c : cases) {
        Reports<std::string> accepts;
        RawServer server([&](test::Client& client) {
            std::string answer = c.answer, accept = test::accept_for(test::read_head(client));
            accepts.add(accept);
            while (answer.find("ACCEPT") != answer.npos) answer.replace(answer.find("ACCEPT"), 6, accept);
            client.send(answer);
        });
        auto failure = failure_of(server.url(), ConnectOptions().protocols({"chat"}));
        CAPTURE(c.answer.substr(0, 200), c.what);
        REQUIRE(failure);
        std::string what = failure->what, accept = accepts.next();
        if (what.find(accept) != what.npos) what.replace(what.find(accept), accept.size(), "ACCEPT");
        CHECK(failure->reason == c.reason);
        CHECK(failure->status == c.status);
        if (!c.what.empty()) CHECK(what == c.what);
        CHECK(what.size() < 500);
    }
}

TEST_CASE("websocket_client: good answers that look unusual") {
    const std::vector<std::string> answers = {
        "HTTP/1.1 101 \r\nupgrade: WebSocket\r\nCONNECTION: keep-alive, upgrade\r\nsec-websocket-accept:ACCEPT  "
        "\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 S\r\nConnection: close\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Accept: ACCEPT\r\nContent-Length: 5\r\n\r\n",
    };
    for (const std::string& good : answers)
        for (std::size_t step : {std::size_t{1}, std::size_t{1000}}) {
            RawServer server([&](test::Client& client) {
                std::string answer = good;
                answer.replace(answer.find("ACCEPT"), 6, test::accept_for(test::read_head(client)));
                answer += test::frame(test::text, "hi", true, false);
                for (std::size_t at = 0; at < answer.size(); at += step) client.send(answer.substr(at, step));
                test::read_masked_frame(client);
            });
            std::string first;
            with_socket(server.url(), {}, [&](WebSocket& socket) -> Task<> {
                auto message = co_await socket.read();
                first = message ? message->payload : "nothing";
            });
            CHECK(first == "hi");
        }
}

TEST_CASE("websocket_client: the start of a refusal's body is kept, and the rest not waited for") {
    std::promise<void> done;
    RawServer server([&](test::Client& client) {
        test::read_head(client);
        client.send("HTTP/1.1 400 Bad\r\nContent-Length: 1000000\r\n\r\n" + std::string(3000, 'x'));
        done.get_future().wait();
    });
    auto failure = failure_of(server.url());
    done.set_value();
    REQUIRE(failure);
    CHECK(failure->body == std::string(1024, 'x'));
    CHECK(failure->what == "the server answered 400 Bad: " + std::string(200, 'x'));
}

TEST_CASE("websocket_client: nobody there") {
    using Reason = ConnectError::Reason;
    test::Listening free_port;
    std::string port = std::to_string(free_port.port());
    free_port.close();
    auto failure = failure_of("ws://127.0.0.1:" + port + "/");
    REQUIRE(failure);
    CHECK(failure->reason == Reason::network);
    CHECK(failure->what == "cannot connect: 127.0.0.1:" + port + ": Connection refused");
    failure = failure_of("ws://no-such-host.invalid/");
    REQUIRE(failure);
    CHECK((failure->reason == Reason::name || failure->reason == Reason::timeout));
    CHECK(failure->what.find("the name no-such-host.invalid") != std::string::npos);
}

// A port whose queue of connections is full, so that nobody gets an answer there.
struct BlackHole {
    BlackHole() {
        for (int i = 0; i < 3; ++i) waiting.push_back(std::make_unique<kvolt::detail::PlainStream>(io));
        for (auto& socket : waiting) socket->async_connect(endpoint(), [](boost::system::error_code) {});
        io.poll();
    }
    kvolt::detail::Endpoint endpoint() const {
        return boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), listening.port());
    }

    test::Listening listening{0};
    boost::asio::io_context io{1};
    std::vector<std::unique_ptr<kvolt::detail::PlainStream>> waiting;
};

TEST_CASE("websocket_client: connecting and shaking hands take only so long") {
    BlackHole hole;
    std::string url = "ws://127.0.0.1:" + std::to_string(hole.listening.port()) + "/";
    auto failure = failure_of(url, ConnectOptions().connect_timeout(100ms));
    REQUIRE(failure);
    CHECK(failure->reason == ConnectError::Reason::timeout);
    CHECK(failure->what ==
          "cannot connect: 127.0.0.1:" + std::to_string(hole.listening.port()) + ": no answer in time");

    test::Listening mute;
    url = "ws://127.0.0.1:" + std::to_string(mute.port()) + "/";
    failure = failure_of(url, ConnectOptions().handshake_timeout(100ms));
    REQUIRE(failure);
    CHECK(failure->reason == ConnectError::Reason::timeout);
    CHECK(failure->what == "waiting for the server's answer took too long");

    RawServer slow([](test::Client& client) {
        test::read_head(client);
        client.send("HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nslow");
        client.read_to_end();
    });
    failure = failure_of(slow.url(), ConnectOptions().handshake_timeout(300ms));
    REQUIRE(failure);
    CHECK(failure->what == "the server answered 404 Not Found: slow");
}

TEST_CASE("websocket_client: all addresses of a host are tried, the next one while one is silent") {
    BlackHole hole;
    test::Listening good, gone;
    auto endpoint = [](unsigned short port) -> kvolt::detail::Endpoint {
        return boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), port);
    };
    kvolt::detail::Endpoint refused = endpoint(gone.port()), open = endpoint(good.port());
    gone.close();
    auto connect = [](std::vector<kvolt::detail::Endpoint> to) {
        return kvolt::run([](std::vector<kvolt::detail::Endpoint> list) -> Task<unsigned short> {
            auto& loop = *kvolt::detail::Loop::current();
            auto socket =
                co_await kvolt::detail::connect_to_first(loop, std::move(list), std::chrono::steady_clock::now() + 1s);
            co_return kvolt::detail::ip_endpoint(socket.remote_endpoint())->port;
        }(std::move(to)));
    };
    CHECK(connect({open}) == good.port());
    CHECK(connect({refused, open}) == good.port());
    CHECK(connect({hole.endpoint(), refused, open}) == good.port());
    CHECK(connect({open, hole.endpoint()}) == good.port());
    CHECK_THROWS_WITH(connect({refused, hole.endpoint()}),
                      "cannot connect: " + kvolt::detail::to_string(refused) + ": Connection refused; " +
                          kvolt::detail::to_string(hole.endpoint()) + ": no answer in time");
}

TEST_CASE("websocket_client: by name, by IPv4 and by IPv6") {
    struct Case {
        const char *listen, *host;
    };
    for (const Case& c : {Case{"127.0.0.1:0", "localhost"}, Case{"127.0.0.1:0", "127.0.0.1"}, Case{"[::1]:0", "[::1]"},
                          Case{":0", "LOCALHOST"}}) {
        Server server;
        server.app.get("/ws", test::echo);
        server.app.start(c.listen);
        CAPTURE(c.listen, c.host);
        std::string url = "ws://" + std::string(c.host) + ':' + std::to_string(server.app.port()) + "/ws";
        bool open = false;
        with_socket(url, {}, [&](WebSocket& socket) -> Task<> {
            open = socket.is_open();
            co_return;
        });
        CHECK(open);
    }
}

TEST_CASE("websocket_client: a connect that is cancelled leaves nothing behind") {
    using namespace boost::asio::experimental::awaitable_operators;
    BlackHole hole;
    test::Listening mute;
    for (unsigned short port : {hole.listening.port(), mute.port()}) {
        bool cancelled = false;
        kvolt::run([](unsigned short to, bool& told) -> Task<> {
            WebSocketClient client("ws://127.0.0.1:" + std::to_string(to));
            auto connect = [](WebSocketClient& by) -> Task<> { co_await by.connect(); };
            auto either = co_await (connect(client) || sleep_for(50ms));
            told = either.index() == 1;
        }(port, cancelled));
        CHECK(cancelled);
    }
}

TEST_CASE("websocket_client: an app that ends while connects are under way") {
    BlackHole hole;
    test::Listening mute;
    for (unsigned short port : {hole.listening.port(), mute.port()}) {
        kvolt::Limits limits;
        limits.drain_timeout = 100ms;
        WebSocketClient client("ws://127.0.0.1:" + std::to_string(port));
        kvolt::App app;
        app.limits(limits);
        std::promise<void> begun;
        auto connect = [](WebSocketClient& by, std::promise<void>& at) -> Task<> {
            at.set_value();
            co_await by.connect();
        };
        boost::asio::co_spawn(app.executor(), connect(client, begun), boost::asio::detached);
        app.start("127.0.0.1:0");
        begun.get_future().wait();
        app.stop();
    }
}

TEST_CASE("websocket_client: it reconnects when the server is back") {
    auto server = std::make_unique<Server>(test::echo);
    unsigned short port = server->app.port();
    Reports<std::string> told;
    kvolt::Backoff quick;
    quick.first = 1ms;
    quick.most = 20ms;
    ConnectOptions options;
    options.backoff(quick).on_failure([&](const ConnectError& error, std::chrono::milliseconds delay) {
        if (delay > 20ms) told.add("too long a delay");
        if (error.reason() == ConnectError::Reason::network) told.add("failed");
    });
    std::thread loop([&] {
        kvolt::run([](std::string url, ConnectOptions by, Reports<std::string>& to) -> Task<> {
            WebSocketClient client(url, by);
            for (int i = 0; i < 3; ++i) {
                WebSocket socket = co_await client.reconnect();
                socket.send("hello " + std::to_string(i));
                while (auto message = co_await socket.read()) to.add(message->payload);
                to.add(test::ending(socket));
            }
        }("ws://127.0.0.1:" + std::to_string(port) + "/ws", options, told));
    });
    for (int i = 0; i < 3; ++i) {
        std::string first = told.next();
        while (first == "failed") first = told.next();
        CHECK(first == "hello " + std::to_string(i));
        server.reset();
        CHECK(told.next() == "1001");
        if (i == 2) break;
        CHECK(told.next() == "failed");
        server = std::make_unique<Server>();
        server->app.get("/ws", test::echo);
        REQUIRE(test::eventually([&] {
            try {
                server->app.listen("127.0.0.1:" + std::to_string(port));
                return true;
            } catch (const std::system_error&) {
                return false;
            }
        }));
        server->app.start();
    }
    loop.join();
}

TEST_CASE("websocket_client: reconnect gives up when it is told to") {
    test::Listening gone;
    std::string url = "ws://127.0.0.1:" + std::to_string(gone.port());
    gone.close();
    kvolt::Backoff backoff;
    backoff.first = 1ms;
    backoff.most = 2ms;
    backoff.attempts = 3;
    int failures = 0;
    ConnectOptions options;
    auto reconnect = [&] {
        kvolt::run([](std::string to, ConnectOptions by) -> Task<> {
            WebSocketClient client(to, by);
            co_await client.reconnect();
        }(url, options));
    };
    options.backoff(backoff).on_failure([&](const ConnectError&, std::chrono::milliseconds) { ++failures; });
    CHECK_THROWS_AS(reconnect(), ConnectError);
    CHECK(failures == 2);
    SECTION("and waits again if it is called again") {
        std::string order;
        kvolt::run([](std::string to, ConnectOptions by, std::string& told) -> Task<> {
            WebSocketClient client(to, by);
            for (int i = 0; i < 2; ++i) try {
                    co_await client.reconnect();
                } catch (const ConnectError&) {
                    told += "gave up; ";
                }
        }(url, options, order));
        CHECK(order == "gave up; gave up; ");
        CHECK(failures == 6);
    }
    options.on_failure([](const ConnectError&, std::chrono::milliseconds) { throw std::runtime_error("hopeless"); });
    CHECK_THROWS_WITH(reconnect(), "hopeless");
}

TEST_CASE("run: a coroutine on a loop of its own, with its result or exception") {
    auto number = [](int n) -> Task<int> {
        co_await sleep_for(1ms);
        co_return n * 2;
    };
    CHECK(kvolt::run(number(21)) == 42);
    int there = 42;
    auto without_default = [&there]() -> Task<std::reference_wrapper<int>> { co_return there; };
    CHECK(&kvolt::run(without_default()).get() == &there);
    auto fail = []() -> Task<> {
        throw std::runtime_error("no");
        co_return;
    };
    CHECK_THROWS_WITH(kvolt::run(fail()), "no");
}

}  // namespace
