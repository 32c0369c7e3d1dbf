#include "catch.hpp"
#include "crowd.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include "websocket_server.hpp"
#include <kvolt/hub.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using boost::asio::use_awaitable;
using kvolt::BroadcastResult;
using kvolt::Context;
using kvolt::HubOptions;
using kvolt::Limits;
using kvolt::MessageView;
using kvolt::SlowPolicy;
using kvolt::Task;
using kvolt::WebSocket;
using test::Client;
using test::Crowd;
using test::frame;
using test::HubServer;
using test::mebibyte;
using test::Server;
using Names = std::vector<std::string>;

TEST_CASE("hub: members join and leave by scope") {
    HubServer server({}, GENERATE(1, 4));
    server.go();
    CHECK(server.hub.size() == 0);
    {
        auto a = server.join("a");
        CHECK(server.hub.size() == 1);
        auto b = server.join("b"), c = server.join("c", "red");
        CHECK(server.hub.size() == 3);
        CHECK(server.members() == Names{"a", "b", "c"});
        b.send_frame(test::close, "");
        CHECK(server.endings.next() == "1005");
        CHECK(test::eventually([&] { return server.hub.size() == 2; }));
        CHECK(server.members() == Names{"a", "c"});
    }
    CHECK(test::eventually([&] { return server.hub.size() == 0; }));
    CHECK(server.members().empty());
}

TEST_CASE("hub: a broadcast reaches its room; the empty room is everyone") {
    HubServer server({}, GENERATE(1, 4));
    server.go();
    auto none = server.join("none"), red1 = server.join("red1", "red"), red2 = server.join("red2", "red"),
         blue = server.join("blue", "blue");
    server.hub.broadcast("to red", "red");
    server.hub.broadcast("to nobody", "green");
    server.hub.broadcast("to blue", "blue");
    server.hub.broadcast("to everyone");
    for (auto* red : {&red1, &red2}) {
        CHECK(test::read_text(*red) == "to red");
        CHECK(test::read_text(*red) == "to everyone");
    }
    CHECK(test::read_text(blue) == "to blue");
    CHECK(test::read_text(blue) == "to everyone");
    CHECK(test::read_text(none) == "to everyone");
    auto stats = server.hub.stats();
    CHECK(stats.messages == 4);
    CHECK(stats.deliveries == 2 + 1 + 4);
    CHECK(stats.dropped == 0);
    CHECK(stats.disconnected == 0);
}

TEST_CASE("hub: text stays text, binary stays binary, of any size") {
    Limits limits;
    limits.message_size = 2 * mebibyte;
    HubServer server({}, GENERATE(1, 4), limits);
    server.go();
    auto sender = server.join(), other = server.join();
    for (std::size_t size :
         {std::size_t{0}, std::size_t{125}, std::size_t{126}, std::size_t{65535}, std::size_t{65536}, 2 * mebibyte})
        for (int opcode : {test::text, test::binary}) {
            INFO(size << " bytes, opcode " << opcode);
            const std::string payload(size, opcode == test::text ? 'x' : '\xFF');
            sender.send_frame(opcode, payload);
            for (auto* client : {&sender, &other}) {
                auto answer = client->read_frame();
                CHECK(answer.opcode == opcode);
                CHECK((answer.payload == payload));
            }
        }
    server.hub.broadcast(MessageView::bytes("from main"));
    CHECK(other.read_frame().opcode == test::binary);
}

TEST_CASE("hub: broadcasts come from main, from a timer, from other handlers") {
    HubServer server({}, GENERATE(1, 4));
    server.app.get("/shout", [&](Context& c) { server.hub.broadcast(c.query("what")); });
    boost::asio::steady_timer timer(server.app.executor());
    server.go();
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(server.join());
    auto all_get = [&](const std::string& expected) {
        for (Client& client : clients) CHECK(test::read_text(client) == expected);
    };
    server.hub.broadcast("from main");
    all_get("from main");
    timer.expires_after(1ms);
    timer.async_wait([&](boost::system::error_code) { server.hub.broadcast("from a timer"); });
    all_get("from a timer");
    std::vector<Client> shouters;
    for (std::string text : {"first", "second", "third", "fourth"}) {
        shouters.push_back(server.client());
        CHECK(shouters.back().get("/shout?what=" + text).status == 200);
        all_get(text);
    }
    std::thread([&] { server.hub.broadcast("from a thread"); }).join();
    all_get("from a thread");
}

