// Whatever a client can take of a server, with its limit, and what comes past that: one row for each.

#include "blocked.hpp"
#include "catch.hpp"
#include "client.hpp"
#include "deflate_peer.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include "websocket_server.hpp"
#include <kvolt.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/middleware.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace limits {  // of its own: this is compiled in one batch with other tests

using kvolt::Context;
using kvolt::HubOptions;
using kvolt::Limits;
using kvolt::LogWriter;
using kvolt::Task;
using test::Client;
using test::close_payload;
using test::closing;
using test::eventually;
using test::frame;
using test::HubServer;
using test::mebibyte;
using test::read_text;
using namespace std::chrono_literals;

const std::string hello = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

Task<> wait_long(Context& c) {
    boost::asio::steady_timer timer(c.executor(), 24h);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

/// Something of everything. All limits can be reached in a moment.
struct Small : HubServer {
    static Limits limits() {
        Limits limits;
        limits.header_timeout = limits.body_grace = limits.idle_timeout = 300ms;
        limits.write_timeout = limits.message_timeout = limits.close_timeout = limits.drain_timeout = 300ms;
        limits.ping_interval = 100ms;
        limits.silence_timeout = 400ms;
        limits.header_size = limits.target_size = 1000;
        limits.header_fields = 10;
        limits.body_size = mebibyte;
        limits.all_bodies = 2 * mebibyte;
        limits.abandoned_handlers = 2;
        limits.message_size = 1000;
        limits.message_fragments = 4;
        limits.backlog = {64 * 1024, 100};
        limits.all_backlogs = 8 * mebibyte;
        return limits;
    }

    static HubOptions hub_options() {
        return HubOptions().queue(64 * 1024).moves(4096).rooms(3).history(2, 1000, 2).rate(1, 5);
    }

    explicit Small(const Limits& limits = Small::limits()) : HubServer(hub_options(), 2, limits) {
        app.get("/hello", [](Context& c) { c.text("hello"); });
        app.get("/large", [](Context& c) { c.text(std::string(64 * mebibyte, 'x')); });
        app.get("/stream", [this](Context& c) -> Task<> {
            auto stream = c.stream();
            while (co_await stream.write(std::string(100'000, 'x'))) written += 100'000;
        });
        app.post("/body", [](Context& c) { c.text(std::to_string(c.body().size())); });
        app.post("/parts", kvolt::stream_body, wait_long);
        app.get("/stubborn", [this](Context& c) -> Task<> {
            c.ignore_disconnect();
            ++handlers;
            while (!finish) {
                boost::asio::steady_timer timer(c.executor(), 1ms);
                co_await timer.async_wait(boost::asio::use_awaitable);
            }
            --handlers;
        });
        app.get("/later", [](Context& c) -> Task<> {
            c.text("later");
            co_return;
        });
        app.get("/long", [this](Context& c) -> Task<> {
            ++handlers;
            kvolt::detail::Undo undo([this] { --handlers; });
            co_await wait_long(c);
        });
        app.get("/rate", kvolt::middleware::rate_limit(kvolt::middleware::RateLimitOptions().rate(2, 1h)),
                [](Context& c) { c.text("ok"); });
        app.get("/echo", test::echo);
        app.get("/inflate", [](Context& c) -> Task<> {
            auto socket = co_await c.upgrade(kvolt::UpgradeOptions().compression(kvolt::deflate()));
            while (auto message = co_await socket.read()) socket.send(*message);
        });
        app.get("/flood", [](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            std::size_t taken = 0;
            while (socket.send(std::string(1000, 'x')) != kvolt::SendResult::dropped && taken < 100'000) ++taken;
            socket.close(1000, taken < 100'000 ? "limited" : "without a limit");
            while (co_await socket.read()) {
            }
        });
        app.get("/hub", [this](Context& c) -> Task<> {  // each message enters or leaves a room, or is broadcast
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, "somebody", c.query("room"));
            while (auto message = co_await socket.read()) {
                if (message->payload.starts_with("enter "))
                    socket.send(std::to_string(static_cast<int>(seat.enter(message->payload.substr(6)))));
                else if (message->payload.starts_with("leave "))
                    socket.send(std::to_string(static_cast<int>(seat.leave(message->payload.substr(6)))));
                else
                    socket.send(std::to_string(static_cast<int>(seat.broadcast(*message))));
            }
        });
    }

    std::size_t connections() const {
        std::size_t sum = 0;
        for (const auto& loop : *app.loops()) sum += loop->connections();
        return sum;
    }

    std::atomic<std::size_t> written{0};
    std::atomic<int> handlers{0};
    std::atomic<bool> finish{false};
};

std::string post(std::string_view target, std::size_t size, std::string_view part = {}) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) +
           "\r\n\r\n" + std::string(part);
}

int status(Small& t, std::string_view request) { return t.client().request(request).status; }

// What comes of bytes that a client sends, over and over, until nobody takes them.
std::size_t taken(Client& client, std::string_view bytes, std::size_t most) {
    std::size_t sum = 0;
    while (sum < most)
        if (std::size_t size = client.send_some(bytes, 500))
            sum += size;
        else
            break;
    return sum;
}

struct Row {
    const char* resource;
    const char* limit;
    void (*reach)();
};

template <class Change>
Limits changed(Change change) {
    Limits limits = Small::limits();
    change(limits);
    return limits;
}

const Row table[] = {
    {"place", "connections: the longest idle one makes way",
     [] {
         Small t(changed([](Limits& l) { l.connections = 3, l.idle_timeout = 1h; }));
         t.start();
         std::vector<Client> idle;
         for (int i = 0; i < 3; ++i) idle.push_back(t.client());
         for (Client& client : idle) CHECK(client.request(hello).status == 200);
         CHECK(status(t, hello) == 200);
         CHECK(idle.front().ended());
     }},
    {"place of one client", "connections_per_client: the newest is closed, and one line tells it",
     [] {
         Small t(changed([](Limits& l) { l.connections_per_client = 2; }));
         t.start();
         Client first = t.client(), second = t.client();
         CHECK(first.request(hello).status == 200);
         CHECK(second.request(hello).status == 200);
         for (int i = 0; i < 3; ++i) CHECK(t.client().ended());
         t.log.next();
         CHECK(t.log.empty());
     }},
    {"place of one who says nothing", "header_timeout: 408 or an end",
     [] {
         Small t;
         t.start();
         Client silent = t.client(), begun = t.client();
         begun.send("GET / HT");
         CHECK(begun.read_response().status == 408);
         CHECK(silent.read_to_end().size() < 500);
     }},
    {"place between requests", "idle_timeout: an end",
     [] {
         Small t;
         t.start();
         Client client = t.client();
         CHECK(client.request(hello).status == 200);
         CHECK(client.ended());
     }},
    {"memory of a head", "header_size, header_fields, target_size, 32 empty lines: 431, 431, 414, 400",
     [] {
         Small t;
         t.start();
         std::string fields;
         for (int i = 0; i < 11; ++i) fields += "A: b\r\n";
         CHECK(status(t, "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(2000, 'x')) == 431);
         CHECK(status(t, "GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n") == 431);
         CHECK(status(t, "GET /" + std::string(2000, 'x')) == 414);
         CHECK(status(t, std::string(100, '\n')) == 400);
     }},
    {"memory of a body", "body_size: 413",
     [] {
         Small t;
         t.start();
         CHECK(status(t, post("/body", mebibyte, std::string(mebibyte, 'x'))) == 200);
         CHECK(status(t, post("/body", mebibyte + 1)) == 413);
         CHECK(status(t, "POST /body HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n") == 413);
     }},
    {"time of a body", "body_grace, body_rate: 408",
     [] {
         Small t;
         t.start();
         CHECK(status(t, post("/body", 1000, "x")) == 408);
     }},
    {"memory of all bodies", "all_bodies: 503 for the slowest and largest",
     [] {
         Small t(changed([](Limits& l) { l.body_grace = l.close_timeout = 1h; }));
         t.start();
         std::vector<Client> slow;
         for (int i = 0; i < 4; ++i) {
             slow.push_back(t.client());
             slow.back().send(post("/body", mebibyte, std::string(mebibyte - 1, 'x')));
         }
         auto answered = [&] {
             return std::count_if(slow.begin(), slow.end(), [](Client& client) { return client.readable(0ms); });
         };
         REQUIRE(eventually([&] { return answered() >= 2; }));
         CHECK(status(t, post("/body", 1000, std::string(1000, 'x'))) == 200);
         for (Client& client : slow)
             if (client.readable(0ms)) CHECK(client.read_response().status == 503);
     }},
    {"memory of a body that a handler reads in parts", "what it reads: the client waits",
     [] {
         Small t;
         t.start();
         Client client = t.client();
         client.send(post("/parts", std::size_t{1} << 40));
         CHECK(taken(client, std::string(mebibyte, 'x'), 256 * mebibyte) < 64 * mebibyte);
     }},
    {"memory of an answer", "all_backlogs: the largest is cut off",
     [] {
         Small t;
         t.start();
         Client client = t.client(4096);
         client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
         CHECK(client.read_to_end().size() < 64 * mebibyte);
         CHECK(status(t, hello) == 200);
     }},
    {"memory of answers behind each other", "one: the next request waits",
     [] {
         Small t(changed([](Limits& l) { l.write_timeout = 1h; }));
         t.start();
         Client client = t.client(4096);
         CHECK(taken(client, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n" + hello, 256 * mebibyte) < 64 * mebibyte);
     }},
    {"memory of an answer in parts", "what the client takes: the handler waits",
     [] {
         Small t(changed([](Limits& l) { l.write_timeout = 1h; }));
         t.start();
         Client client = t.client(4096);
         client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
         std::size_t before = 1;
         while (before != t.written) before = t.written, std::this_thread::sleep_for(300ms);
         CHECK(t.written < 64 * mebibyte);
     }},
    {"time of an answer", "write_timeout: a reset",
     [] {
         Small t(changed([](Limits& l) { l.all_backlogs = 256 * mebibyte; }));
         t.start();
         Client client = t.client(4096);
         client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n");
         REQUIRE(client.readable(5s));
         CHECK(eventually([&] { return t.connections() == 0; }));
     }},
    {"coroutine", "the connection: cancelled with it, one at a time",
     [] {
         Small t;
         t.start();
         Client client = t.client();
         for (int i = 0; i < 10; ++i) client.send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n");
         REQUIRE(eventually([&] { return t.handlers == 1; }));
         client.reset();
         CHECK(eventually([&] { return t.handlers == 0; }));
     }},
    {"coroutine that goes on without its client", "abandoned_handlers: 503",
     [] {
         Small t;
         t.start();
         for (int i = 0; i < 2; ++i) {
             Client client = t.client();
             client.send("GET /stubborn HTTP/1.1\r\nHost: h\r\n\r\n");
             REQUIRE(eventually([&] { return t.handlers == i + 1; }));
             client.reset();
         }
         REQUIRE(eventually([&] { return status(t, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n") == 503; }));
         CHECK(status(t, hello) == 200);
         t.finish = true;
     }},
    {"client that a limit of requests remembers", "RateLimitOptions::rate(), clients(): 429",
     [] {
         Small t;
         t.start();
         std::string request = "GET /rate HTTP/1.1\r\nHost: h\r\n\r\n";
         CHECK(status(t, request) == 200);
         CHECK(status(t, request) == 200);
         CHECK(status(t, request) == 429);
     }},
    {"log line", "header_size of each, LogWriter's capacity of all: dropped and counted",
     [] {
         std::mutex disk;
         std::atomic<std::uint64_t> longest{0};
         LogWriter writer(
             [&](std::string_view lines) {
                 longest = std::max<std::uint64_t>(longest, lines.size());
                 std::lock_guard wait(disk);
             },
             10'000);
         Small t;
         t.app.use(kvolt::middleware::logger(
             kvolt::middleware::LoggerOptions().sink([&](std::string_view line) { writer.write(line); })));
         t.app.get("/logged", [](Context& c) { c.text("logged"); });
         t.start();
         std::unique_lock full(disk);
         Client client = t.client();
         for (int i = 0; i < 100; ++i) CHECK(client.get("/logged?" + std::string(800, 'x')).status == 200);
         CHECK(writer.dropped() > 0);
         full.unlock();
         CHECK(longest <= 20'000);
     }},
    {"memory of a message", "message_size, also of what is inflated: 1009",
     [] {
         Small t;
         t.start();
         Client client = t.connect("/echo");
         client.send_frame(test::text, std::string(1001, 'x'));
         CHECK(closing(client).starts_with("1009"));
         Client bomb = t.client();
         REQUIRE(bomb.handshake("/inflate", "Sec-WebSocket-Extensions: permessage-deflate\r\n").status == 101);
         std::string bytes = frame(test::text, test::DeflatePeer().deflate(std::string(100'000, 'x')));
         bytes[0] = static_cast<char>(bytes[0] | 0x40);
         bomb.send(bytes);
         CHECK(closing(bomb).starts_with("1009"));
     }},
    {"fragments and time of a message", "message_fragments, message_timeout: 1008",
     [] {
         Small t;
         t.start();
         Client many = t.connect("/echo"), slow = t.connect("/echo");
         for (int i = 0; i < 5; ++i) many.send_frame(i == 0 ? test::text : test::continuation, "", false);
         CHECK(closing(many).starts_with("1008"));
         slow.send_frame(test::text, "begun", false);
         CHECK(closing(slow).starts_with("1008"));
     }},
    {"place of a silent WebSocket", "ping_interval, silence_timeout: 1006",
     [] {
         Small t;
         t.start();
         Client client = t.connect();
         CHECK(client.read_frame().opcode == test::text);
         CHECK(client.read_frame().opcode == test::ping);
         CHECK(t.endings.next() == "1006");
     }},
    {"place of a WebSocket that is closed", "close_timeout: an end",
     [] {
         Small t(changed([](Limits& l) { l.silence_timeout = 1h; }));
         t.start();
         Client client = t.connect("/echo");
         client.send_frame(test::text, std::string(1001, 'x'));
         CHECK(closing(client).starts_with("1009"));
         CHECK(client.read_to_end().empty());
     }},
    {"pongs that nobody takes", "TCP: the client waits, and is dead after silence_timeout",
     [] {
         Small t;
         t.start();
         Client client = t.connect("/echo", 4096);
         CHECK(taken(client, frame(test::ping, std::string(125, 'x')), 256 * mebibyte) < 64 * mebibyte);
     }},
    {"queue of one connection", "backlog: dropped, and told",
     [] {
         Small t(changed([](Limits& l) { l.silence_timeout = l.close_timeout = 1h; }));
         t.start();
         Client client = t.connect("/flood", 4096);
         CHECK(closing(client) == "1000 limited");
     }},
    {"queue of a hub", "HubOptions::backlog() or Limits::backlog: the policy's 1013, counted",
     [] {
         Small t(changed([](Limits& l) { l.silence_timeout = 1h; }));
         t.start();
         Client slow = t.join("slow", "room", 4096);
         REQUIRE(eventually([&] {
             t.broadcast(std::string(50'000, 'x'), "room");
             return t.hub.stats().disconnected == 1;
         }));
     }},
    {"queue of all connections", "all_backlogs: the one for which the most waits, 1013",
     [] {
         Small t(changed([](Limits& l) {
             l.silence_timeout = 1h;
             l.backlog = {64 * mebibyte, 1'000'000};
         }));
         t.start();
         Client slow = t.join("slow", "room", 4096);
         REQUIRE(eventually([&] {
             t.broadcast(std::string(100'000, 'x'), "room");
             return t.hub.stats().disconnected == 1;
         }));
     }},
    {"broadcasts of a member", "HubOptions::rate() and queue(): limited",
     [] {
         Small t;
         t.start();
         Client client = t.connect("/hub");
         std::string results;
         for (int i = 0; i < 6; ++i) {
             client.send_frame(test::text, "hello");
             for (std::string said = read_text(client);; said = read_text(client))
                 if (said != "hello") {
                     results += said;
                     break;
                 }
         }
         CHECK(results == "000003");  // BroadcastResult::limited
     }},
    {"hub entry", "HubOptions::rooms(): too_many_rooms",
     [] {
         Small t;
         t.start();
         Client client = t.connect("/hub?room=0");
         std::string results;
         for (const char* room : {"enter 1", "enter 2", "enter 3"}) {
             client.send_frame(test::text, room);
             results += read_text(client);
         }
         CHECK(results == "003");  // MoveResult::too_many_rooms
     }},
    {"moves between rooms", "HubOptions::moves(): busy",
     [] {
         Small t;
         t.start();
         Client client = t.connect("/hub?room=0");
         Client other = t.connect("/hub?room=0");  // one of them is on the second loop
         test::Blocked first(*t.app.loops()->front());
         client.send_frame(test::text, "leave 1");
         other.send_frame(test::text, "leave 1");
         REQUIRE(eventually([&] { return client.readable(0ms) || other.readable(0ms); }));
         Client& free = client.readable(0ms) ? client : other;
         std::set<std::string> results{read_text(free)};
         for (int i = 0; i < 100; ++i)
             for (const char* move : {"enter 1", "leave 1"}) {
                 free.send_frame(test::text, move);
                 results.insert(read_text(free));
             }
         CHECK(results == std::set<std::string>{"0", "1", "2"});  // MoveResult::done, unchanged, busy
     }},
    {"history of rooms", "HubOptions::history(): the oldest make way",
     [] {
         Small t;
         t.start();
         for (std::string room : {"a", "b", "c"})
             for (int i = 0; i < 5; ++i) t.broadcast(room + std::to_string(i), room);
         Client gone = t.client(), kept = t.client();
         REQUIRE(gone.handshake("/ws?room=a").status == 101);
         CHECK(read_text(gone) == "joined");
         REQUIRE(kept.handshake("/ws?room=c").status == 101);
         CHECK(read_text(kept) == "c3");
         CHECK(read_text(kept) == "c4");
         CHECK(read_text(kept) == "joined");
     }},
    {"time of a shutdown", "drain_timeout: cut off",
     [] {
         Small t(changed([](Limits& l) { l.silence_timeout = 1h; }));
         t.start();
         Client busy = t.client(), silent = t.connect("/echo");
         busy.send("GET /stubborn HTTP/1.1\r\nHost: h\r\n\r\n");
         REQUIRE(eventually([&] { return t.handlers == 1; }));
         t.app.stop();
         CHECK(busy.read_to_end().empty());
     }},
};

}  // namespace limits

using limits::table;

TEST_CASE("whatever a client can take has a limit, and past it happens what is said") {
    for (const auto& row : table) DYNAMIC_SECTION(row.resource << " - " << row.limit) {
            row.reach();
        }
}

TEST_CASE("no limit is without a row") {
    [[maybe_unused]] auto [header_timeout, header_size, header_fields, target_size, body_size, body_rate, body_grace,
                           all_bodies, abandoned_handlers, idle_timeout, write_timeout, connections,
                           connections_per_client, drain_timeout, message_size, message_fragments, message_timeout,
                           ping_interval, silence_timeout, close_timeout, backlog, all_backlogs] = kvolt::Limits();
    std::string all;
    for (const auto& row : table) (all += row.limit) += '\n';
    for (std::string_view limit : {"header_timeout",
                                   "header_size",
                                   "header_fields",
                                   "target_size",
                                   "body_size",
                                   "body_rate",
                                   "body_grace",
                                   "all_bodies",
                                   "abandoned_handlers",
                                   "idle_timeout",
                                   "write_timeout",
                                   "connections:",
                                   "connections_per_client",
                                   "drain_timeout",
                                   "message_size",
                                   "message_fragments",
                                   "message_timeout",
                                   "ping_interval",
                                   "silence_timeout",
                                   "close_timeout",
                                   "backlog",
                                   "all_backlogs"})
        CHECK(all.find(limit) != all.npos);
}
