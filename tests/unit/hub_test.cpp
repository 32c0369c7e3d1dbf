#include "catch.hpp"
#include "client_of.hpp"
#include <kvolt/app.hpp>
#include <kvolt/hub.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// A hub over connections whose buffers are small, and whose calls do what they can.

namespace {

using kvolt::App;
using kvolt::BroadcastOptions;
using kvolt::BroadcastResult;
using kvolt::Context;
using kvolt::Hub;
using kvolt::HubOptions;
using kvolt::MoveResult;
using kvolt::SlowPolicy;
using kvolt::Task;
using namespace std::chrono_literals;

using Seat = Hub<std::string>::Seat;

/// The route `/ws?name=NAME&room=ROOM` joins; each message then enters the room of that name.
void serve(App& app, Hub<std::string>& hub) {
    app.get("/ws", [&hub](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, std::string(c.query("name")), c.query("room"));
        while (auto message = co_await socket.read()) seat.enter(message->payload);
    });
}

std::string numbered(int number, std::size_t size = 1000) {
    std::string text = std::to_string(number) + ' ';
    return text + std::string(size - text.size(), 'x');
}

/// All that waits for a client, to the first space of each message.
std::string read_all(kvolt::testing::WebSocket& socket) {
    std::string all;
    while (socket.waiting() > 0) {
        std::string text = socket.read_text();
        all += ' ' + text.substr(0, text.find(' '));
    }
    return all;
}

TEST_CASE("hub: a history makes nobody slow whom it is told, and what does not fit of it is the oldest") {
    auto policy = GENERATE(SlowPolicy::disconnect, SlowPolicy::drop_newest, SlowPolicy::drop_oldest);
    App app;
    Hub<std::string> hub(app, HubOptions().slow(policy).history(50, 1024 * 1024).backlog(20000, 30));
    serve(app, hub);
    auto client = test::client_of(app);
    for (int i = 0; i < 50; ++i) hub.broadcast(numbered(i), "red"), hub.broadcast(numbered(i), "blue");
    client.settle();
    client.socket_buffer(2000);
    auto ann = client.websocket("/ws?room=red").connect();
    auto read_history = [&] {  // of which the socket takes a little at once, and 19 frames of 1,004 bytes may wait
        int next = 0;
        for (int last = -1; last < 49; last = next++) {
            std::string text = ann.read_text();
            if (text != numbered(next)) next = std::max(next, std::stoi(text));
            REQUIRE(text == numbered(next));
            REQUIRE((next == last + 1 || next >= 31));
        }
        return next;
    };
    CHECK(read_history() == 50);
    ann.send("blue");
    CHECK(read_history() == 50);
    hub.broadcast("what follows", "red");
    CHECK(ann.read_text() == "what follows");
    CHECK(hub.stats().dropped == 0);
    CHECK(hub.stats().disconnected == 0);
}

TEST_CASE("hub: one who falls behind by a history is told of once") {
    App app;
    Hub<std::string> hub(app, HubOptions().slow(SlowPolicy::drop_oldest).history(50).backlog(60000, 100));
    serve(app, hub);
    std::string told;
    hub.on_behind([&](kvolt::SeatId, const std::string& name) { told += '-' + name; });
    hub.on_caught_up([&](kvolt::SeatId, const std::string& name) { told += '+' + name; });
    auto client = test::client_of(app);
    for (int i = 0; i < 50; ++i) hub.broadcast(numbered(i), "red"), hub.broadcast(numbered(i), "blue");
    client.settle();
    client.socket_buffer(2000);
    auto ann = client.websocket("/ws?name=ann&room=red").connect();
    ann.pause();
    client.settle();
    ann.send("blue");
    client.settle();
    CHECK(told == "-ann");
    CHECK(hub.stats().behind == 1);
    ann.resume();
    client.settle();
    CHECK(told == "-ann+ann");
}

