#include "bare_app.hpp"
#include "catch.hpp"
#include "memory.hpp"
#include <kvolt/hub.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

// A hub on bare loops, on threads that have no memory for a moment.

namespace {

using kvolt::MoveResult;
using test::BareApp;
using test::FakeConnection;
using test::Memory;

using Hub = kvolt::Hub<std::string>;

struct LoopsWithHub {
    explicit LoopsWithHub(std::size_t loops) : bare(loops), hub(bare.app) {
        hub.on_join([this](const auto& who) {
            ++came;
            news += '+' + who.member;
        });
        hub.on_leave([this](const auto& who) {
            ++went;
            news += '-' + who.member;
        });
    }

    ~LoopsWithHub() {
        if (connection) bare.on(where, [&] { connection.reset(); });
    }

    /// On the loop.
    void join(std::size_t loop, const char* name = "ann") {
        where = loop;
        connection = std::make_unique<FakeConnection>(bare.loop(loop));
        seat.emplace(hub.join(connection->socket(), name, "red"));
    }

    void leave_without_memory() {
        Memory::fail(1, true);
        Memory::Armed armed;
        seat->leave();
    }

    std::size_t members(const std::string& room = {}) {
        return boost::asio::co_spawn(bare.app.executor(), hub.members(room), boost::asio::use_future).get().size();
    }

    void check_empty() {
        bare.settle();
        CHECK(news == "+ann-ann");
        CHECK(hub.size() == 0);
        CHECK(hub.size("red") == 0);
        CHECK(members() == 0);
    }

