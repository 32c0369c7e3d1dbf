// A server that has something of everything, with limits that attackers can reach: kvolt_attacked FOLDER SILENCE
//
// Serves the folder's files, too, and takes a WebSocket for dead after so many seconds of silence. Prints its port, and
// ends by SIGTERM.

#include <kvolt/app.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/files.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/middleware/bearer_auth.hpp>
#include <kvolt/middleware/compress.hpp>
#include <kvolt/middleware/rate_limit.hpp>
#include <kvolt/server.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <malloc.h>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Context;
using kvolt::Task;

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kibibyte = 1024, mebibyte = 1024 * kibibyte;

std::atomic<int> waiting = 0;  // handlers that are under way

struct Waiting {
    Waiting() { ++waiting; }
    ~Waiting() { --waiting; }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
};

Task<> wait(Context& c, std::chrono::milliseconds duration) {
    boost::asio::steady_timer timer(c.executor(), duration);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

kvolt::Limits small_limits(std::chrono::seconds silence) {
    kvolt::Limits limits;
    limits.header_timeout = 1s;
    limits.body_grace = 1s;
    limits.idle_timeout = 2s;
    limits.write_timeout = 2s;
    limits.drain_timeout = 2s;
    limits.message_timeout = 1s;
    limits.message_fragments = 64;
    limits.ping_interval = 1s;
    limits.silence_timeout = silence;
    limits.close_timeout = 1s;
    limits.all_bodies = 16 * mebibyte;
    limits.all_backlogs = 16 * mebibyte;
    limits.backlog = {256 * kibibyte, 256};
    limits.abandoned_handlers = 50;
    limits.connections = 400;
    limits.connections_per_client = 60;
    return limits;
}

struct User {
    std::string name;
};

// What a member says: a word, and what belongs to it.
Task<> obey(kvolt::Hub<User>& hub, kvolt::Hub<User>::Seat& seat, const kvolt::WebSocket& socket,
            std::string_view line) {
    auto space = line.find(' ');
    auto word = line.substr(0, space), rest = space == line.npos ? std::string_view() : line.substr(space + 1);
    if (word == "say") seat.broadcast(rest);
    if (word == "all") seat.broadcast(rest, "");
    if (word == "price") seat.broadcast(rest, kvolt::BroadcastOptions().coalesce("price"));
    if (word == "me") seat.send(rest);
    if (word == "enter") seat.enter(rest);
    if (word == "leave") seat.leave(rest);
    if (word == "name") seat.member(User{std::string(rest)});
    if (word == "close") hub.close_room(rest);
    if (word == "who") {
        Waiting here;
        auto members = co_await hub.members(std::string(rest));
        socket.send("members " + std::to_string(members.size()));
    }
}

void add_pages(kvolt::App& app, const std::string& folder) {
    app.get("/", [](Context& c) { c.html("<p>hello"); });
    app.get("/big", [](Context& c) { c.text(std::string(mebibyte, 'b')); });
    app.get("/text", kvolt::middleware::compress(), [](Context& c) { c.text(std::string(64 * kibibyte, 't')); });
    app.files("/files", folder);
    app.post("/body", [](Context& c) { c.blob(std::string(c.body()), "application/octet-stream"); });
    app.post("/upload", kvolt::stream_body, [](Context& c) -> Task<> {
        Waiting here;
        std::size_t size = 0;
        while (auto part = co_await c.read_some()) size += part->size();
        c.text(std::to_string(size));
    });
    auto members = app.group("/members");
    members.use(kvolt::middleware::bearer_auth([](std::string_view token) { return token == "secret"; }));
    members.any("/*rest", [](Context& c) { c.text("welcome"); });
    auto limited = kvolt::middleware::RateLimitOptions().rate(5, 1h).clients(20);
    app.get("/limited", kvolt::middleware::rate_limit(limited), [](Context& c) { c.text("one of a few"); });
}

void add_waits(kvolt::App& app) {
    app.get("/poll", [](Context& c) -> Task<> {
        Waiting here;
        co_await wait(c, 1h);
    });
    app.get("/work", [](Context& c) -> Task<> {  // goes on without its client
        Waiting here;
        c.ignore_disconnect();
        co_await wait(c, 500ms);
        c.text("done");
    });
    app.get("/events", [](Context& c) -> Task<> {
        Waiting here;
        for (auto events = c.events(); co_await events.send("tick");) co_await wait(c, 20ms);
    });
    app.get("/stream", [](Context& c) -> Task<> {
        Waiting here;
        const std::string part(16 * kibibyte, 's');
        for (auto stream = c.stream(); co_await stream.write(part);) co_await wait(c, 1ms);
    });
}

void add_sockets(kvolt::App& app, kvolt::Hub<User>& hub) {
    app.get("/echo", [](Context& c) -> Task<> {
        Waiting here;
        auto socket = co_await c.upgrade(kvolt::UpgradeOptions().compression(kvolt::deflate()));
        while (auto message = co_await socket.read())
            if (socket.send(*message) == kvolt::SendResult::backpressure) co_await socket.drained();
    });
    app.get("/rooms/:room", [&hub](Context& c) -> Task<> {
        Waiting here;
        std::string room(c.param("room"));
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, User{"somebody"}, room);
        while (auto message = co_await socket.read()) co_await obey(hub, seat, socket, message->payload);
    });
    // What is there now. Memory is what is in use: how much more malloc keeps differs from run to run by megabytes,
    // even though it gives back what it can first.
    app.get("/count", [&hub](Context& c) {
        ::malloc_trim(0);
        struct mallinfo2 memory = ::mallinfo2();
        auto stats = hub.stats();
        c.json("{\"memory\": " + std::to_string(memory.uordblks + memory.hblkhd) +
               ", \"handlers\": " + std::to_string(waiting) + ", \"members\": " + std::to_string(hub.size()) +
               ", \"refused\": " + std::to_string(stats.refused) + ", \"limited\": " + std::to_string(stats.limited) +
               ", \"dropped\": " + std::to_string(stats.dropped) + ", \"coalesced\": " +
               std::to_string(stats.coalesced) + ", \"disconnected\": " + std::to_string(stats.disconnected) +
               ", \"deliveries\": " + std::to_string(stats.deliveries) + "}");
    });
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 3) return 2;
    kvolt::App app;
    app.threads(2).limits(small_limits(std::chrono::seconds(std::stoi(argv[2]))));
    kvolt::Hub<User> hub(app, kvolt::HubOptions().rate(500, 500).history(20, 16 * kibibyte, 50).rooms(50));
    hub.on_join([&](const auto& presence) {  // news for those who want it: there can be many
        if (presence.room.starts_with("news")) hub.broadcast("one more", presence.room);
    });
    hub.on_leave([&](const auto& presence) {
        if (presence.room.starts_with("news")) hub.broadcast("one less", presence.room);
    });
    add_pages(app, argv[1]);
    add_waits(app);
    add_sockets(app, hub);
    app.run("127.0.0.1:0", [&](auto) { std::cout << app.port() << std::endl; });
} catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
}