TEST_CASE("hub: what was broadcast before, on any thread, comes before") {
    HubServer server({}, GENERATE(1, 4));
    server.go();
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(server.join());
    for (const auto& loop : *server.app.loops()) {
        boost::asio::post(loop->io(), [&] {
            std::thread([&] { server.hub.broadcast("first"); }).join();
            server.hub.broadcast("second");
        });
        for (Client& client : clients) {
            CHECK(test::read_text(client) == "first");
            CHECK(test::read_text(client) == "second");
        }
    }
}

TEST_CASE("hub: broadcasts that come faster than a loop deals with them are refused, not hoarded") {
    std::size_t threads = GENERATE(1, 4), stuck = GENERATE(0u, 1u);  // the loop that gives the order, or another one
    if (stuck >= threads) return;
    HubServer server(HubOptions().queue(100000), threads);
    server.go();
    std::vector<Client> clients;
    for (std::size_t i = 0; i < threads; ++i) clients.push_back(server.join());
    test::Blocked blocked(*server.app.loops()->at(stuck));
    const std::string filler(1000, 'x');
    std::size_t sent = 0, refused = 0;
    // Those that go by way of another loop are counted a little later.
    while (server.hub.broadcast(std::to_string(sent) + ' ' + filler) == BroadcastResult::taken && ++sent < 1000)
        test::eventually([&] { return stuck == 0 || server.hub.stats().messages == sent; });
    for (; refused < 100; ++refused) CHECK(server.hub.broadcast("too much") == BroadcastResult::full);
    CHECK(sent < 150);
    CHECK(server.hub.stats().refused == refused + 1);
    blocked.release();
    for (Client& client : clients)
        for (std::size_t i = 0; i < sent; ++i) REQUIRE(test::read_text(client).starts_with(std::to_string(i) + ' '));
    CHECK(test::eventually([&] { return server.hub.broadcast("room again") == BroadcastResult::taken; }));
    for (Client& client : clients) CHECK(test::read_text(client) == "room again");
}

TEST_CASE("hub: a sender gets its own messages, in order") {
    HubServer server({}, GENERATE(1, 4));
    server.go();
    auto first = server.join(), sender = server.join(), other = server.join();
    std::string bytes;
    for (int i = 0; i < 300; ++i) bytes += frame(test::text, std::to_string(i));
    sender.send(bytes);
    for (int i = 0; i < 300; ++i) {
        REQUIRE(test::read_text(sender) == std::to_string(i));
        REQUIRE(test::read_text(other) == std::to_string(i));
    }
}

TEST_CASE("hub: members() from any loop sees all loops") {
    HubServer server({}, GENERATE(1, 4));
    server.app.get("/who", [&](Context& c) -> Task<> {
        std::vector<std::string> names = co_await server.hub.members(std::string(c.query("room")));
        std::sort(names.begin(), names.end());
        std::string text;
        for (const auto& name : names) text += name + ' ';
        c.text(text);
    });
    server.go();
    std::vector<Client> members, askers;
    for (char name = 'a'; name < 'i'; ++name) members.push_back(server.join({&name, 1}, name % 2 ? "odd" : "even"));
    for (int i = 0; i < 4; ++i) {
        askers.push_back(server.client());
        CHECK(askers.back().get("/who").body == "a b c d e f g h ");
        CHECK(askers.back().get("/who?room=odd").body == "a c e g ");
        CHECK(askers.back().get("/who?room=nowhere").body == "");
    }
    CHECK(server.members("even") == Names{"b", "d", "f", "h"});
}

