#include "bare_app.hpp"
#include "catch.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// Hubs without a server, several of them, and what lives longer than what.

namespace {

using kvolt::App;
using kvolt::BroadcastResult;
using kvolt::Context;
using kvolt::Hub;
using kvolt::HubOptions;
using kvolt::Task;
using kvolt::WebSocket;
using test::BareApp;
using test::Client;
using test::FakeConnection;
using test::HubServer;
using test::read_text;

TEST_CASE("hub: it works on loops that no server runs") {
    std::size_t loops = GENERATE(1u, 3u);
    BareApp bare(loops);
    Hub<std::string> hub(bare.app, HubOptions().history(2));
    hub.on_join([&](const auto& who) { hub.broadcast('+' + who.member, who.room); });
    hub.broadcast("before", "red");
    CHECK(hub.size() == 0);
    bare.run();
    struct Place {
        std::unique_ptr<FakeConnection> connection;
        std::optional<Hub<std::string>::Seat> seat;
    };
    std::vector<Place> places(loops);
    for (std::size_t i = 0; i < loops; ++i) {
        bare.on(0, [] {});
        bare.on(i, [&] {
            Place& place = places[i];
            place.connection = std::make_unique<FakeConnection>(*bare.app.loops()->at(i));
            place.seat.emplace(hub.join(place.connection->socket(), std::to_string(i), "red"));
        });
        bare.on(0, [] {});
    }
    hub.broadcast("to all", "red");
    for (std::size_t i = 0; i < loops; ++i) bare.on(i, [] {});
    std::string joins;
    for (std::size_t i = 0; i < loops; ++i) joins += " +" + std::to_string(i);
    for (std::size_t i = 0; i < loops; ++i) {
        std::string got = bare.on(i, [&] { return places[i].connection->messages(); });
        std::string all = " before" + joins + " to all";  // of which it got the last two of the past, and the rest
        CHECK(all.ends_with(got));
        CHECK(got.size() >= std::string(" +0 to all").size());
    }
    CHECK(hub.size("red") == loops);
    CHECK(hub.stats().messages == loops + 2);
    for (std::size_t i = 0; i < loops; ++i)
        bare.on(i, [&] {
            places[i].seat.reset();
            places[i].connection.reset();
        });
    CHECK(hub.size() == 0);
    bare.stop();
}

TEST_CASE(
    "hub: who asks for the members and then joins misses nobody who comes between, also as the first on its loop") {
    BareApp bare(2);
    Hub<std::string> hub(bare.app);
    hub.on_join([&](const auto& who) { hub.broadcast('+' + who.member); });
    bare.run();
    auto &home = *bare.app.loops()->at(0), &other = *bare.app.loops()->at(1);
    std::unique_ptr<FakeConnection> asker, between;
    std::optional<Hub<std::string>::Seat> first, second;
    std::promise<void> asked, go_on;
    std::promise<std::vector<std::string>> listed;
    auto ask_and_join = [&]() -> Task<> {
        asker = std::make_unique<FakeConnection>(other);
        auto list = co_await hub.members();
        second.emplace(hub.join(asker->socket(), "second"));
        listed.set_value(std::move(list));
    };
    boost::asio::post(other.io(), [&] {  // in one go: the answer must not come before the loop is blocked
        boost::asio::co_spawn(other.executor(), ask_and_join, boost::asio::detached);
        asked.set_value();
        go_on.get_future().wait();
    });
    asked.get_future().wait();
    bare.on(0, [] {});  // where the question is answered
    bare.on(0, [&] {
        between = std::make_unique<FakeConnection>(home);
        first.emplace(hub.join(between->socket(), "first"));
    });
    go_on.set_value();
    auto list = listed.get_future().get();
    bare.on(0, [] {});
    std::string got = bare.on(1, [&] { return asker->messages(); });
    CHECK((list.empty() ? " +first +second" : " +second") == got);
    bare.on(0, [&] { first.reset(), between.reset(); });
    bare.on(1, [&] { second.reset(), asker.reset(); });
    bare.stop();
}

TEST_CASE("hub: an app that never runs, and what waits for it") {
    boost::asio::io_context other;
    std::future<std::vector<std::string>> names;
    {
        App app;
        Hub<std::string> hub(app, HubOptions().history(10));
        hub.on_join([&](const auto& who) { hub.broadcast(who.member); });
        for (int i = 0; i < 10; ++i) CHECK(hub.broadcast("nobody", "red") == BroadcastResult::taken);
        hub.close_room("red");
        hub.send("nobody", kvolt::SeatId{1});
        names = boost::asio::co_spawn(other, hub.members(), boost::asio::use_future);
        other.poll();
        CHECK(hub.size() == 0);
        CHECK(hub.stats().messages == 0);
    }
    other.run();
    CHECK_THROWS_AS(names.get(), std::system_error);
}

TEST_CASE("hub: a loop that ends waits for what its hubs have taken on, and from then on they refuse") {
    std::size_t loops = GENERATE(1u, 3u);
    BareApp bare(loops);
    Hub<std::string> hub(bare.app);
    bare.run();
    std::uint64_t ordered = 0;
    std::promise<void> ended;
    {
        test::Blocked blocked(bare.loop(0));
        boost::asio::post(bare.loop(0).io(), [&] {  // as App::stop() does, ahead of what comes now
            bare.loop(0).end_turns(std::chrono::seconds(10), [&] {
                ordered = hub.stats().messages;
                ended.set_value();
            });
        });
        for (int i = 0; i < 20000; ++i) REQUIRE(hub.broadcast("in time") == BroadcastResult::taken);  // several turns
    }
    ended.get_future().wait();
    CHECK(ordered == 20000);
    CHECK(hub.broadcast("too late") == BroadcastResult::stopped);
    CHECK(bare.on(0, [&] { return hub.broadcast("too late"); }) == BroadcastResult::stopped);
    CHECK(hub.close_room("") == BroadcastResult::stopped);
    bare.stop();
}

TEST_CASE("hub: what was taken reaches the members before a stop closes them, on whatever loops") {
    constexpr int rounds = test::sanitized ? 5 : 20;
    std::size_t threads = GENERATE(1, 3);
    for (int round = 0; round < rounds; ++round) {
        HubServer server({}, threads);
        server.go();
        std::vector<Client> clients;
        for (std::size_t i = 0; i < threads; ++i) clients.push_back(server.join());
        std::atomic<int> taken = 0;
        std::thread broadcasting([&] {
            while (server.hub.broadcast(std::to_string(taken)) == BroadcastResult::taken) {
                ++taken;
                std::this_thread::yield();
            }
        });
        while (taken < 20) std::this_thread::yield();
        auto stopped = std::async(std::launch::async, [&] { server.app.stop(); });
        broadcasting.join();
        for (Client& client : clients) {
            for (int i = 0; i < taken; ++i) REQUIRE(read_text(client) == std::to_string(i));
            REQUIRE(test::closing(client) == "1001");
            client.send_frame(test::close, test::close_payload(1001));
        }
        clients.clear();  // or the stop waits for each to close its connection
        stopped.get();
        CHECK(server.hub.stats().deliveries == static_cast<std::uint64_t>(taken) * threads);
    }
}

TEST_CASE("hub: what a hard end has cut off is counted") {
    BareApp bare(2);
    Hub<std::string> hub(bare.app);
    bare.run();
    std::unique_ptr<FakeConnection> connection;
    std::optional<Hub<std::string>::Seat> seat;
    bare.on(1, [&] {
        connection = std::make_unique<FakeConnection>(bare.loop(1));
        seat.emplace(hub.join(connection->socket(), "ann"));
    });
    bare.settle();
    {
        test::Blocked blocked(bare.loop(1));
        for (int i = 0; i < 3; ++i) REQUIRE(hub.broadcast("in order") == BroadcastResult::taken);
        hub.broadcast("not for her", {}, kvolt::BroadcastOptions().except(seat->id()));
        bare.on(0, [] {});
        test::Blocked home(bare.loop(0));
        for (int i = 0; i < 5; ++i) REQUIRE(hub.broadcast("never in order") == BroadcastResult::taken);
        for (std::size_t i = 0; i < 2; ++i) bare.loop(i).stop();
    }
    bare.stop();
    clear(*bare.app.loops());
    CHECK(hub.stats().messages == 4);
    CHECK(hub.stats().dropped == 3);
    CHECK(hub.stats().refused == 5);
    CHECK(hub.broadcast("after") == BroadcastResult::stopped);
    seat.reset();
    connection.reset();
}

TEST_CASE("hub: seats are left on another thread while what there is of their app is destroyed") {
    BareApp bare(2);
    Hub<std::string> hub(bare.app);
    bare.run();
    std::vector<std::shared_ptr<FakeConnection>> connections;
    std::vector<Hub<std::string>::Seat> seats;
    for (std::size_t i = 0; i < 200; ++i)
        bare.on(i % 2, [&] {
            connections.push_back(std::make_shared<FakeConnection>(bare.loop(i % 2)));
            seats.push_back(hub.join(connections[i]->socket(), "ann", "red"));
        });
    bare.stop();
    for (auto& connection : connections) {  // as handlers that have not ended do, each keeps its own
        auto& io = connection->loop().io();
        boost::asio::post(io, [kept = std::move(connection)] {});
    }
    for (const auto& loop : *bare.app.loops()) loop->close();
    std::thread leaving([&] {
        for (auto& seat : seats) seat.leave();
    });
    clear(*bare.app.loops());
    leaving.join();
    CHECK(hub.size() == 0);
    CHECK(hub.size("red") == 0);
}

TEST_CASE("hub: it may outlive its app") {
    std::optional<App> app(std::in_place);
    Hub<std::string> hub(*app);
    Hub<> other(*app);
    CHECK(hub.broadcast("before") == BroadcastResult::taken);
    app.reset();
    for (const char* text : {"after", "after, too"}) CHECK(hub.broadcast(text) == BroadcastResult::stopped);
    hub.close_room("red");
    CHECK(hub.send("after", kvolt::SeatId{1}) == BroadcastResult::stopped);
    CHECK(hub.size() == 0);
    CHECK(hub.stats().messages == 0);
}

TEST_CASE("hub: several hubs share a socket and an app, and each has its own order") {
    HubServer server({}, GENERATE(1, 4));
    std::vector<std::unique_ptr<Hub<>>> hubs;
    for (int i = 0; i < 3; ++i) hubs.push_back(std::make_unique<Hub<>>(server.app, HubOptions().history(5)));
    server.app.get("/all", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        std::vector<Hub<>::Seat> seats;
        for (auto& hub : hubs) seats.push_back(hub->join(socket));
        socket.send("joined");
        while (auto message = co_await socket.read())
            for (auto& hub : hubs) hub->broadcast(*message);
    });
    server.go();
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(server.connect("/all"));
        CHECK(read_text(clients.back()) == "joined");
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < hubs.size(); ++i)
        threads.emplace_back([&, i] {
            for (int j = 0; j < 100; ++j) hubs[i]->broadcast(std::to_string(i) + ' ' + std::to_string(j));
        });
    for (std::thread& thread : threads) thread.join();
    for (Client& client : clients) {
        std::vector<int> next(hubs.size());
        for (std::size_t i = 0; i < 100 * hubs.size(); ++i) {
            auto text = read_text(client);
            REQUIRE(text.substr(2) == std::to_string(next.at(static_cast<std::size_t>(text[0] - '0'))++));
        }
    }
    auto destroyed = std::async(std::launch::async, [&] { hubs[1].reset(); });  // which stops the app
    for (Client& client : clients) {
        CHECK(test::closing(client) == "1001");
        client.send_frame(test::close, test::close_payload(1001));
        client.close();
    }
    destroyed.get();
}

