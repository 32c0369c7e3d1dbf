#include "../catch.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "socket_path.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/server.hpp>

#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using kvolt::App;
using kvolt::Context;
using test::Client;
using test::eventually;
using test::refuses_connections;
using test::SocketPath;
using namespace std::chrono_literals;

namespace {

void where(Context& c) { c.text(c.remote_address()); }

std::vector<std::size_t> connections_by_loop(App& app) {
    std::vector<std::size_t> result;
    for (const auto& loop : *app.loops()) result.push_back(loop->connections());
    return result;
}

}  // namespace

TEST_CASE("one app serves several addresses") {
    auto threads = GENERATE(1u, 4u);
    SocketPath socket;
    App app;
    app.threads(threads).get("/", where);
    auto first = app.listen("127.0.0.1:0"), second = app.listen(":0");
    CHECK(app.listen("unix:" + socket.path) == 0);
    CHECK(app.port() == first);
    CHECK(first != second);
    app.start();
    for (int i = 0; i < 3; ++i) {
        CHECK(Client(first).get("/").body.starts_with("127.0.0.1:"));
        CHECK(Client(second).get("/").body.starts_with("127.0.0.1:"));
        CHECK(Client::unix_socket(socket.path).get("/").body == "unix");
    }
    app.stop();
    CHECK(refuses_connections(first));
    CHECK(refuses_connections(second));
    CHECK_FALSE(std::filesystem::exists(socket.path));
}

TEST_CASE("whoever connects between listen() and run() is served then") {
    App app;
    app.get("/", where);
    Client early(app.listen("127.0.0.1:0"));
    early.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    app.limits({}).threads(2).get("/late", where);  // which may still be set up
    app.start();
    CHECK(early.read_response().status == 200);
}

TEST_CASE("a port in use is an error of listen(), and the addresses before it stay") {
    App first, second;
    first.get("/", where);
    second.get("/", where);
    auto port = first.listen("127.0.0.1:0");
    auto other = second.listen("127.0.0.1:0");
    std::string taken = "127.0.0.1:" + std::to_string(port);
    try {
        second.listen(taken);
        FAIL("it listens on a port in use");
    } catch (const std::system_error& error) {
        CHECK(std::string(error.what()).find(taken) != std::string::npos);
        CHECK(error.code() == std::errc::address_in_use);
    }
    CHECK_THROWS_AS(second.listen("nowhere"), std::invalid_argument);
    second.start();
    CHECK(Client(other).get("/").status == 200);
}

TEST_CASE("listen() comes before the start, and an app without an address does not start") {
    App app;
    CHECK_THROWS_AS(app.start(), std::logic_error);
    CHECK_THROWS_AS(app.run(), std::logic_error);
    app.start("127.0.0.1:0");
    CHECK_THROWS_AS(app.listen("127.0.0.1:0"), std::logic_error);
    CHECK_THROWS_AS(app.start(), std::logic_error);
}

TEST_CASE("an app that is stopped before it starts gives its ports back, and listens on no more") {
    App app;
    auto port = app.listen("127.0.0.1:0");
    app.stop();
    CHECK(refuses_connections(port));
    CHECK(app.listen("127.0.0.1:0") == 0);
    app.run();
    app.start();
}

TEST_CASE("an app that never starts gives its ports back") {
    unsigned short port;
    {
        App app;
        port = app.listen("127.0.0.1:0");
    }
    CHECK(refuses_connections(port));
}

TEST_CASE("ready is told every address") {
    SocketPath socket;
    App app;
    std::vector<std::string> urls;
    auto first = app.listen("127.0.0.1:0"), second = app.listen("localhost:0");
    app.listen("unix:" + socket.path);
    app.run([&](std::string_view url) {
        urls.emplace_back(url);
        if (urls.size() == 3) app.stop();
    });
    CHECK(urls == std::vector<std::string>{"http://127.0.0.1:" + std::to_string(first),
                                           "http://127.0.0.1:" + std::to_string(second), "unix:" + socket.path});
}

TEST_CASE("connections are counted and dealt over all listeners together") {
    App app;
    app.threads(4).get("/", where);
    std::vector<unsigned short> ports = {app.listen("127.0.0.1:0"), app.listen("127.0.0.1:0"),
                                         app.listen("127.0.0.1:0")};
    app.start();
    std::vector<Client> clients;
    for (int i = 0; i < 12; ++i) {
        clients.emplace_back(ports[i % 3 == 0 ? 0 : 1]);
        REQUIRE(clients.back().get("/").status == 200);
    }
    CHECK(connections_by_loop(app) == std::vector<std::size_t>{3, 3, 3, 3});
}

TEST_CASE("the limit on connections holds over all listeners, and no listener starves") {
    auto threads = GENERATE(1u, 4u);
    kvolt::Limits limits;
    limits.connections = 2;
    App app;
    app.threads(threads).limits(limits).get("/", where);
    app.get("/ws", test::echo);
    std::vector<unsigned short> ports = {app.listen("127.0.0.1:0"), app.listen("127.0.0.1:0"),
                                         app.listen("127.0.0.1:0")};
    app.start();
    for (auto port : ports) CHECK(Client(port).get("/").status == 200);
    Client one(ports[0]), two(ports[1]);
    REQUIRE(one.handshake("/ws").status == 101);
    REQUIRE(two.handshake("/ws").status == 101);
    std::vector<Client> waiting;
    for (auto port : ports) {
        waiting.emplace_back(port);
        waiting.back().send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    CHECK_FALSE(waiting.front().readable(250ms));  // longer than accepting pauses
    for (Client& client : waiting) CHECK_FALSE(client.readable(0ms));
    two.send_frame(test::text, "hi");
    CHECK(test::read_text(two) == "hi");
    one.close();
    two.close();
    std::size_t answered = 0;
    CHECK(eventually([&] {  // two at a time, of whichever listeners
        for (Client& client : waiting) {
            if (!client.readable(0ms)) continue;
            answered += client.read_response().status == 200;
            client.close();
        }
        return answered == waiting.size();
    }));
}