TEST_CASE("hub: misuse is an exception") {
    HubServer server({}, 2);
    const std::string longest(255, 'r'), too_long(256, 'r');
    server.app.get("/long", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "", longest);
        std::string result = "fits";
        try {
            auto no_seat = server.hub.join(socket, "", too_long);
        } catch (const std::length_error&) {
            result += " too long";
        }
        socket.send(result);
    });
    server.go();
    CHECK_THROWS_AS(server.hub.broadcast("hi", too_long), std::length_error);
    server.hub.broadcast("hi", longest);
    auto client = server.connect("/long");
    CHECK(test::read_text(client) == "fits too long");

    auto member = server.join();
    auto socket = server.sockets.next();
    CHECK_THROWS_AS(static_cast<void>(server.hub.join(socket)), std::logic_error);
    CHECK(server.hub.size() == 1);
}

TEST_CASE("hub: a seat can be left, moved and taken again, and its member changed") {
    HubServer server({}, GENERATE(1, 4));
    server.app.get("/moves", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        kvolt::Hub<std::string>::Seat seat;
        while (auto command = co_await socket.read()) {
            if (command->payload == "leave") {
                seat.leave();
                seat.leave();
            } else if (command->payload == "rename") {
                seat.member("renamed");
            } else {
                seat = server.hub.join(socket, "mover", command->payload);
            }
            auto moved = std::move(seat);
            seat = std::move(moved);
            socket.send(seat ? seat.room() : "no seat");
        }
    });
    server.go();
    auto client = server.connect("/moves");
    auto tell = [&](std::string_view command) {
        client.send_frame(test::text, command);
        return test::read_text(client);
    };
    CHECK(tell("leave") == "no seat");
    CHECK(tell("red") == "red");
    CHECK(server.members("red") == Names{"mover"});
    CHECK(tell("blue") == "blue");
    CHECK(server.members("red").empty());
    CHECK(server.members("blue") == Names{"mover"});
    CHECK(server.hub.size() == 1);
    CHECK(tell("rename") == "blue");
    CHECK(server.members() == Names{"renamed"});
    CHECK(tell("leave") == "no seat");
    CHECK(server.hub.size() == 0);
    server.broadcast("not for you");
    CHECK(tell("red") == "red");
    server.broadcast("for you");
    CHECK(test::read_text(client) == "for you");
}

TEST_CASE("hub: a socket with several seats leaves with the last of each") {
    HubServer server;
    kvolt::Hub<> second(server.app);
    server.app.get("/two", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto red = server.hub.join(socket, "", "red"), blue = server.hub.join(socket, "", "blue");
        auto other = second.join(socket);
        socket.send("joined");
        while (co_await socket.read()) {
        }
    });
    server.go();
    auto client = server.connect("/two");
    CHECK(test::read_text(client) == "joined");
    CHECK(server.hub.size() == 2);
    server.hub.broadcast("red", "red");
    server.hub.broadcast("blue", "blue");
    second.broadcast("second");
    for (const char* expected : {"red", "blue", "second"}) CHECK(test::read_text(client) == expected);
    client.close();
    CHECK(test::eventually([&] { return server.hub.size() == 0 && second.size() == 0; }));
}

TEST_CASE("hub: a seat outlives its connection, its hub and its app") {
    using Seat = kvolt::Hub<std::string>::Seat;
    test::Reports<Seat> seats;
    std::vector<Seat> kept;
    std::size_t threads = GENERATE(1, 4);
    {
        HubServer server({}, threads);
        server.app.get("/keep", [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            seats.add(server.hub.join(socket, "kept", "red"));
            while (co_await socket.read()) {
            }
        });
        server.go();
        auto gone = server.connect("/keep");
        kept.push_back(seats.next());
        gone.reset();
        auto stays = server.connect("/keep");
        kept.push_back(seats.next());
        server.broadcast("to what is left");
        CHECK(test::read_text(stays) == "to what is left");
        CHECK(server.hub.size() == 2);
        {
            auto another = server.connect("/keep");
            auto left_by_another_thread = seats.next();
            CHECK(server.hub.size() == 3);
        }
        CHECK(test::eventually([&] { return server.hub.size() == 2; }));
    }
    for (Seat& seat : kept) {
        CHECK(seat);
        CHECK(seat.room() == "red");
        CHECK(seat.member() == "kept");
    }
    kept[0].leave();
    CHECK_FALSE(kept[0]);
}

