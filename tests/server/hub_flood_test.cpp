#include "bare_app.hpp"
#include "catch.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/run.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// What one connection may do to a hub, however often it comes, goes, moves, changes and asks.

namespace {

using kvolt::BroadcastOptions;
using kvolt::BroadcastResult;
using kvolt::HubOptions;
using kvolt::MoveResult;
using kvolt::Task;
using test::BareApp;
using test::Blocked;
using test::Client;
using test::FakeConnection;
using test::HubServer;
using test::read_text;

using Names = kvolt::Hub<std::string>;  // members are their names

/// A hub on two loops that tells who comes and goes, with a member on each: `ann` on the first, which gives the order,
/// `eve` on the second. A count of the news tells whether they match.
struct TwoLoops {
    explicit TwoLoops(const HubOptions& options = {}) : hub(bare.app, options) {
        auto news = [this](const char* sign, int step) {
            return [this, sign, step](const Names::Presence& who) {
                there += step;
                auto told = hub.broadcast(sign + who.member, who.room, BroadcastOptions().history(false));
                if (told != BroadcastResult::taken) ++unsaid;
            };
        };
        hub.on_join(news("+", 1)).on_leave(news("-", -1));
        bare.run();
        for (std::size_t i = 0; i < 2; ++i)
            bare.on(i, [&, i] {
                connections.push_back(std::make_unique<FakeConnection>(bare.loop(i)));
                seats.push_back(hub.join(connections[i]->socket(), i == 0 ? "ann" : "eve", "lobby"));
            });
        bare.settle();
    }

    ~TwoLoops() {
        for (std::size_t i = 0; i < 2; ++i)
            bare.on(i, [&] {
                seats[i].leave();
                connections[i].reset();
            });
    }

    /// So many in a row can be said by others.
    void check_others() {
        for (int i = 0; i < 100; ++i) REQUIRE(hub.broadcast("important", "lobby") == BroadcastResult::taken);
    }

    /// All is well again, and nothing was lost.
    void check_end() {
        bare.settle();
        CHECK(unsaid == 0);
        CHECK(there == static_cast<int>(hub.size("lobby") + hub.size("blue")));
        CHECK(hub.stats().refused == 0);
        for (std::size_t i = 0; i < 2; ++i)
            bare.on(i, [&] {
                CHECK(seats[i].enter("green") == MoveResult::done);
                CHECK(seats[i].leave("green") == MoveResult::done);
                CHECK(seats[i].member("another") == MoveResult::done);
            });
        bare.settle();
    }

