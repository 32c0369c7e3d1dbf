#include "catch.hpp"
#include "deflate_peer.hpp"
#include "fail_each.hpp"
#include "folder.hpp"
#include "world.hpp"
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/websocket/client_frame.hpp>
#include <kvolt/middleware/timeout.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using test::demand;
using test::World;
using namespace std::chrono_literals;

namespace {

void fail_each(const std::function<void(World&)>& prepare, const std::function<void(World&)>& scenario) {
    test::fail_each<World>(prepare, scenario);
}

void no_more(World&) {}

kvolt::Task<> pause(kvolt::Context& c) { co_await boost::asio::post(c.executor(), boost::asio::use_awaitable); }

std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

}  // namespace

TEST_CASE("a request whose handling runs out of memory gets an error or is closed") {
    auto routes = [](World& world) {
        world.app.use([](kvolt::Context& c) { c.header("X-First-Of-The-Fields", "a value that needs memory"); });
        world.app.use([](kvolt::Context& c, kvolt::Next next) -> kvolt::Task<> {
            co_await next();
            c.header("X-Second-Of-The-Fields", "a value that needs memory");
        });
        world.app.get("/users/:id", [](kvolt::Context& c) {
            c.text("the user whose number is " + std::string(c.param("id")) + ' ' + std::string(c.query("how")));
        });
        world.app.post("/echo", [](kvolt::Context& c) -> kvolt::Task<> {
            c.text(std::string(c.body()));
            co_return;
        });
    };
    SECTION("one after the other, and two at once") {
        fail_each(routes, [](World& world) {
            auto connection = world.connect();
            connection.send(get("/users/7?how=at%20once"));
            world.turn();
            World::judge(connection, {"the user whose number is 7 at once"});
            if (!connection.send(get("/users/8") + get("/users/9"))) return;
            world.turn();
            World::judge(connection, {"the user whose number is 8 ", "the user whose number is 9 "});
        });
    }
    SECTION("a body") {
        fail_each(routes, [](World& world) {
            auto connection = world.connect();
            std::string body(3000, 'b');
            connection.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 3000\r\n\r\n" + body.substr(0, 1000));
            world.turn();
            connection.send(body.substr(1000));
            world.turn();
            World::judge(connection, {body});
        });
    }
}

TEST_CASE("a stream that runs out of memory is cut off") {
    fail_each(
        [](World& world) {
            world.app.get("/stream", [](kvolt::Context& c) -> kvolt::Task<> {
                auto stream = c.stream("text/plain");
                for (char part : {'a', 'b', 'c'}) co_await stream.write(std::string(3000, part));
            });
        },
        [](World& world) {
            auto connection = world.connect(2000);
            connection.send(get("/stream"));
            world.turn();
            std::string came;
            for (int i = 0; i < 10; ++i) {
                came += connection.stream()->take();
                world.turn();
            }
            connection.received() = came;
            World::judge(connection, {std::string(3000, 'a') + std::string(3000, 'b') + std::string(3000, 'c')});
        });
}

TEST_CASE("a file that is sent without memory is sent whole or not at all") {
    test::Folder folder;
    std::string content(20000, 'f');
    folder.write("file.txt", content);
    fail_each([&](World& world) { world.app.files("/files", folder.path()); },
              [&](World& world) {
                  auto connection = world.connect();
                  connection.send(get("/files/file.txt"));
                  world.turn();
                  World::judge(connection, {content});
              });
}