TEST_CASE("hub: other threads leave seats while the app stops and when it has") {
    using Seat = kvolt::Hub<std::string>::Seat;
    test::Reports<Seat> seats;
    HubServer server({}, GENERATE(1, 4));
    server.app.get("/keep", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        seats.add(server.hub.join(socket, "kept", "red"));
        while (co_await socket.read()) {
        }
    });
    server.app.get("/stop", [&](Context&) { server.app.stop(); });
    server.go();
    std::vector<Seat> kept;
    {
        std::vector<Client> clients;
        for (int i = 0; i < 32; ++i) {
            clients.push_back(server.connect("/keep"));
            kept.push_back(seats.next());
        }
        server.client().get("/stop");
        for (int i = 0; i < 8; ++i) kept[i].leave();
        for (Client& client : clients) {
            CHECK(test::closing(client) == "1001");
            client.send_frame(test::close, test::close_payload(1001));
            CHECK(client.ended());
        }
    }
    std::this_thread::sleep_for(50ms);  // the loops end now, which nothing tells before stop() has waited for them
    for (int i = 8; i < 16; ++i) kept[i].leave();
    server.app.stop();
    std::jthread other([&] {
        for (int i = 16; i < 24; ++i) kept[i].leave();
    });
    for (int i = 24; i < 32; ++i) kept[i].leave();
    other.join();
    CHECK(server.hub.size() == 0);
}

TEST_CASE("hub: nobody there, not yet, no more") {
    std::optional<kvolt::Hub<>> hub;
    Server server({}, GENERATE(1, 4));
    hub.emplace(server.app);
    server.app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub->join(socket);
        socket.send("joined");
        while (co_await socket.read()) {
        }
    });
    hub->broadcast("before the start");
    server.start();
    hub->broadcast("to nobody");
    CHECK(test::eventually([&] { return hub->stats().messages == 2; }));
    CHECK(hub->stats().deliveries == 0);
    {
        auto client = server.connect();
        CHECK(test::read_text(client) == "joined");
        hub->broadcast("now");
        CHECK(test::read_text(client) == "now");
    }
    server.app.stop();
    hub->broadcast("after the stop");
    CHECK(hub->size() == 0);
    CHECK(hub->stats().deliveries == 1);
    hub.reset();
}

TEST_CASE("hub: its end stops the app") {
    auto server = std::make_unique<HubServer>(HubOptions(), GENERATE(1, 4));
    server->go();
    std::vector<Client> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(server->join());
    auto destroyed = std::async(std::launch::async, [&] { server.reset(); });
    for (Client& client : clients) {
        CHECK(test::closing(client) == "1001");
        client.send_frame(test::close, test::close_payload(1001));
        CHECK(client.ended());
        client.close();
    }
    destroyed.get();
}

TEST_CASE("hub: handlers that wait for each other's loops are destroyed cleanly") {
    Limits limits;
    limits.drain_timeout = 100ms;
    HubServer server({}, 4, limits);
    server.app.get("/busy", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "busy", "red");
        socket.send("joined");
        for (;;) {
            co_await boost::asio::post(c.executor(), use_awaitable);
            co_await server.hub.members();
        }
    });
    server.go();
    std::vector<Client> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(server.connect("/busy"));
        CHECK(test::read_text(clients.back()) == "joined");
    }
    server.app.stop();
    CHECK(server.hub.size() == 0);
}

// Order