TEST_CASE("hub: members leave with news of it while the app stops, and when it has") {
    test::Reports<Hub<std::string>::Seat> seats;
    std::atomic<int> left = 0;
    std::vector<Hub<std::string>::Seat> kept;
    {
        HubServer server(HubOptions().history(5), GENERATE(1, 4));
        server.hub.on_leave([&](const auto& who) {
            ++left;
            server.hub.broadcast('-' + who.member);
        });
        server.app.get("/keep", [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            seats.add(server.hub.join(socket, "kept", "red"));
            while (co_await socket.read()) {
            }
        });
        server.go();
        std::vector<Client> clients;
        for (int i = 0; i < 5; ++i) clients.push_back(server.join(std::to_string(i), "red"));
        for (int i = 0; i < 5; ++i) {
            clients.push_back(server.connect("/keep"));
            kept.push_back(seats.next());
        }
        std::thread closing([&] {
            for (Client& client : clients) {
                test::closing(client);
                client.send_frame(test::close, test::close_payload(1001));
                client.close();
            }
        });
        server.app.stop();
        closing.join();
        CHECK(left <= 5);
        CHECK(server.hub.size() == 5);
    }
    for (auto& seat : kept) CHECK(seat.member() == "kept");
    kept.clear();
}

TEST_CASE("hub: a broadcast from a signal handler's coroutine") {
    HubServer server({}, GENERATE(1, 4));
    boost::asio::signal_set signals(server.app.executor(), SIGUSR1);
    auto wait = [](boost::asio::signal_set& set, Hub<std::string>& hub) -> Task<> {
        co_await set.async_wait(boost::asio::use_awaitable);
        hub.broadcast("a signal");
        co_await boost::asio::post(set.get_executor(), boost::asio::use_awaitable);
        hub.broadcast("and more");
    };
    boost::asio::co_spawn(server.app.executor(), wait(signals, server.hub), boost::asio::detached);
    server.go();
    auto client = server.join();
    std::raise(SIGUSR1);
    CHECK(read_text(client) == "a signal");
    CHECK(read_text(client) == "and more");
}