TEST_CASE("hub: one who is moved on falling behind leaves nothing in the room that he was entering") {
    App app;
    Hub<std::string> hub(app, HubOptions().slow(SlowPolicy::drop_oldest).history(50).backlog(60000, 100));
    std::optional<Seat> seat;
    std::string news;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        seat.emplace(hub.join(socket, "ann", "red"));
        while (auto message = co_await socket.read()) seat->enter(message->payload);
        seat.reset();
    });
    hub.on_behind([&](kvolt::SeatId, const std::string&) { seat->leave("blue"); });
    hub.on_join([&](const auto& who) { news += " +" + std::string(who.room); });
    hub.on_leave([&](const auto& who) { news += " -" + std::string(who.room); });
    auto client = test::client_of(app);
    for (int i = 0; i < 50; ++i) hub.broadcast(numbered(i), i < 20 ? "red" : "blue");
    client.socket_buffer(2000);
    auto ann = client.websocket("/ws").connect();
    ann.pause();
    client.settle();
    ann.send("blue");
    client.settle();
    CHECK(news == " +red +blue -blue");
    CHECK(hub.size("blue") == 0);
    CHECK(hub.size("red") == 1);
}

/// Those who fall behind, or catch up, are told so by another name.
std::string renamed(bool behind) {
    App app;
    Hub<std::string> hub(app, HubOptions().slow(SlowPolicy::drop_oldest).history(50).backlog(60000, 100));
    std::optional<Seat> seat;
    std::string seen, now;
    auto hook = [&](kvolt::SeatId, const std::string& name) {
        seat->member(name + " is slow");
        seat->member(name + " is very slow");
        hub.broadcast("another entry in the order");
        seen = name;
        now = seat->member();
    };
    behind ? hub.on_behind(hook) : hub.on_caught_up(hook);
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        seat.emplace(hub.join(socket, std::string(100, 'n'), "red"));
        while (auto message = co_await socket.read()) seat->enter(message->payload);
        seat.reset();
    });
    auto client = test::client_of(app);
    for (int i = 0; i < 50; ++i) hub.broadcast(numbered(i), i < 20 ? "red" : "blue");
    client.settle();
    client.socket_buffer(2000);
    auto ann = client.websocket("/ws").connect();
    ann.pause();
    client.settle();
    ann.send("blue");
    client.settle();
    ann.resume();
    client.settle();
    CHECK(now == seen + " is very slow");
    return seen;
}

TEST_CASE("hub: its calls may change the member whom they are given") {
    CHECK(renamed(true) == std::string(100, 'n'));
    CHECK(renamed(false) == std::string(100, 'n'));
}

TEST_CASE("hub: on_join and on_leave may change the member whom they are given") {
    App app;
    Hub<std::string> hub(app);
    std::optional<Seat> seat;
    std::string news;
    auto hook = [&](const auto& who) {
        if (seat && *seat) {
            seat->member(who.member + '!');
            seat->member(who.member + "!!");
        }
        hub.broadcast("another entry in the order");
        news += who.member + ' ';
    };
    hub.on_join(hook).on_leave(hook);
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        seat.emplace(hub.join(socket, std::string(30, 'n'), "red"));
        seat->enter("blue");
        seat->leave("red");
        seat.reset();
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    client.settle();
    const std::string name(30, 'n');
    CHECK(news == name + ' ' + name + ' ' + name + "!! " + name + "!!!! ");
}

TEST_CASE("hub: a predicate that uses a seat is refused, and whom it lets go leaves behind it") {
    App app;
    std::string log;
    app.logger([&](std::string_view line) { log += std::string(line) + '\n'; });
    Hub<std::string> hub(app);
    std::optional<Seat> seat;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto mine = hub.join(socket, std::string(c.query("name")));
        if (c.query("name") == "ann") seat.emplace(std::move(mine));
        co_await socket.read();
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws?name=ann").connect(), bob = client.websocket("/ws?name=bob").connect();
    hub.broadcast_if("one", [&](const std::string& name) {
        seat->member("carl");
        return !name.empty();
    });
    client.settle();
    CHECK(log.find("the predicate of a broadcast must not use the hub") != std::string::npos);
    hub.broadcast_if("two", [&](const std::string& name) {
        if (seat) seat.reset();
        return !name.empty();
    });
    client.settle();
    hub.broadcast("three");
    CHECK(read_all(ann) == " two");
    CHECK(read_all(bob) == " two three");
    CHECK(hub.size() == 1);
}

TEST_CASE("hub: what it calls is told to it before anybody joins, also behind what it keeps") {
    App app;
    Hub<std::string> hub(app, HubOptions().history(5));
    serve(app, hub);
    auto client = test::client_of(app);
    hub.broadcast("welcome");
    client.settle();
    std::string news;
    CHECK_NOTHROW(hub.on_join([&](const auto& who) { news += who.member; }));
    auto ann = client.websocket("/ws?name=ann").connect();
    CHECK(ann.read_text() == "welcome");
    CHECK(news == "ann");
    CHECK_THROWS_AS(hub.on_join([&](const auto&) {}), std::logic_error);
}