TEST_CASE("hub: 20 talk at once to 1,000, and all get everything once, in one order") {
    std::size_t threads = GENERATE(1, 4);
    const std::size_t size =
        std::min<std::size_t>(test::sanitized ? 200 : 1000, (test::raise_descriptor_limit() - 300) / 2);
    constexpr std::size_t senders = 20, each = 50, total = senders * each;
    HubServer server({}, threads);
    server.go();

    std::vector<std::string> order;  // as the first to get each message tells it
    std::vector<std::size_t> got(size);
    std::size_t joined = 0, finished = 0, wrong = 0;
    Crowd crowd(server.app.port(), [&](std::size_t member, int, std::string_view payload) {
        if (payload == "joined") {
            ++joined;
            return;
        }
        std::size_t place = got[member]++;
        if (place == order.size()) order.emplace_back(payload);
        if (place >= order.size() || order[place] != payload) ++wrong;
        finished += got[member] == total;
    });
    for (std::size_t i = 0; i < size; ++i) crowd.join("/ws?room=all");
    REQUIRE(crowd.run_until([&] { return joined == size; }));
    CHECK(server.hub.size() == size);

    for (std::size_t sender = 0; sender < senders; ++sender)
        for (std::size_t i = 0; i < each; ++i)
            crowd.send(sender, frame(test::text, std::to_string(sender) + ':' + std::to_string(i)));
    REQUIRE(crowd.run_until([&] { return finished == size; }));

    CHECK(wrong == 0);
    std::vector<std::size_t> next(senders);
    for (const std::string& message : order) {
        std::size_t colon = message.find(':'), sender = std::stoul(message);
        REQUIRE(message.substr(colon + 1) == std::to_string(next[sender]++));
    }
    CHECK(order.size() == total);
    auto stats = server.hub.stats();
    CHECK(stats.messages == total);
    CHECK(stats.deliveries == total * size);
    CHECK(stats.dropped == 0);
}

TEST_CASE("hub: while 500 come, go and move, what each gets is a contiguous piece of its room's one order") {
    constexpr std::size_t size = test::sanitized ? 100 : 500, rounds = test::sanitized ? 10 : 30, outside = 20;
    const std::vector<std::string> rooms{"red", "blue"};
    test::raise_descriptor_limit();
    HubServer server({}, 4);
    server.app.get("/order", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "", c.query("room"));
        socket.send("joined");
        while (auto message = co_await socket.read()) {
            std::string room = seat.room();
            if (message->payload == "move") {
                seat.leave(room);
                seat.enter(room == "red" ? "blue" : "red");
                socket.send("left " + room);
            } else {
                server.hub.broadcast(room + ' ' + message->payload, room);
            }
        }
    });
    server.go();

    struct Piece {
        std::string room;
        std::vector<std::string> messages = {};
    };
    std::vector<std::vector<Piece>> current(size, {{"red"}, {"blue"}});
    std::vector<Piece> pieces;
    auto end = [&](std::size_t member, std::string_view room) {
        for (Piece& piece : current[member])
            if (piece.room == room && !piece.messages.empty())
                pieces.push_back({piece.room, std::exchange(piece.messages, {})});
    };
    std::size_t joined = 0, joins = 0, sent = 0, witnessed = 0, ended = 0;
    Crowd crowd(server.app.port(), [&](std::size_t member, int, std::string_view payload) {
        if (payload == "joined") {
            ++joined;
        } else if (payload.starts_with("left ")) {
            end(member, payload.substr(5));
        } else {
            for (Piece& piece : current[member])
                if (payload.starts_with(piece.room)) piece.messages.emplace_back(payload);
            witnessed += member < rooms.size();
            ended += payload.ends_with(" end");
        }
    });
    for (std::size_t i = 0; i < size; ++i) crowd.join("/order?room=" + rooms[i % 2]);
    joins = size;
    REQUIRE(crowd.run_until([&] { return joined == joins; }));

    for (std::size_t round = 0; round < rounds; ++round) {
        auto broadcast = [&](const std::string& sender) {
            for (std::size_t i = 0; i < outside; ++i) {
                const std::string& room = rooms[i % 2];
                server.hub.broadcast(room + ' ' + sender + ' ' + std::to_string(round * outside + i), room);
            }
        };
        std::jthread thread([&] { broadcast("thread"); });
        for (std::size_t i = rooms.size(); i < size; ++i) {  // before them there is a witness in each room
            if (i % 5 == 0) {
                crowd.send(i, frame(test::text, std::to_string(i) + ' ' + std::to_string(round)));
                ++sent;
            } else if (i % 5 == 1 && i % rounds == round) {
                crowd.leave(i, i % 2 == 0);
                for (const std::string& room : rooms) end(i, room);
                crowd.rejoin(i, "/order?room=" + rooms[round % 2]);
                ++joins;
            } else if (i % 5 == 2 && i % 7 == round % 7) {
                crowd.send(i, frame(test::text, "move"));
            }
        }
        broadcast("main");
        sent += 2 * outside;
        REQUIRE(crowd.run_until([&] { return witnessed == sent; }));
    }
    REQUIRE(crowd.run_until([&] { return joined == joins; }));
    for (const std::string& room : rooms) server.hub.broadcast(room + " end", room);
    REQUIRE(crowd.run_until([&] { return ended == size; }));

    std::map<std::string, std::size_t> places;
    for (std::size_t room = 0; room < rooms.size(); ++room) {
        std::map<std::string, int> latest;  // of each sender
        const auto& order = current[room][room].messages;
        for (const std::string& message : order) {
            REQUIRE(places.emplace(message, places.size()).second);
            std::size_t space = message.rfind(' ');
            if (message == order.back()) continue;
            int number = std::stoi(message.substr(space));
            REQUIRE(std::exchange(latest.try_emplace(message.substr(0, space), -1).first->second, number) < number);
        }
    }
    CHECK(places.size() == sent + rooms.size());
    for (std::size_t member = 0; member < size; ++member)
        for (const std::string& room : rooms) end(member, room);
    CHECK(pieces.size() > size);
    for (const Piece& piece : pieces)
        for (std::size_t i = 0; i < piece.messages.size(); ++i)
            REQUIRE(places.at(piece.messages[i]) == places.at(piece.messages[0]) + i);
    CHECK(server.hub.stats().dropped == 0);
}