TEST_CASE("hub: seats come and go in what it calls") {
    // A seat that lives in the hub's own callbacks: the one who falls behind is put into another room there.
    std::size_t threads = GENERATE(1, 4);
    HubServer server(HubOptions().slow(kvolt::SlowPolicy::drop_newest).backlog(100000, 1000), threads);
    struct Mine {
        Hub<std::string>::Seat seat;
    };
    std::atomic<Mine*> slow = nullptr;
    std::atomic<int> moved = 0;
    server.hub.on_behind([&](kvolt::SeatId, const std::string&) {
        slow.load()->seat.leave("fast");
        slow.load()->seat.enter("slow");
        ++moved;
    });
    server.app.get("/moved", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        Mine mine{server.hub.join(socket, "slow", "fast")};
        slow = &mine;
        socket.send("joined");
        co_await socket.read();
    });
    server.go();
    auto client = server.connect("/moved", 4096);
    CHECK(read_text(client) == "joined");
    for (int i = 0; moved == 0; ++i) {
        REQUIRE(i < 20000);
        server.broadcast(std::string(20000, 'x'), "fast");
    }
    CHECK(server.hub.size("fast") == 0);
    CHECK(server.hub.size("slow") == 1);
    CHECK(server.members("slow") == std::vector<std::string>{"slow"});
}

}  // namespace

TEST_CASE("hub: members that are killed in the middle of a message, sent or received, harm nobody") {
    HubServer server(HubOptions().slow(kvolt::SlowPolicy::drop_oldest), GENERATE(1, 4));
    server.go();
    auto witness = server.join("witness");
    auto in_order = std::async(std::launch::async, [&] {
        for (std::int64_t last = -1;;) {
            std::string text = test::read_text(witness);
            if (text == "last") return true;
            std::int64_t number = std::stoll(text);
            if (number <= last) return false;
            last = number;
        }
    });
    const std::string whole = test::frame(test::text, std::string(3000, 'k'));
    std::int64_t number = 0;
    for (std::size_t i = 0; i < 40; ++i) {
        server.settle();
        auto client = server.join("victim", "", 4096);
        for (int n = 0; n < 20; ++n) server.hub.broadcast(std::to_string(number++) + std::string(5000, 'm'));
        client.send(whole.substr(0, whole.size() * (i % 4) / 4));
        client.read(i * 100);  // a part of a message, mostly
        client.reset();
    }
    server.broadcast("last");
    CHECK(in_order.get());
    CHECK(test::eventually([&] { return server.hub.size() == 1; }));
    CHECK(server.members() == std::vector<std::string>{"witness"});
}