TEST_CASE("hub: what its calls throw ends nothing, also where the logger throws and within its other calls") {
    App app;
    app.logger([](std::string_view) { throw std::runtime_error("the log is full"); });
    Hub<std::string> hub(app);
    serve(app, hub);
    hub.on_join([&](const auto& who) {
        hub.broadcast_if("not for ann", [](const std::string&) -> bool { throw 1; });
        hub.broadcast("hello " + who.member);
        throw 2;
    });
    hub.on_leave([&](const auto&) { throw 3; });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws?name=ann").connect();
    CHECK(ann.read_text() == "hello ann");
    {
        auto bob = client.websocket("/ws?name=bob").connect();
        for (auto* who : {&ann, &bob}) CHECK(who->read_text() == "hello bob");
        bob.close();
        client.settle();
    }
    CHECK(hub.size() == 1);
    hub.broadcast("still here");
    CHECK(ann.read_text() == "still here");
    CHECK(ann.waiting() == 0);
}

TEST_CASE("hub: a seat that has left its rooms does not broadcast to everyone") {
    App app;
    Hub<std::string> hub(app);
    std::vector<BroadcastResult> sent;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, {}, c.query("room"));
        while (auto message = co_await socket.read()) {
            sent.push_back(seat.broadcast(*message));
            if (!seat.room().empty()) seat.leave(seat.room());
        }
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws?room=red").connect(), bob = client.websocket("/ws").connect();
    for (auto* who : {&ann, &bob})
        for (const char* text : {"one", "two"}) who->send(text);
    for (const char* text : {"one", "one", "two"}) CHECK(ann.read_text() == text);
    for (const char* text : {"one", "two"}) CHECK(bob.read_text() == text);
    const auto taken = BroadcastResult::taken;
    CHECK(sent == std::vector{taken, BroadcastResult::nobody, taken, taken});
}

TEST_CASE("hub: other things than broadcasts may count for a seat's rate") {
    App app;
    Hub<std::string> hub(app, HubOptions().rate(0.001, 3));
    std::string done;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        for (int i = 0; i < 2; ++i) done += seat.within_rate() ? '+' : '-';
        for (int i = 0; i < 2; ++i) done += seat.broadcast("x") == BroadcastResult::taken ? '+' : '-';
        done += seat.within_rate() ? '+' : '-';
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    client.settle();
    CHECK(done == "+++--");
    CHECK(hub.stats().limited == 2);
}

/// A member of `hub` in the rooms red and blue and of `other`, by one socket that takes little and no more.
struct TwoHubs {
    explicit TwoHubs(const HubOptions& options, const HubOptions& others = {}) : hub(app, options), other(app, others) {
        app.get("/ws", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, "ann", "red");
            seat.enter("blue");
            auto second = other.join(socket, "ann");
            while (auto message = co_await socket.read()) socket.send(*message);
        });
        client.emplace(test::client_of(app));
        client->socket_buffer(2000);
        ann.emplace(client->websocket("/ws").connect());
        ann->pause();
        broadcast(hub, numbered(0, 3000), "red");  // she gets a part of it, and is slow
    }

    void broadcast(Hub<std::string>& by, std::string_view text, std::string_view room = {}, std::string_view key = {}) {
        REQUIRE(by.broadcast(text, room, BroadcastOptions().coalesce(key)) == BroadcastResult::taken);
        client->settle();
    }

    std::string read_all() {
        ann->resume();
        client->settle();
        return ::read_all(*ann);
    }

    App app;
    Hub<std::string> hub, other;
    std::optional<kvolt::testing::Client> client;
    std::optional<kvolt::testing::WebSocket> ann;
};

TEST_CASE("hub: a key to coalesce by is that of one room of one hub") {
    TwoHubs two{HubOptions()};
    for (const char* number : {"1", "2"}) {
        two.broadcast(two.hub, std::string("red") + number, "red", "price");
        two.broadcast(two.hub, std::string("blue") + number, "blue", "price");
        two.broadcast(two.hub, std::string("all") + number, "", "price");
        two.broadcast(two.other, std::string("other") + number, "", "price");
    }
    CHECK(two.hub.stats().coalesced == 3);
    CHECK(two.other.stats().coalesced == 1);
    CHECK(two.read_all() == " 0 red2 blue2 all2 other2");
}