    BareApp bare;
    Hub hub;
    std::string news;  // of the first loop
    int came = 0, went = 0;
    std::unique_ptr<FakeConnection> connection;
    std::optional<Hub::Seat> seat;
    std::size_t where = 0;
};

TEST_CASE("a seat is left without memory, on its loop and on others") {
    for (std::size_t joins : {0u, 1u})
        for (std::size_t leaves : {0u, 1u, 2u}) {  // 2 is a thread that is no loop
            CAPTURE(joins, leaves);
            LoopsWithHub t(2);
            t.bare.run();
            t.bare.on(joins, [&] { t.join(joins); });
            t.bare.settle();
            if (leaves == 2)
                t.leave_without_memory();
            else
                t.bare.on(leaves, [&] { t.leave_without_memory(); });
            t.check_empty();
        }
}

TEST_CASE("a leave without memory does not overtake the enter that waits before it") {
    for (std::size_t loop : {0u, 1u}) {
        LoopsWithHub t(2);
        boost::asio::post(t.bare.loop(loop).io(), [&] {
            t.join(loop);
            t.leave_without_memory();
        });
        t.hub.broadcast("from another thread");  // something waits for the first loop
        t.bare.run();
        t.check_empty();
    }
}

TEST_CASE("a hook lets a seat go without memory") {
    LoopsWithHub t(1);
    t.hub.on_join([&](const auto& who) {
        t.news += '+' + who.member;
        if (who.member == "bob") t.leave_without_memory();
    });
    t.bare.run();
    FakeConnection* other = nullptr;
    t.bare.on(0, [&] {
        t.join(0);
        FakeConnection connection(t.bare.loop(0));
        other = &connection;
        auto bob = t.hub.join(other->socket(), "bob", "red");
    });
    t.bare.settle();
    CHECK(t.news == "+ann+bob-ann-bob");
    CHECK(t.members() == 0);
}

TEST_CASE("one who falls behind by the history of a room that there is no memory to enter catches up") {
    for (std::size_t loop : {0u, 1u})
        for (std::uint64_t n = 1, failed = 1; failed; ++n) {
            CAPTURE(loop, n);
            BareApp bare(2);
            Hub hub(bare.app, kvolt::HubOptions().history(50).slow(kvolt::SlowPolicy::drop_oldest).backlog(60000, 20));
            std::string told;
            hub.on_behind([&](kvolt::SeatId, const std::string&) { told += '-'; });
            hub.on_caught_up([&](kvolt::SeatId, const std::string&) { told += '+'; });
            bare.run();
            for (int i = 0; i < 15; ++i) hub.broadcast("of the past", "blue");
            bare.settle();
            std::unique_ptr<FakeConnection> connection;
            std::optional<Hub::Seat> seat;
            bare.on(loop, [&] {
                connection = std::make_unique<FakeConnection>(bare.loop(loop));
                connection->room = 1;
                seat.emplace(hub.join(connection->socket(), "ann", "red"));
                hub.broadcast("now");
            });
            bare.settle();
            bare.on(loop, [&] {
                connection->flush();
                Memory::fail(n, false);
                try {
                    Memory::Armed armed;
                    seat->enter("blue");
                } catch (const std::bad_alloc&) {
                }
                failed = Memory::failed();
                seat->enter("blue");
                connection->outbox().drain([](const auto& bytes) { return boost::asio::buffer_size(bytes); });
                connection->peer->tell_drained();
            });
            bare.settle();
            bare.on(loop, [&] {
                CHECK((told == "-+" || connection->aborted));
                CHECK((failed || !connection->aborted));
                seat.reset();
                connection.reset();
            });
            bare.settle();
            REQUIRE(n < 1000);
        }
}

TEST_CASE("seats that are left without memory when the app has ended leave nothing") {
    LoopsWithHub t(1);
    t.bare.run();
    t.bare.on(0, [&] { t.join(0); });
    t.bare.stop();
    clear(*t.bare.app.loops());
    t.leave_without_memory();
    CHECK(t.hub.size() == 0);
    t.connection.reset();
}

TEST_CASE("a move that waits for its place, and then finds no memory there, closes its connection") {
    const std::string room = "a room whose name needs memory of its own", name = "a name that needs memory of its own";
    for (std::uint64_t n = 1, failed = 1; failed; ++n) {
        CAPTURE(n);
        LoopsWithHub t(2);
        t.bare.app.logger([](std::string_view) {});
        t.bare.run();
        t.bare.on(1, [&] { t.join(1); });
        t.bare.settle();
        {
            test::Blocked blocked(t.bare.loop(0));
            boost::asio::post(t.bare.loop(0).io(), [&] {
                Memory::fail(n, false);
                Memory::arm(true);
            });
            t.bare.on(1, [&] {
                CHECK(t.seat->enter(room) == MoveResult::done);
                CHECK(t.seat->member(name) == MoveResult::done);
            });
            boost::asio::post(t.bare.loop(0).io(), [&] {
                Memory::arm(false);
                failed = Memory::failed();
            });
        }
        t.bare.settle();
        bool closed = t.connection->peer->over();
        CHECK((closed || t.members(room) == 1));
        if (!failed) CHECK_FALSE(closed);
        t.bare.on(1, [&] {
            t.seat->leave(room);
            t.seat->leave();
        });
        t.bare.settle();
        CHECK(t.hub.size() == 0);
        CHECK(t.members() == 0);
        CHECK(t.members(room) == 0);
        CHECK(t.came == t.went);
        REQUIRE(n < 1000);
    }
}

struct User {
    std::string key, name;
};

TEST_CASE(
    "a join that waits for its place, and then finds no memory there, is told to nobody and closes its connection") {
    const std::string room = "a room whose name needs memory of its own";
    for (bool lasting : {false, true})
        for (std::uint64_t n = 1, failed = 1; failed; ++n) {
            CAPTURE(lasting, n);
            BareApp bare(2);
            bare.app.logger([](std::string_view) {});
            kvolt::Hub<User> hub(bare.app);
            std::string news, gone;
            hub.on_join([&](const auto& who) { news += who.member.name; });
            hub.on_leave([&](const auto& who) { gone += who.member.name; });
            auto members = [&](const std::string& where) {
                return boost::asio::co_spawn(bare.app.executor(), hub.members(where), boost::asio::use_future).get();
            };
            bare.run();
            std::unique_ptr<FakeConnection> connection;
            std::optional<kvolt::Hub<User>::Seat> seat;
            {
                test::Blocked blocked(bare.loop(0));
                boost::asio::post(bare.loop(0).io(), [&] {
                    Memory::fail(n, lasting);
                    Memory::arm(true);
                });
                bare.on(1, [&] {
                    connection = std::make_unique<FakeConnection>(bare.loop(1));
                    seat.emplace(hub.join(connection->socket(), {"a key that needs memory of its own", "ann"}, "red"));
                    CHECK(seat->enter(room) == MoveResult::done);
                    CHECK(seat->member({"another key that needs memory", "ann"}) == MoveResult::done);
                });
                boost::asio::post(bare.loop(0).io(), [&] {
                    Memory::arm(false);
                    failed = Memory::failed();
                });
            }
            bare.settle();
            bool closed = connection->peer->over();
            CHECK((news == "annann" || (closed && (news == "ann" || news == ""))));
            CHECK(members("").size() == (news.empty() ? 0 : 1));
            CHECK(members(room).size() == (news == "annann" ? 1 : 0));
            if (!failed) CHECK_FALSE(closed);
            bare.on(1, [&] {
                seat.reset();
                connection.reset();
            });
            bare.settle();
            CHECK(gone == news);
            CHECK(hub.size() == 0);
            CHECK(members("").empty());
            REQUIRE(n < 1000);
        }
}

TEST_CASE("whoever misses a message for want of memory is closed, and no history has a gap") {
    const std::string room = "a room whose name needs memory of its own",
                      text = "a message that needs memory of its own";
    const std::string key = "a key that needs memory of its own";
    using UserHub = kvolt::Hub<User>;
    enum What { to_room, coalesced, to_key, by_predicate, close };
    const auto say = [&](UserHub& hub, What what) {
        switch (what) {
            case to_room: return hub.broadcast(text, room);
            case coalesced: return hub.broadcast(text, room, kvolt::BroadcastOptions().coalesce(key));
            case to_key: return hub.send(text, std::string_view(key));
            case by_predicate:
                return hub.broadcast_if(
                    text, [](const User&) { return true; }, room);
            default: return hub.close_room(room, 4000, "for a reason that needs memory of its own");
        }
    };
    struct Joined {
        std::unique_ptr<FakeConnection> connection;
        UserHub::Seat seat;
        std::string got() const { return connection->messages(); }
        bool closed() const { return connection->aborted || connection->peer->over(); }
    };
    enum Short { first_loop, other_loop, caller };  // of memory
    for (What what : {to_room, coalesced, to_key, by_predicate, close})
        for (Short whose : {first_loop, other_loop, caller})
            for (bool said_before : {false, true})
                for (bool lasting : {false, true})
                    for (std::uint64_t n = 1, failed = 1; failed; ++n) {
                        CAPTURE(what, whose, said_before, lasting, n);
                        BareApp bare(3);
                        bare.app.logger([](std::string_view) {});
                        UserHub hub(bare.app, kvolt::HubOptions().history(10));
                        bare.run();
                        Joined joined[5];  // two before, on two loops; two behind it; one with another key
                        const auto join = [&](int i) {
                            const std::size_t loop = i == 4 ? 1 : i % 2;
                            bare.on(loop, [&] {
                                joined[i].connection = std::make_unique<FakeConnection>(bare.loop(loop));
                                auto socket = joined[i].connection->socket();
                                joined[i].seat = hub.join(socket, {i == 4 ? "other" : key, "ann"}, room);
                            });
                        };
                        join(0);
                        join(1);
                        if (what == to_key) join(4);
                        if (said_before) hub.broadcast("before", room);
                        bare.settle();
                        auto result = kvolt::BroadcastResult::stopped;
                        const auto try_it = [&] {
                            Memory::fail(n, lasting);
                            try {
                                Memory::Armed armed;
                                result = say(hub, what);
                            } catch (const std::bad_alloc&) {
                            }
                            failed = Memory::failed();
                        };
                        if (whose == caller) {
                            bare.on(0, try_it);
                        } else {
                            auto& loop = bare.loop(whose == first_loop ? 0 : 1);
                            test::Blocked blocked(loop);
                            boost::asio::post(loop.io(), [&] {
                                Memory::fail(n, lasting);
                                Memory::arm(true);
                            });
                            result = say(hub, what);
                            if (whose == other_loop) bare.on(0, [] {});
                            boost::asio::post(loop.io(), [&] {
                                Memory::arm(false);
                                failed = Memory::failed();
                            });
                        }
                        bare.settle();
                        hub.broadcast("behind", room);
                        bare.settle();
                        const bool taken = result == kvolt::BroadcastResult::taken;
                        if (!failed) CHECK(taken);
                        const std::string before = said_before ? " before" : "", said = taken ? ' ' + text : "";
                        for (int i : {0, 1})
                            bare.on(i, [&] {
                                if (what == close) CHECK(joined[i].closed() == taken);
                                if (what == close || joined[i].closed()) return;
                                CHECK(joined[i].got() == before + said + " behind");
                            });
                        join(2);
                        join(3);
                        bare.settle();
                        const bool kept = what == to_room || what == coalesced;
                        std::string history = before + (kept ? said : "") + " behind";
                        if (what == close && taken) history = " behind";
                        for (int i : {2, 3})
                            bare.on(i % 2, [&] {
                                CHECK(!joined[i].closed());
                                CHECK(history.ends_with(joined[i].got()));
                                if (!failed) CHECK(joined[i].got() == history);
                            });
                        bare.on(1, [&] {
                            if (what == to_key) CHECK(!joined[4].closed());
                            joined[4] = {};
                        });
                        for (int i : {0, 1, 2, 3}) bare.on(i % 2, [&] { joined[i] = {}; });
                        bare.settle();
                        CHECK(hub.size() == 0);
                        REQUIRE(n < 1000);
                    }
}

TEST_CASE("who has no memory to leave a room, or to enter one, is where he was") {
    LoopsWithHub t(1);
    t.bare.run();
    t.bare.on(0, [&] {
        t.join(0);
        for (bool waits : {false, true}) {
            if (waits) std::thread([&] { t.hub.broadcast("something waits"); }).join();
            auto without_memory = [&](const std::function<void()>& move) {
                for (std::uint64_t n = 1;; ++n) {
                    Memory::fail(n, false);
                    bool failed = false;
                    try {
                        Memory::Armed armed;
                        move();
                    } catch (const std::bad_alloc&) {
                        failed = true;
                    }
                    if (!Memory::failed()) return;
                    if (failed) CHECK(t.seat->rooms() == std::vector<std::string>{"red"});
                    t.seat->leave("blue");
                    t.seat->enter("red");
                }
            };
            without_memory([&] { t.seat->leave("red"); });
            t.seat->enter("red");
            without_memory([&] { t.seat->enter("blue"); });
            t.seat->leave("blue");
        }
        t.seat->leave();
    });
    t.bare.settle();
    CHECK(t.came == t.went);
    CHECK(t.members() == 0);
}

}  // namespace