    BareApp bare{2};
    Names hub;
    std::vector<std::unique_ptr<FakeConnection>> connections;
    std::vector<Names::Seat> seats;
    std::atomic<int> there = 0, unsaid = 0;
};

struct Keyed {
    std::string key;
};

constexpr int many = 20000;  // moves: 2 to 4 MB if they were kept

TEST_CASE("hub: who enters and leaves faster than the first loop can tell is refused, and the others are not") {
    TwoLoops two;
    std::size_t done = 0, busy = 0;
    {
        Blocked blocked(two.bare.loop(0));
        two.bare.on(1, [&] {
            for (int i = 0; i < many; ++i) {
                auto entered = two.seats[1].enter("blue");
                done += entered == MoveResult::done;
                busy += entered == MoveResult::busy;
                CHECK(two.seats[1].leave("blue") ==
                      (entered == MoveResult::done ? MoveResult::done : MoveResult::unchanged));
            }
        });
        two.check_others();
    }
    CHECK(done > 50);
    CHECK(done < 500);
    CHECK(done + busy == many);
    two.check_end();
}

TEST_CASE("hub: what is said of those who come and go is on their account until the slowest loop has it") {
    TwoLoops two;
    std::size_t done = 0;
    {
        Blocked blocked(two.bare.loop(1));
        two.bare.on(0, [&] {
            for (int i = 0; i < many; ++i) {
                done += two.seats[0].enter("blue") == MoveResult::done;
                two.seats[0].leave("blue");
            }
        });
        two.check_others();
    }
    CHECK(done < many);  // if nobody is there to hear it, it costs nothing
    CHECK(done < 500);
    two.check_end();
}

TEST_CASE("hub: who changes what is known of it faster than the first loop can tell is refused") {
    TwoLoops two;
    std::size_t done = 0;
    {
        Blocked blocked(two.bare.loop(0));
        two.bare.on(1, [&] {
            for (int i = 0; i < many; ++i) {
                std::string name = std::to_string(i);
                auto result = two.seats[1].member(name);
                done += result == MoveResult::done;
                CHECK((result == MoveResult::done) == (two.seats[1].member() == name));
            }
        });
        two.check_others();
    }
    CHECK(done > 50);
    CHECK(done < 500);
    two.check_end();
}

TEST_CASE("hub: a socket that joins and leaves faster than the first loop can tell is refused") {
    TwoLoops two;
    std::size_t joined = 0, refused = 0;
    {
        Blocked blocked(two.bare.loop(0));
        two.bare.on(1, [&] {
            for (int i = 0; i < many; ++i) try {
                    auto seat = two.hub.join(two.connections[1]->socket(), "again", "blue");
                    ++joined;
                } catch (const std::system_error& error) {
                    CHECK(error.code() == std::errc::resource_unavailable_try_again);
                    ++refused;
                }
        });
        CHECK(two.hub.size() == 2);
        two.check_others();
    }
    CHECK(joined > 50);
    CHECK(joined < 500);
    CHECK(joined + refused == many);
    two.check_end();
    two.bare.on(1, [&] { CHECK(two.hub.join(two.connections[1]->socket(), "again", "blue")); });
}

TEST_CASE("hub: sockets that come and go faster than the first loop can tell are refused, and nobody who is there") {
    const std::string key(GENERATE(0u, 1000u), 'k');
    TwoLoops two(HubOptions().queue(200000));
    kvolt::Hub<Keyed> keyed(two.bare.app, HubOptions().queue(200000));
    std::size_t joined = 0, refused = 0;
    {
        Blocked blocked(two.bare.loop(0));
        two.bare.on(1, [&] {
            for (int i = 0; i < many; ++i) {
                FakeConnection connection(two.bare.loop(1));
                try {
                    if (key.empty())
                        static_cast<void>(two.hub.join(connection.socket(), "again", "blue"));
                    else
                        static_cast<void>(keyed.join(connection.socket(), {key}, "blue"));
                    ++joined;
                } catch (const std::system_error& error) {
                    CHECK(error.code() == std::errc::resource_unavailable_try_again);
                    ++refused;
                }
            }
            CHECK(two.seats[1].enter("blue") == MoveResult::done);
            CHECK(two.seats[1].member("eva") == MoveResult::done);
            CHECK(two.seats[1].leave("blue") == MoveResult::done);
        });
        two.check_others();
    }
    CHECK(joined > 50);
    CHECK(joined < (key.empty() ? 1000 : 200));
    CHECK(joined + refused == many);
    two.bare.settle();
    two.bare.on(1, [&] {
        CHECK(two.hub.join(two.connections[1]->socket(), "again", "blue"));
        CHECK(keyed.join(two.connections[1]->socket(), {key}, "blue"));
    });
    two.check_end();
}

TEST_CASE("hub: who asks for the members takes no place from those who talk") {
    TwoLoops two(HubOptions().queue(10000));
    std::atomic<int> answered = 0;
    {
        Blocked blocked(two.bare.loop(0));
        auto ask = [&]() -> Task<> {
            auto members = co_await two.hub.members();
            answered += members.size() == 2;
        };
        for (int i = 0; i < 1000; ++i) boost::asio::co_spawn(two.bare.loop(1).executor(), ask, boost::asio::detached);
        two.bare.on(1, [] {});
        for (int i = 0; i < 10; ++i) REQUIRE(two.hub.broadcast("important") == BroadcastResult::taken);
    }
    two.bare.settle();
    CHECK(answered == 1000);
    two.check_end();
}

TEST_CASE("hub: a seat that talks faster than the loops can hear is refused, and the others are not") {
    std::size_t talks = GENERATE(0u, 1u);
    TwoLoops two(HubOptions().queue(1000000));
    const std::string text(1000, 'x');
    int said = 0;
    {
        Blocked blocked(two.bare.loop(1 - talks));
        two.bare.on(talks, [&] {
            Names::Seat& seat = two.seats[talks];
            while (seat.broadcast(text, "lobby") == BroadcastResult::taken) REQUIRE(++said < 1000);
            CHECK(seat.broadcast(text, "lobby") == BroadcastResult::limited);
            CHECK(seat.broadcast(text) == BroadcastResult::limited);
            if (talks == 1) CHECK(seat.send(text) == BroadcastResult::limited);
        });
        two.check_others();
    }
    CHECK(said > 50);
    CHECK(said < 150);
    two.check_end();
    two.bare.on(talks, [&] { CHECK(two.seats[talks].broadcast(text) == BroadcastResult::taken); });
}

TEST_CASE("hub: what its hooks say is never refused") {
    TwoLoops two(HubOptions().queue(1000));
    Blocked other(two.bare.loop(1));
    while (two.hub.broadcast("much to say") == BroadcastResult::taken) two.bare.on(0, [] {});
    const std::uint64_t refused = two.hub.stats().refused;
    two.bare.on(0, [&] {
        CHECK(two.hub.broadcast("too much") == BroadcastResult::full);
        CHECK(two.seats[0].enter("blue") == MoveResult::done);
        CHECK(two.seats[0].leave("blue") == MoveResult::done);
    });
    CHECK(two.unsaid == 0);
    CHECK(two.hub.stats().refused == refused + 1);
}

TEST_CASE("hub: rooms that are closed without end are refused, and the others are not") {
    TwoLoops two(HubOptions().queue(100000));
    Blocked blocked(two.bare.loop(0));
    int taken = 0;
    for (int i = 0; i < many; ++i) taken += two.hub.close_room("green") == BroadcastResult::taken;
    CHECK(taken > 50);
    CHECK(taken < 1000);
    CHECK(two.hub.stats().refused == static_cast<std::uint64_t>(many - taken));
    CHECK(two.hub.broadcast("important") == BroadcastResult::taken);
}

TEST_CASE("hub: a seat is in no more rooms than it may") {
    TwoLoops two(HubOptions().rooms(10));
    for (std::size_t i = 0; i < 2; ++i) {
        two.bare.on(i, [&] {
            Names::Seat& seat = two.seats[i];
            for (int room = 1; room < 10; ++room) CHECK(seat.enter(std::to_string(room)) == MoveResult::done);
            CHECK(seat.enter("10") == MoveResult::too_many_rooms);
            CHECK(seat.enter("9") == MoveResult::unchanged);
            CHECK(seat.leave("1") == MoveResult::done);
            CHECK(seat.leave("1") == MoveResult::unchanged);
            CHECK(seat.enter("10") == MoveResult::done);
            for (int room = 2; room <= 10; ++room) CHECK(seat.leave(std::to_string(room)) == MoveResult::done);
        });
        two.bare.settle();
    }
}

TEST_CASE("hub: a message to many seats of one key counts for each of them") {
    BareApp bare(2);
    kvolt::Hub<Keyed> hub(bare.app, HubOptions().queue(1000000).backlog(1 << 30, 1 << 20));
    bare.run();
    std::unique_ptr<FakeConnection> connection;
    std::vector<kvolt::Hub<Keyed>::Seat> seats;
    bare.on(1, [&] { connection = std::make_unique<FakeConnection>(bare.loop(1)); });
    for (int i = 0; i < 200; ++i) bare.on(1, [&] { seats.push_back(hub.join(connection->socket(), {"key"})); });
    bare.settle();
    int taken = 0;
    {
        Blocked blocked(bare.loop(1));
        for (; hub.send("to all of them", "key") == BroadcastResult::taken; ++taken) {
            REQUIRE(taken < 1000);
            bare.on(0, [] {});
        }
    }
    CHECK(taken > 10);
    CHECK(taken < 100);
    for (int round = 0; round < 10; ++round) bare.settle();  // which takes several turns
    CHECK(hub.stats().deliveries == 200 * static_cast<std::uint64_t>(taken));
    CHECK(hub.send("to all of them", "key") == BroadcastResult::taken);
    bare.on(1, [&] {
        seats.clear();
        connection.reset();
    });
}

TEST_CASE("hub: seats that leave many rooms take turns with what else there is on a loop") {
    constexpr std::size_t seats = 30, rooms = 999;  // and the room of all
    const bool on_its_loop = GENERATE(true, false);
    BareApp bare(2);
    Names hub(bare.app, HubOptions().moves(static_cast<std::size_t>(-1)));
    std::atomic<std::size_t> told = 0;
    hub.on_leave([&](const auto&) { ++told; });
    bare.run();
    std::unique_ptr<FakeConnection> connection;
    std::vector<Names::Seat> all;
    bare.on(1, [&] {
        connection = std::make_unique<FakeConnection>(bare.loop(1));
        for (std::size_t i = 0; i < seats; ++i) {
            all.push_back(hub.join(connection->socket(), "ann"));
            for (std::size_t room = 0; room < rooms; ++room) all[i].enter(std::to_string(room));
        }
    });
    bare.settle();
    auto& slow = bare.loop(on_its_loop ? 0 : 1);
    std::size_t before = 0, most_in_a_turn = 0;
    std::atomic<bool> over = false;
    std::function<void()> look = [&] {
        std::size_t left = on_its_loop ? told / (rooms + 1) : seats - hub.size();
        most_in_a_turn = std::max(most_in_a_turn, left - std::exchange(before, left));
        if (left < seats && !over) boost::asio::post(slow.io(), look);
    };
    {
        Blocked blocked(slow);
        if (on_its_loop)
            bare.on(1, [&] { all.clear(); });
        else
            all.clear();
        for (int round = 0; round < 100; ++round) bare.on(on_its_loop ? 1 : 0, [] {});  // which takes turns, too
        boost::asio::post(slow.io(), look);
    }
    CHECK(test::eventually([&] { return hub.size() == 0 && told == seats * (rooms + 1); }));
    over = true;
    bare.settle();
    CHECK(most_in_a_turn > 0);
    CHECK(most_in_a_turn < seats / 2);
    bare.on(1, [&] { connection.reset(); });
}

TEST_CASE("hub: a client that enters and leaves a room as fast as it can costs the others nothing") {
    HubServer server(HubOptions().slow(kvolt::SlowPolicy::drop_oldest), 2);
    std::atomic<bool> over = false;
    std::atomic<std::size_t> moves = 0;
    server.hub.on_join([&](const auto& who) { server.hub.broadcast('+' + who.member, who.room); });
    server.hub.on_leave([&](const auto& who) { server.hub.broadcast('-' + who.member, who.room); });
    server.app.get("/toggle", [&](kvolt::Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.send(kvolt::detail::Loop::current() == server.app.loops()->front().get() ? "first" : "other");
        auto seat = server.hub.join(socket, "eve");
        while (auto message = co_await socket.read()) {
            if (seat.enter("lobby") == MoveResult::unchanged) seat.leave("lobby");
            ++moves;
        }
    });
    server.go();
    std::vector<Client> clients;
    while (clients.empty() || read_text(clients.back()) != "other") clients.push_back(server.connect("/toggle"));
    Client& eve = clients.back();
    auto ann = server.connect("/ws?name=ann&room=lobby");
    std::size_t heard = 0;
    auto hear = [&](std::string_view what) {
        for (std::string text; text != what; ++heard) text = read_text(ann);
    };
    hear("joined");
    std::thread flood([&] {
        std::string burst;
        for (int i = 0; i < 500; ++i) burst += test::frame(test::text, "x");
        while (!over) eve.send(burst);
    });
    for (int i = 0; i < 300; ++i) {
        std::string text = std::to_string(i);
        REQUIRE(server.hub.broadcast(text, "lobby") == BroadcastResult::taken);
        hear(text);
    }
    CHECK(test::eventually([&] { return moves > 1000; }));
    over = true;
    flood.join();
    CHECK(heard > 300);
    CHECK(server.hub.stats().refused == 0);
}

}  // namespace