TEST_CASE("hub: names of rooms and keys that look alike are not") {
    TwoHubs two{HubOptions()};
    two.broadcast(two.hub, "first", "red", "blue");
    two.broadcast(two.hub, "second", "", "redblue");
    two.broadcast(two.hub, "third", "", std::string("\3redblue"));
    CHECK(two.hub.stats().coalesced == 0);
    CHECK(two.read_all() == " 0 first second third");
}

TEST_CASE("hub: a history, too, has a key's latest message of each room") {
    App app;
    Hub<std::string> hub(app, HubOptions().history(5));
    serve(app, hub);
    auto client = test::client_of(app);
    for (const char* number : {"1", "2"})
        for (const char* room : {"", "red"})
            hub.broadcast(room + std::string(number), room, BroadcastOptions().coalesce("price"));
    client.settle();
    auto ann = client.websocket("/ws?room=red").connect();
    client.settle();
    CHECK(read_all(ann) == " 2 red2");
}

TEST_CASE("hub: a policy drops and counts its own hub's messages only") {
    auto policy = GENERATE(SlowPolicy::drop_oldest, SlowPolicy::drop_newest);
    TwoHubs two{HubOptions().slow(policy).backlog(10000, 6), HubOptions().slow(policy).backlog(10000, 6)};
    two.ann->send("direct");
    two.client->settle();
    two.broadcast(two.other, "o1");
    two.broadcast(two.other, "o2");
    for (int i = 1; i <= 5; ++i) two.broadcast(two.hub, 'h' + std::to_string(i));
    CHECK(two.hub.stats().dropped == 3);
    CHECK(two.other.stats().dropped == 0);
    two.broadcast(two.other, "o3");
    CHECK(two.hub.stats().dropped == 3);
    CHECK(two.other.stats().dropped == 1);
    CHECK(two.hub.stats().disconnected + two.other.stats().disconnected == 0);
    CHECK(two.read_all() == (policy == SlowPolicy::drop_oldest ? " 0 direct o2 h4 h5 o3" : " 0 direct o1 o2 h1 h2"));
    for (auto* hub : {&two.hub, &two.other}) {
        auto stats = hub->stats();
        CHECK(stats.messages + (policy == SlowPolicy::drop_newest ? 0 : stats.dropped) ==
              stats.deliveries + stats.dropped);
    }
}

TEST_CASE("hub: one that closes a slow member tells the other one what that costs") {
    TwoHubs two{HubOptions().slow(SlowPolicy::disconnect).backlog(10000, 4)};
    two.broadcast(two.other, "o1");
    two.broadcast(two.other, "o2");
    two.broadcast(two.hub, "h1");
    two.broadcast(two.hub, "h2");
    CHECK(two.hub.stats().dropped == 2);
    CHECK(two.other.stats().dropped == 2);
    CHECK(two.hub.stats().disconnected == 1);
    CHECK(two.other.stats().disconnected == 1);
    CHECK(two.read_all() == " 0");
    CHECK(two.ann->close_code() == 1013);
}

TEST_CASE("hub: members whom the budget of all connections sheds are in its counters") {
    kvolt::Limits limits;
    limits.all_backlogs = 20000;
    App app;
    app.limits(limits);
    Hub<std::string> hub(app);
    serve(app, hub);
    auto client = test::client_of(app);
    client.socket_buffer(2000);
    auto ann = client.websocket("/ws").connect();
    ann.pause();
    for (int i = 0; i < 40; ++i) {
        hub.broadcast(numbered(i));
        client.settle();
    }
    bool reads = GENERATE(true, false);
    std::uint64_t got = 0;
    if (reads) {
        ann.resume();
        client.settle();
        for (; ann.waiting() > 0; ++got) ann.read();
        CHECK(ann.close_code() == 1013);
    } else {  // one message has begun to come
        client.advance(20s);
        got = 1;
    }
    auto stats = hub.stats();
    CHECK(stats.deliveries < 40);
    CHECK(stats.deliveries == got + stats.dropped);
    CHECK(stats.disconnected == 1);
    CHECK(hub.size() == 0);
}

int refused_uses(Seat& seat) {
    const std::vector<std::function<void()>> uses = {
        [&] { seat.enter("red"); },  [&] { seat.leave("red"); },   [&] { seat.room(); },
        [&] { seat.rooms(); },       [&] { seat.broadcast("x"); }, [&] { seat.broadcast("x", "red"); },
        [&] { seat.within_rate(); }, [&] { seat.send("x"); },      [&] { seat.slow(SlowPolicy::drop_oldest); },
        [&] { seat.backlog(1, 1); }, [&] { seat.member(); },       [&] { seat.member("ann"); },
    };
    int refused = 0;
    for (const auto& use : uses) try {
            use();
        } catch (const std::logic_error&) {
            ++refused;
        }
    return refused;
}