// Slow members

/// A hub with one member that does not read, and numbered broadcasts of 20 kB.
struct SlowMember {
    static constexpr std::size_t bytes = 100000, message_size = 20000;

    explicit SlowMember(SlowPolicy policy, bool by_bytes) : server(options(policy, by_bytes)) {
        server.go();
        client.emplace(server.join("slow", "", 4096));
        socket.emplace(server.sockets.next());
    }

    static HubOptions options(SlowPolicy policy, bool by_bytes) {
        HubOptions options;
        options.slow(policy);
        if (by_bytes)
            options.backlog(bytes, 1000000);
        else
            options.backlog(1000 * mebibyte, 5);
        return options;
    }

    void broadcast() { server.broadcast(std::to_string(sent++) + ' ' + std::string(message_size, 'x')); }

    /// The number of the next message that the member gets.
    std::size_t receive() {
        auto text = test::read_text(*client);
        REQUIRE((text == std::to_string(std::stoul(text)) + ' ' + std::string(message_size, 'x')));
        return std::stoul(text);
    }

    HubServer server;
    std::optional<Client> client;
    std::optional<WebSocket> socket;
    std::size_t sent = 0;
};

TEST_CASE("hub: disconnect closes a slow member with 1013, after what it has begun to get") {
    SlowMember slow(SlowPolicy::disconnect, GENERATE(true, false));
    auto& hub = slow.server.hub;
    auto other = slow.server.join("other");
    while (hub.stats().disconnected == 0) {
        slow.broadcast();
        REQUIRE(test::read_text(other).starts_with(std::to_string(slow.sent - 1)));
        REQUIRE(slow.sent < 20000);
    }
    CHECK(slow.server.endings.next() == "1013 too slow");
    CHECK(test::eventually([&] { return hub.size() == 1; }));
    CHECK(slow.server.members() == Names{"other"});
    auto stats = hub.stats();
    CHECK(stats.disconnected == 1);
    CHECK(stats.deliveries == 2 * slow.sent - 1);

    test::Frame next;
    std::size_t received = 0;
    while ((next = slow.client->read_frame()).opcode == test::text)
        REQUIRE(next.payload.starts_with(std::to_string(received++) + ' '));
    CHECK(received > 0);
    CHECK(received < slow.sent);
    CHECK(received + stats.dropped == slow.sent);
    CHECK(test::close_code(next.payload) == 1013);
    slow.client->send_frame(test::close, test::close_payload(1013));
    CHECK(slow.client->ended());
    slow.broadcast();
    CHECK(hub.stats().deliveries == stats.deliveries + 1);
}

