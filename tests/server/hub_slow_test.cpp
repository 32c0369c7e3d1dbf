#include "bare_app.hpp"
#include "catch.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include <kvolt/hub.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Members that do not read: what replaces what, what is told, and settings of one seat.

namespace {

using kvolt::BroadcastOptions;
using kvolt::Context;
using kvolt::Hub;
using kvolt::HubOptions;
using kvolt::SeatId;
using kvolt::SlowPolicy;
using kvolt::Task;
using test::BareApp;
using test::Client;
using test::FakeConnection;
using test::HubServer;
using test::mebibyte;
using test::read_text;

const std::string filler(20000, 'x');

std::string price(int round, char name) { return name + std::to_string(round) + ' ' + filler; }

TEST_CASE("hub: a slow member gets the latest of each key, and what has none in order") {
    HubServer server(HubOptions().backlog(10 * 1024 * 1024, 1000), GENERATE(1, 4));
    server.go();
    auto slow = server.join("slow", "", 4096), other = server.join("other");
    int round = 0;
    for (; server.hub.stats().coalesced < 100; ++round) {
        REQUIRE(round < 20000);
        for (char name : {'a', 'b', 'c'}) {
            server.hub.broadcast(price(round, name), "", BroadcastOptions().coalesce(std::string(1, name)));
            REQUIRE(read_text(other) == price(round, name));
        }
        server.hub.broadcast("plain " + std::to_string(round));
        REQUIRE(read_text(other) == "plain " + std::to_string(round));
    }
    server.hub.broadcast("end");
    std::map<char, int> latest;
    int plain = 0;
    std::size_t got = 1;
    for (std::string text; (text = read_text(slow)) != "end"; ++got) {
        if (text.starts_with("plain")) {
            REQUIRE(text == "plain " + std::to_string(plain++));
        } else {
            int number = std::stoi(text.substr(1));
            REQUIRE(text == price(number, text[0]));
            auto [known, first] = latest.emplace(text[0], number);
            if (!first) REQUIRE(std::exchange(known->second, number) < number);
        }
    }
    CHECK(plain == round);
    for (char name : {'a', 'b', 'c'}) CHECK(latest[name] == round - 1);
    auto stats = server.hub.stats();
    CHECK(stats.dropped == 0);
    CHECK(stats.disconnected == 0);
    CHECK(got + stats.coalesced == stats.messages);
    CHECK(stats.deliveries == 2 * stats.messages);
}

TEST_CASE("hub: coalesced messages keep a slow member within its limits") {
    HubServer server(HubOptions().backlog(100000, 1000), GENERATE(1, 4));
    server.go();
    auto slow = server.join("slow", "", 4096);
    for (int i = 0; server.hub.stats().coalesced < 1000; ++i) {
        REQUIRE(i < 20000);
        server.hub.broadcast(price(i, 'a'), "", BroadcastOptions().coalesce("a"));
        server.settle();
    }
    CHECK(server.hub.stats().disconnected == 0);
    CHECK(server.hub.size() == 1);
}

TEST_CASE("hub: a member that falls behind and catches up is told of, on its loop") {
    test::Reports<std::string> news;
    std::size_t threads = GENERATE(1, 4);
    HubServer server(HubOptions().slow(SlowPolicy::drop_newest).backlog(200000, 1000), threads);
    auto told = [&](std::string what) {
        return [&, what](SeatId seat, const std::string& name) {
            news.add(what + name + (seat == SeatId::none ? "?" : ""));
            if (kvolt::detail::Loop::current() == nullptr) news.add("not on a loop");
            server.hub.broadcast(what, "red");  // it may use the hub
        };
    };
    server.hub.on_behind(told("behind ")).on_caught_up(told("caught up "));
    server.go();
    auto watcher = server.join("watcher", "red");
    auto slow = server.join("slow", "", 4096);
    for (std::uint64_t time = 1; time <= 2; ++time) {
        int sent = 0;
        for (; server.hub.stats().dropped < time * 5; ++sent) {
            REQUIRE(sent < 20000);
            server.hub.broadcast_if(filler, [](const std::string& name) { return name == "slow"; });
            server.settle();
        }
        CHECK(news.next() == "behind slow");
        CHECK(read_text(watcher) == "behind ");
        CHECK(news.empty());
        CHECK(server.hub.stats().behind == time);
        for (std::size_t i = time * 5; i < static_cast<std::size_t>(sent) + time * 5 - 5; ++i) read_text(slow);
        CHECK(news.next() == "caught up slow");
        CHECK(read_text(watcher) == "caught up ");
        CHECK(news.empty());
    }
    CHECK(server.hub.stats().disconnected == 0);
}

TEST_CASE("hub: a member that is gone does not catch up") {
    test::Reports<std::string> news;
    HubServer server(HubOptions().slow(SlowPolicy::drop_newest).backlog(200000, 1000), GENERATE(1, 4));
    server.hub.on_behind([&](SeatId, const std::string&) { news.add("behind"); })
        .on_caught_up([&](SeatId, const std::string&) { news.add("caught up"); });
    server.go();
    {
        auto slow = server.join("slow", "", 4096);
        while (server.hub.stats().dropped == 0) server.broadcast(filler);
        CHECK(news.next() == "behind");
    }
    CHECK(test::eventually([&] { return server.hub.size() == 0; }));
    CHECK(news.empty());
}

TEST_CASE("hub: seats that come and go while their socket is slow leave nothing behind") {
    constexpr int rounds = test::sanitized ? 1000 : 50000;  // which took 16 MB when each left a little
    BareApp bare(1);
    Hub<std::string> hub(bare.app, HubOptions().slow(SlowPolicy::drop_oldest).backlog(4000, 20));
    std::string news;
    hub.on_behind([&](SeatId, const std::string&) { news = "behind"; });
    hub.on_caught_up([&](SeatId, const std::string& name) { news = "caught up " + name; });
    bare.run();
    bare.on(0, [&] {
        FakeConnection connection(bare.loop(0));
        connection.room = 0;
        auto rejoin = [&](int i) {
            auto seat = hub.join(connection.socket(), std::to_string(i), "red");
            hub.broadcast(std::string(500, 'x'), "red");
            connection.flush();
            return seat;
        };
        std::optional<Hub<std::string>::Seat> kept(rejoin(0));
        for (int i = 0; i < 100; ++i) rejoin(i);
        std::size_t before = test::resident_bytes();
        for (int i = 0; i < rounds; ++i) rejoin(i);
        if (!test::sanitized) CHECK(test::resident_bytes() < before + 2 * mebibyte);
        CHECK(hub.stats().behind > static_cast<std::uint64_t>(rounds));
        CHECK(news == "behind");
    });
    bare.stop();
}

TEST_CASE("hub: a seat may have a policy and limits of its own") {
    HubServer server(HubOptions().slow(SlowPolicy::disconnect).backlog(100000, 1000), GENERATE(1, 4));
    server.app.get("/patient", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "patient");
        seat.slow(SlowPolicy::drop_oldest).backlog(50000, 3);
        socket.send("joined");
        co_await socket.read();
    });
    server.go();
    auto patient = server.connect("/patient", 4096);
    CHECK(read_text(patient) == "joined");
    auto slow = server.join("slow", "", 4096);
    int sent = 0;
    while (server.hub.stats().disconnected == 0 || server.hub.stats().dropped < 200) {
        REQUIRE(sent < 20000);
        server.broadcast(price(sent++, 'a'));
    }
    CHECK(server.endings.next() == "1013 too slow");
    CHECK(test::eventually([&] { return server.hub.size() == 1; }));
    int last = -1, received = 0;
    while (last < sent - 1) {
        auto text = read_text(patient);
        int number = std::stoi(text.substr(1));
        REQUIRE(text == price(number, 'a'));
        REQUIRE(std::exchange(last, number) < number);
        ++received;
    }
    CHECK(received < sent);
    CHECK(server.hub.stats().disconnected == 1);
}

}  // namespace