TEST_CASE("hub: a seat that was left, or never joined, refuses to be used") {
    Seat never;
    CHECK(refused_uses(never) == 12);
    App app;
    Hub<std::string> hub(app);
    int refused = 0;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        seat.leave();
        seat.leave();
        refused = refused_uses(seat);
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    client.settle();
    CHECK(refused == 12);
}

constexpr int flood = 5000;  // messages: more than a turn's work

void send_flood(Hub<std::string>& hub) {
    for (int i = 0; i < flood; ++i) hub.broadcast(std::to_string(i));
}

void read_flood(kvolt::testing::WebSocket& socket) {
    for (int i = 0; i < flood; ++i)
        if (std::string text = socket.read_text(); text != std::to_string(i)) FAIL(text << " instead of " << i);
}

TEST_CASE("hub: a flood from other threads takes turns with what else there is on its loop") {
    App app;
    Hub<std::string> hub(app);
    serve(app, hub);
    std::uint64_t done = 0;
    app.get("/other", [&](Context&) { done = hub.stats().messages; });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    send_flood(hub);
    REQUIRE(client.get("/other").send().status() == 200);
    CHECK(done < flood);
    read_flood(ann);
}

TEST_CASE("hub: what its loop adds to a flood comes behind it") {
    App app;
    Hub<std::string> hub(app, HubOptions().history(100));
    serve(app, hub);
    std::string news;
    std::size_t there = 0;
    hub.on_join([&](const auto& who) { news += '+' + who.member, hub.broadcast("hello " + who.member); });
    hub.on_leave([&](const auto& who) { news += '-' + who.member; });
    app.get("/say", [&](Context&) { hub.broadcast("me, too"); });
    app.get("/count", [&](Context&) -> Task<> { there = (co_await hub.members()).size(); });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws?name=ann").connect();
    CHECK(ann.read_text() == "hello ann");
    send_flood(hub);
    REQUIRE(client.get("/say").send().status() == 200);
    auto bob = client.websocket("/ws?name=bob").connect();
    CHECK(news == "+ann");  // so that there was a flood still
    REQUIRE(client.get("/count").send().status() == 200);
    CHECK(there == 2);
    read_flood(ann);
    CHECK(ann.read_text() == "me, too");
    CHECK(ann.read_text() == "hello bob");
    bob.reset();
    client.settle();
    CHECK(news == "+ann+bob-bob");
}

TEST_CASE("hub: who asks for the members during a flood runs on at his place in it, and goes on behind it") {
    App app;
    Hub<std::string> hub(app);
    std::size_t before = 0, after = 0;
    auto ask = [&](kvolt::WebSocket socket) -> Task<> {
        before = (co_await hub.members()).size();
        hub.broadcast("asked");
        auto second = hub.join(socket);
        after = (co_await hub.members()).size();
    };
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        co_await socket.read();
        boost::asio::co_spawn(c.executor(), ask(socket), boost::asio::detached);
        hub.broadcast("meanwhile");
        co_await socket.read();
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    send_flood(hub);
    ann.send("ask");
    read_flood(ann);
    for (const char* text : {"meanwhile", "meanwhile", "asked", "asked"})
        CHECK(ann.read_text() == text);  // by two seats
    client.settle();
    CHECK(before == 1);
    CHECK(after == 2);
}

TEST_CASE("hub: a call during a flood may move members whose coming is not told of yet") {
    App app;
    Hub<std::string> hub(app);
    std::map<std::string, Seat*> seats;
    std::string news;
    hub.on_join([&](const auto& who) {
        news += '+' + who.member;
        if (who.member == "bob") seats["carl"]->leave();
    });
    hub.on_leave([&](const auto& who) { news += '-' + who.member; });
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, std::string(c.query("name")));
        seats[std::string(c.query("name"))] = &seat;
        co_await socket.read();
    });
    auto client = test::client_of(app);
    for (int i = 0; i < 10; ++i) send_flood(hub);
    auto bob = client.websocket("/ws?name=bob").connect();
    auto carl = client.websocket("/ws?name=carl").connect();
    REQUIRE(news.empty());  // so that both came in it
    client.settle();
    CHECK(news == "+bob+carl-carl");
    CHECK(hub.size() == 1);
}