TEST_CASE("hub: a slow member that was closed and still does not read costs no CPU time") {
    HubServer server(HubOptions().backlog(64 * 1024, 100));
    server.go();
    auto slow = server.join("slow", "", 4096);
    const std::string message(500, 'x');
    for (int sent = 0; server.hub.stats().disconnected == 0; ++sent) {
        REQUIRE(sent < 1000000);
        server.hub.broadcast(message);
        if (sent % 50 == 0) server.settle();
    }
    CHECK(server.endings.next() == "1013 too slow");
    auto before = std::clock();
    std::this_thread::sleep_for(300ms);
    CHECK(std::clock() - before < CLOCKS_PER_SEC / 10);
}

TEST_CASE("hub: drop_newest keeps what came first") {
    SlowMember slow(SlowPolicy::drop_newest, GENERATE(true, false));
    auto& hub = slow.server.hub;
    while (hub.stats().dropped < 20) slow.broadcast();
    auto stats = hub.stats();
    CHECK(stats.disconnected == 0);
    CHECK(stats.messages == slow.sent);
    CHECK(stats.deliveries == slow.sent - stats.dropped);
    for (std::size_t i = 0; i < stats.deliveries; ++i) REQUIRE(slow.receive() == i);
    slow.broadcast();
    CHECK(slow.receive() == slow.sent - 1);
}

TEST_CASE("hub: drop_oldest keeps what came last, and finishes what was begun") {
    bool by_bytes = GENERATE(true, false);
    SlowMember slow(SlowPolicy::drop_oldest, by_bytes);
    auto& hub = slow.server.hub;
    while (hub.stats().dropped < 20) slow.broadcast();
    if (by_bytes) {
        slow.server.broadcast(std::string(2 * SlowMember::bytes, 'x'));  // fits nowhere, and costs the others nothing
        CHECK(hub.stats().dropped == 21);
        slow.broadcast();
    }
    auto stats = hub.stats();
    CHECK(stats.disconnected == 0);
    std::size_t received = 0, last = 0, gaps = 0;
    for (; received < stats.messages - stats.dropped; ++received) {
        std::size_t number = slow.receive();
        if (received > 0) {
            REQUIRE(number > last);
            gaps += number - last - 1;
        }
        last = number;
    }
    CHECK(last == slow.sent - 1);
    CHECK(gaps == stats.dropped - (by_bytes ? 1 : 0));
    slow.broadcast();
    CHECK(slow.receive() == slow.sent - 1);
}

TEST_CASE("hub: what was sent to one socket directly is never dropped for a broadcast") {
    SlowMember slow(SlowPolicy::drop_oldest, true);
    auto& hub = slow.server.hub;
    while (hub.stats().dropped == 0) slow.broadcast();
    slow.broadcast();
    slow.socket->send("direct");
    for (int i = 0; i < 30; ++i) slow.broadcast();
    slow.client->send_frame(test::text, "ignored by nobody, so a broadcast, too");
    std::string text;
    do text = test::read_text(*slow.client);
    while (text.size() > SlowMember::message_size);
    CHECK(text == "direct");
}

