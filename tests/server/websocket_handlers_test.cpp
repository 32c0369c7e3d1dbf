#include "catch.hpp"
#include "websocket_server.hpp"
#include <kvolt/error.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/websocket_handlers.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using kvolt::Context;
using kvolt::Message;
using kvolt::Task;
using kvolt::WebSocket;
using kvolt::WebSocketHandlers;
using test::Client;
using test::Server;

struct Player {
    std::string name;
    int messages = 0;
};

auto players(test::Reports<std::string>& endings) {
    return WebSocketHandlers<Player>()
        .on_open([](Context& c, WebSocket& socket) {
            socket.send("welcome");
            return Player{std::string(c.query("name")), 0};
        })
        .on_message([](WebSocket& socket, Player& player, Message& message) {
            socket.send(player.name + ' ' + std::to_string(++player.messages) + ' ' + message.payload);
        })
        .on_close([&endings](WebSocket& socket, Player& player) {
            endings.add(player.name + ' ' + std::to_string(player.messages) + ' ' + test::ending(socket));
        });
}

TEST_CASE("websocket_handlers: each connection has its state, from on_open to on_close") {
    Server server;
    server.app.websocket("/ws", players(server.endings));
    server.start();
    auto ann = server.connect("/ws?name=Ann"), bob = server.connect("/ws?name=Bob");
    CHECK(test::read_text(ann) == "welcome");
    CHECK(test::read_text(bob) == "welcome");
    ann.send_frame(test::text, "a");
    CHECK(test::read_text(ann) == "Ann 1 a");
    bob.send_frame(test::text, "b");
    CHECK(test::read_text(bob) == "Bob 1 b");
    ann.send_frame(test::text, "c");
    CHECK(test::read_text(ann) == "Ann 2 c");
    ann.send_frame(test::close, test::close_payload(4001, "done"));
    CHECK(test::closing(ann) == "4001");
    CHECK(server.endings.next() == "Ann 2 4001 done");
    bob.reset();
    CHECK(server.endings.next() == "Bob 1 1006");
}

TEST_CASE("websocket_handlers: without a state, and with every callback left out") {
    Server server;
    server.app.websocket("/silent", WebSocketHandlers());
    server.app.websocket("/echo",
                         WebSocketHandlers().on_message([](WebSocket& socket, const Message& m) { socket.send(m); }));
    server.app.websocket("/count", WebSocketHandlers<int>().on_message([](WebSocket& socket, int& count, Message&) {
        socket.send(std::to_string(++count));
    }));
    server.start();
    auto silent = server.connect("/silent");
    silent.send_frame(test::text, "hello?");
    silent.send_frame(test::close, test::close_payload(1000));
    CHECK(test::closing(silent) == "1000");
    auto echo = server.connect("/echo");
    echo.send_frame(test::binary, "bytes");
    CHECK(echo.read_frame().opcode == test::binary);
    auto count = server.connect("/count");
    count.send_frame(test::text, {});
    count.send_frame(test::text, {});
    CHECK(test::read_text(count) == "1");
    CHECK(test::read_text(count) == "2");
}

TEST_CASE("websocket_handlers: coroutines, of which one ends before the next message is told") {
    Server server;
    auto later = [](Context& c) { return boost::asio::post(c.executor(), boost::asio::use_awaitable); };
    server.app.websocket("/ws", WebSocketHandlers<Context*>()
                                    .on_open([later](Context& c, WebSocket& socket) -> Task<Context*> {
                                        co_await later(c);
                                        socket.send("open");
                                        co_return &c;
                                    })
                                    .on_message([later](WebSocket& socket, Context*& c, Message& message) -> Task<> {
                                        std::string reply = "begin " + message.payload;
                                        socket.send(reply);
                                        co_await later(*c);
                                        reply = "end " + message.payload;
                                        socket.send(reply);
                                    })
                                    .on_close([&, later](WebSocket& socket, Context*& c) -> Task<> {
                                        co_await later(*c);
                                        server.endings.add(test::ending(socket));
                                    }));
    server.start();
    auto client = server.connect();
    client.send(test::frame(test::text, "1") + test::frame(test::text, "2"));
    CHECK(test::read_text(client) == "open");
    CHECK(test::read_text(client) == "begin 1");
    CHECK(test::read_text(client) == "end 1");
    CHECK(test::read_text(client) == "begin 2");
    CHECK(test::read_text(client) == "end 2");
    client.send_frame(test::close, test::close_payload(1000));
    CHECK(server.endings.next() == "1000");
}