TEST_CASE("hub: what it was told before a stop reaches its members, and nothing later") {
    App app;
    Hub<std::string> hub(app);
    serve(app, hub);
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    send_flood(hub);
    auto later = BroadcastResult::taken;
    boost::asio::post(app.executor(), [&] {
        app.stop();
        boost::asio::post(app.executor(), [&] { later = hub.broadcast("too late"); });
    });
    read_flood(ann);
    CHECK_FALSE(ann.read());
    CHECK(ann.close_code() == kvolt::close_code::going_away);
    CHECK(later == BroadcastResult::stopped);
}

TEST_CASE("hub: a seat that has left one of its rooms is still known by its number and its key") {
    struct Known {
        std::string key;
    };
    App app;
    Hub<Known> hub(app);
    kvolt::SeatId number = kvolt::SeatId::none;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, Known{"ann"}, "red");
        number = seat.id();
        seat.enter("blue");
        seat.leave("red");
        co_await socket.read();
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    client.settle();
    hub.send("by key", "ann");
    hub.send("by number", number);
    hub.broadcast("to all");
    CHECK(ann.read_text() == "by key");
    CHECK(ann.read_text() == "by number");
    CHECK(ann.read_text() == "to all");
}

const std::string latin1 = "caf\xE9";

TEST_CASE("hub: text that is not UTF-8 reaches nobody, and whoever sends it is told") {
    struct Known {
        std::string key;
    };
    App app;
    Hub<Known> hub(app, HubOptions().history(5));
    std::vector<BroadcastResult> results;
    std::string refused;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, Known{"ann"}, "red");
        auto all = [](const Known&) { return true; };
        for (kvolt::MessageView message : {kvolt::MessageView(latin1), kvolt::MessageView::bytes(latin1)}) {
            results = {hub.broadcast(message),
                       hub.broadcast(message, "red", BroadcastOptions().coalesce("k")),
                       hub.broadcast_if(message, all, "red"),
                       hub.send(message, seat.id()),
                       hub.send(message, "ann"),
                       seat.broadcast(message),
                       seat.broadcast(message, "red"),
                       seat.send(message)};
            auto expected = message.binary ? BroadcastResult::taken : BroadcastResult::invalid;
            CHECK(results == std::vector(8, expected));
            CHECK(hub.stats().invalid == 8);
            CHECK(hub.stats().messages == (message.binary ? 8 : 0));
        }
        try {
            hub.close_room("red", 4000, latin1);
        } catch (const std::invalid_argument& error) {
            refused = error.what();
        }
        co_await socket.read();
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    for (int i = 0; i < 8; ++i) {
        auto message = ann.read();
        REQUIRE(message);
        CHECK(message->binary);
        CHECK(message->payload == latin1);
    }
    CHECK(refused == "kvolt: the reason of a close must be UTF-8");
    CHECK(ann.waiting() == 0);
    CHECK(ann.close_code() == 0);
}

TEST_CASE("a WebSocket refuses to send text that is not UTF-8, and goes on") {
    App app;
    std::string refused;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        CHECK(socket.send(latin1) == kvolt::SendResult::invalid);
        std::thread([&] { CHECK(socket.send(latin1) == kvolt::SendResult::invalid); }).join();
        CHECK(socket.send(kvolt::MessageView::bytes(latin1)) == kvolt::SendResult::queued);
        try {
            socket.close(4000, latin1);
        } catch (const std::invalid_argument& error) {
            refused = error.what();
        }
        CHECK(socket.is_open());
        socket.close(4000, "caf\xC3\xA9");
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    CHECK(ann.read()->payload == latin1);
    CHECK_FALSE(ann.read());
    CHECK(ann.close_code() == 4000);
    CHECK(ann.close_reason() == "caf\xC3\xA9");
    CHECK(refused == "kvolt: the reason of a close must be UTF-8");
}

TEST_CASE("hub: a socket of another app does not join") {
    App app, other;
    Hub<std::string> hub(other);
    bool refused = false;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        try {
            auto seat = hub.join(socket);
        } catch (const std::logic_error&) {
            refused = true;
        }
    });
    auto client = test::client_of(app);
    auto ann = client.websocket("/ws").connect();
    client.settle();
    CHECK(refused);
    CHECK(hub.size() == 0);
}

}  // namespace