TEST_CASE("hub: 20 of 200 never read, and cost the others nothing") {
    auto policy = GENERATE(SlowPolicy::disconnect, SlowPolicy::drop_newest, SlowPolicy::drop_oldest);
    std::size_t threads = GENERATE(1, 4);
    constexpr std::size_t size = test::sanitized ? 40 : 200, slow = size / 10, message_size = 32768;
    const std::string filler(message_size, 'x');
    test::raise_descriptor_limit();
    HubServer server(HubOptions().slow(policy).backlog(256 * 1024, 1000), threads);
    server.go();

    std::vector<std::size_t> got(size);
    std::size_t joined = 0, wrong = 0, sent = 0, in_step = 0;
    Crowd crowd(server.app.port(), [&](std::size_t member, int, std::string_view payload) {
        if (payload == "joined") {
            ++joined;
            return;
        }
        if (!payload.starts_with(std::to_string(got[member]++) + ' ')) ++wrong;
        in_step += got[member] == sent;
    });
    for (std::size_t i = 0; i < size; ++i) crowd.join("/ws", i < slow ? 4096 : 0);
    REQUIRE(crowd.run_until([&] { return joined == size; }));
    for (std::size_t i = 0; i < slow; ++i) crowd.read(i, false);

    auto enough = [&] {
        auto stats = server.hub.stats();
        return policy == SlowPolicy::disconnect ? stats.disconnected == slow : stats.dropped > 20 * slow;
    };
    std::size_t before = 0;
    while (!enough()) {
        REQUIRE(sent < 2000);
        in_step = 0;
        server.hub.broadcast(std::to_string(sent++) + ' ' + filler);
        REQUIRE(crowd.run_until([&] { return in_step == size - slow; }));
        if (sent == 5) before = test::resident_bytes();
    }
    CHECK(wrong == 0);
    if (!test::sanitized) CHECK(test::resident_bytes() < before + slow * 1024 * 1024);
    if (policy == SlowPolicy::disconnect) {
        CHECK(test::eventually([&] { return server.hub.size() == size - slow; }));
        for (std::size_t i = 0; i < slow; ++i) CHECK(server.endings.next() == "1013 too slow");
    }
    CHECK(server.hub.stats().disconnected == (policy == SlowPolicy::disconnect ? slow : 0));
    CHECK(server.endings.empty());
}

// Storm

TEST_CASE("hub: rounds of join and leave during a storm of broadcasts") {
    std::size_t threads = GENERATE(1, 4);
    HubServer server(HubOptions().backlog(64 * 1024, 64), threads);
    server.app.get("/moving", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "moving", "red");
        socket.send("joined");
        while (auto message = co_await socket.read()) {
            seat = server.hub.join(socket, "moving", seat.room() == "red" ? "blue" : "red");
            server.hub.broadcast(*message, seat.room());
            std::vector<std::string> names = co_await server.hub.members("red");
            socket.send(std::to_string(names.size()));
        }
    });
    server.go();

    std::atomic<std::size_t> sent = 0;
    auto storm = [&](std::stop_token over, std::string_view room) {
        while (!over.stop_requested()) {
            for (int i = 0; i < 5; ++i) server.hub.broadcast("storm", room);
            sent += 5;
            std::this_thread::sleep_for(1ms);
            test::eventually([&] { return over.stop_requested() || server.hub.stats().messages + 100 > sent; });
        }
    };
    std::vector<std::jthread> storms;
    for (std::string_view room : {"", "red", "blue"}) storms.emplace_back(storm, room);

    std::size_t joined = 0, stormed = 0;
    Crowd crowd(server.app.port(), [&](std::size_t, int, std::string_view payload) {
        joined += payload == "joined";
        stormed += payload == "storm";
    });
    constexpr std::size_t size = 24;
    for (std::size_t i = 0; i < size; ++i) crowd.join(i % 2 ? "/moving" : "/ws?room=red");
    constexpr std::size_t rounds = test::sanitized ? 100 : 500;
    for (std::size_t round = 0; round < rounds; ++round) {
        REQUIRE(crowd.run_until([&] { return joined == size + round; }));
        std::size_t member = round * 7 % size;
        for (std::size_t i = 0; i < size; i += 3) crowd.send(i, frame(test::text, "move"));
        if (round % 3 == 0) crowd.send(member, frame(test::close, test::close_payload(1000)));
        crowd.leave(member, round % 3 == 1);
        crowd.rejoin(member, round % 2 ? "/moving" : "/ws?room=blue");
    }
    storms.clear();
    CHECK(stormed > 500);
    for (std::size_t i = 0; i < size; ++i) crowd.leave(i);
    CHECK(test::eventually([&] { return server.hub.size() == 0; }));
    CHECK(server.log.empty());
}

}  // namespace