TEST_CASE("a WebSocket without memory is closed") {
    auto routes = [](World& world) {
        world.app.get("/ws", [](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade(kvolt::UpgradeOptions().compression(kvolt::deflate()));
            while (auto message = co_await socket.read()) socket.send(*message);
        });
    };
    std::vector<std::string> sent;
    for (std::size_t size : {10, 2000, 20000}) sent.push_back(std::string(size, 'm'));
    SECTION("that says what it likes") {
        fail_each(routes, [&](World& world) {
            auto connection = world.handshake("/ws");
            if (!connection) return;
            auto socket = World::speak(std::move(*connection));
            for (const std::string& message : sent) {
                socket.send(message);
                world.turn();
            }
            world.advance(26s);  // a ping
            if (socket.close_code() == 0) socket.close(4000, "a reason that is somewhat long");
            world.turn();
            auto got = World::messages(socket);
            demand(got.size() <= sent.size() && std::equal(got.begin(), got.end(), sent.begin()), "another echo");
            demand(socket.close_code() != 0, "the socket is open");
        });
    }
    SECTION("that compresses") {
        fail_each(routes, [&](World& world) {
            auto connection = world.handshake("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
            if (!connection) return;
            test::DeflatePeer peer;
            for (const std::string& message : sent) {
                std::string frame;
                kvolt::detail::append_masked_frame(frame, kvolt::detail::Opcode::text, peer.deflate(message), {});
                frame[0] = static_cast<char>(frame[0] | 0x40);
                connection->send(frame);
                world.turn();
                std::string came = connection->read_some();
                if (connection->ended()) return;
                if (came.at(0) == '\x88')
                    return demand(came.find("\x03\xF3") == 2, "closed with another code");  // 1011
                bool compressed = (came[0] & 0x40) != 0;
                demand(compressed == (message.size() > 1024), "another compression");
                std::string payload(kvolt::detail::frame_payload(came));
                demand((compressed ? peer.inflate(payload) : payload) == message, "another echo");
            }
        });
    }
}

TEST_CASE("a hub without memory keeps its order and frees its seats") {
    fail_each(no_more, [](World& world) {
        auto connection = world.handshake("/hub?name=ann&key=price");
        if (!connection) return;
        auto ann = World::speak(std::move(*connection));
        ann.send("the first message");
        world.turn();
        ann.send("the second message");
        world.turn();
        ann.close();
        world.turn();
    });
}

TEST_CASE("seats, rooms and keys stay whole without memory") {
    auto routes = [](World& world) {
        world.app.get("/rooms", [&world](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade();
            auto seat = world.hub.join(socket, "a name that needs memory of its own", "lobby");
            seat.enter("a room whose name needs memory of its own");
            seat.send("a message for this seat alone");
            co_await socket.read();
            seat.member("another name that needs memory of its own");
            world.hub.broadcast_if("a message for some of them", [](const auto& name) { return name.size() > 10; });
            auto here = co_await world.hub.members("lobby");
            socket.send(std::to_string(here.size()));
            seat.leave("lobby");
            world.hub.close_room("a room whose name needs memory of its own", 4000, "a reason that is somewhat long");
            co_await socket.read();
        });
    };
    fail_each(routes, [](World& world) {
        auto connection = world.handshake("/rooms");
        if (!connection) return;
        auto ann = World::speak(std::move(*connection));
        ann.send("go on");
        world.turn();
        ann.close();
        world.turn();
    });
}

TEST_CASE("what waits for a body, a deadline or a timer is let go without memory") {
    auto routes = [](World& world) {
        world.app.post("/upload", kvolt::stream_body, [](kvolt::Context& c) -> kvolt::Task<> {
            std::size_t size = 0;
            while (auto part = co_await c.read_some()) size += part->size();
            c.text(std::to_string(size) + " bytes have come, all told");
        });
        world.app.get("/events", [](kvolt::Context& c) -> kvolt::Task<> {
            auto events = c.events();
            co_await events.send(kvolt::Event("the first of the events").id("1"));
            while (co_await events.send("another one of the events")) co_await pause(c);
        });
        world.app.get("/never", kvolt::middleware::timeout(1s), [](kvolt::Context& c) -> kvolt::Task<> {
            boost::asio::steady_timer timer(c.executor(), 1h);
            co_await timer.async_wait(boost::asio::use_awaitable);
        });
    };
    SECTION("a body that comes in parts") {
        fail_each(routes, [](World& world) {
            auto connection = world.connect();
            connection.send("POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (const char* part : {"5\r\nfirst\r\n", "6\r\nsec", "ond\r\n", "0\r\n\r\n"}) {
                world.turn();
                connection.send(part);
            }
            world.turn();
            World::judge(connection, {"11 bytes have come, all told"});
        });
    }
    SECTION("a client that leaves a stream of events") {
        fail_each(routes, [](World& world) {
            auto connection = world.connect(500);
            connection.send(get("/events"));
            world.turn();
            connection.stream()->take();
            world.turn();
            connection.reset();
            world.turn();
        });
    }
    SECTION("a handler that is out of time") {
        fail_each(routes, [](World& world) {
            auto connection = world.connect();
            connection.send(get("/never"));
            world.turn();
            world.advance(2s);
            World::judge(connection, {"never"});
        });
    }
    SECTION("an app that stops") {
        fail_each(routes, [](World& world) {
            auto upload = world.connect(), idle = world.connect();
            upload.send("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nfir");
            auto connection = world.handshake("/hub?name=ann");
            world.stop();
            world.turn();
            upload.send("st");
            world.turn();
            World::judge(upload, {"5 bytes have come, all told"});
            demand(idle.ended(), "an idle connection is open");
            connection.reset();
            upload.close();
            idle.close();
            world.stopped();
        });
    }
}

TEST_CASE("a slow member for whom there is no memory is closed") {
    fail_each(no_more, [](World& world) {
        auto first = world.handshake("/hub?name=slow&slow=1", {}, 1000);
        auto second = world.handshake("/hub?name=ann");
        auto third = world.handshake("/hub?name=bob&key=price");
        if (!first || !second || !third) return;
        auto slow = World::speak(std::move(*first));
        auto ann = World::speak(std::move(*second)), bob = World::speak(std::move(*third));
        slow.pause();
        for (char c = 'a'; c < 'l'; ++c) {
            ann.send(std::string(600, c));
            world.turn();
            bob.send(std::string(300, c));
            world.turn();
        }
        slow.resume();
        world.turn();
        std::string last;
        for (const std::string& message : World::messages(slow)) {
            if (message.size() < 300) continue;
            demand(message == std::string(message.size(), message[0]), "a garbled message");
            demand(last.empty() || last[0] <= message[0], "another order");
            last = message;
        }
    });
}