TEST_CASE("websocket_handlers: what a callback throws is what it is in a handler") {
    Server server;
    auto fail = [](const std::string& where) { throw std::runtime_error("no " + where); };
    server.app.websocket(
        "/open", WebSocketHandlers().on_open([fail](Context&, WebSocket&) { fail("open"); }).on_close([&](WebSocket&) {
            server.endings.add("never");
        }));
    server.app.websocket("/message",
                         WebSocketHandlers()
                             .on_message([fail](WebSocket&, Message&) { fail("message"); })
                             .on_close([&](WebSocket& socket) { server.endings.add(test::ending(socket)); }));
    server.app.websocket("/later", WebSocketHandlers()
                                       .on_message([fail](WebSocket&, Message&) -> Task<> {
                                           fail("later");
                                           co_return;
                                       })
                                       .on_close([fail](WebSocket&) { fail("second thought"); }));
    server.app.websocket("/close", WebSocketHandlers().on_close([fail](WebSocket&) { fail("close"); }));
    server.start();
    auto client = server.connect("/open");
    CHECK(test::closing(client) == "1011");
    CHECK(server.log.next() == "kvolt: GET /open: no open");
    auto second = server.connect("/message");
    second.send_frame(test::text, {});
    CHECK(test::closing(second) == "1011");
    CHECK(server.endings.next() == "1011");
    CHECK(server.log.next() == "kvolt: GET /message: no message");
    auto third = server.connect("/later");
    third.send_frame(test::text, {});
    CHECK(test::closing(third) == "1011");
    CHECK(server.log.next() == "kvolt: GET /later: no later");
    auto fourth = server.connect("/close");
    fourth.send_frame(test::close, test::close_payload(1000));
    CHECK(server.log.next() == "kvolt: GET /close: no close");
    CHECK(server.endings.empty());
    CHECK(server.log.empty());
}

TEST_CASE("websocket_handlers: middleware, limits and UpgradeOptions hold as for any route") {
    kvolt::Limits limits;
    limits.message_size = 10;
    Server server(limits);
    auto guard = [](Context& c) {
        if (c.query("key") != "7") throw kvolt::HttpError(401, "no key");
    };
    auto api = server.app.group("/api");
    api.use([](Context& c) { c.header("X-Group", "yes"); });
    auto handlers = WebSocketHandlers().options(kvolt::UpgradeOptions().protocols({"chat"}).require_origin());
    handlers.on_open([](Context&, WebSocket& socket) { socket.send(socket.protocol()); });
    api.websocket("/ws", guard, handlers);
    server.start();
    CHECK(server.client().handshake("/api/ws").status == 401);
    CHECK(server.client().handshake("/api/ws?key=7").status == 403);
    CHECK(server.client().get("/api/ws?key=7").status == 426);
    auto client = server.client();
    auto answer = client.handshake("/api/ws?key=7", "Origin: http://localhost\r\nSec-WebSocket-Protocol: chat\r\n");
    CHECK(answer.status == 101);
    CHECK(answer.field("x-group") == "yes");
    CHECK(test::read_text(client) == "chat");
    client.send_frame(test::text, "longer than ten");
    CHECK(test::closing(client) == "1009 the message is too big");
}

TEST_CASE("websocket_handlers: a seat in a hub can be the state, and leaves by itself") {
    Server server;
    kvolt::Hub<> hub(server.app);
    using Seat = kvolt::Hub<>::Seat;
    server.app.websocket("/ws",
                         WebSocketHandlers<Seat>()
                             .on_open([&](Context&, WebSocket& socket) { return hub.join(socket); })
                             .on_message([&](WebSocket&, Seat&, Message& message) { hub.broadcast(message); })
                             .on_close([&](WebSocket&, Seat&) { server.endings.add(std::to_string(hub.size())); }));
    server.start();
    auto ann = server.connect(), bob = server.connect();
    ann.send_frame(test::text, "hi");
    CHECK(test::read_text(ann) == "hi");
    CHECK(test::read_text(bob) == "hi");
    ann.reset();
    CHECK(server.endings.next() == "2");
    bob.reset();
    CHECK(server.endings.next() == "1");
}

TEST_CASE("websocket_handlers: a state that cannot be moved, and one without a default") {
    struct Fixed {
        explicit Fixed(int start) : count(start) {}
        Fixed(const Fixed&) = delete;
        Fixed& operator=(const Fixed&) = delete;
        int count;
    };
    Server server;
    server.app.websocket("/ws", WebSocketHandlers<std::unique_ptr<Fixed>>()
                                    .on_open([](Context&, WebSocket&) { return std::make_unique<Fixed>(5); })
                                    .on_message([](WebSocket& socket, std::unique_ptr<Fixed>& state, Message&) {
                                        socket.send(std::to_string(++state->count));
                                    }));
    struct NoDefault {
        explicit NoDefault(int) {}
    };
    CHECK_THROWS_AS(server.app.websocket("/none", WebSocketHandlers<NoDefault>()), std::logic_error);
    server.start();
    auto client = server.connect();
    client.send_frame(test::text, {});
    CHECK(test::read_text(client) == "6");
}

}  // namespace
