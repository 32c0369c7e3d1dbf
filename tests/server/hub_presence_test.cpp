#include "catch.hpp"
#include "crowd.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include <kvolt/hub.hpp>
#include <kvolt/run.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

// Who is there: the calls on_join and on_leave, members(), and their place in the order.

namespace {

using kvolt::BroadcastOptions;
using kvolt::Context;
using kvolt::Task;
using test::Client;
using test::Crowd;
using test::frame;
using test::HubServer;
using test::read_text;

using Presence = kvolt::Hub<std::string>::Presence;

/// Tells everybody in a room who enters and leaves it: `+ann red`, `-ann red`.
struct PresenceServer : HubServer {
    explicit PresenceServer(std::size_t threads) : HubServer({}, threads) {
        auto news = [this](const char* sign) {
            return [this, sign](const Presence& who) {
                hub.broadcast(sign + who.member + ' ' + std::string(who.room), who.room);
            };
        };
        hub.on_join(news("+")).on_leave(news("-"));
        app.get("/seat", [this](Context& c) -> Task<> {  // says nothing of its own
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, std::string(c.query("name")), c.query("room"));
            co_await socket.read();
        });
    }

    Client sit(const std::string& name, const std::string& room) {
        return connect("/seat?name=" + name + "&room=" + room);
    }
};

TEST_CASE("hub: joins and leaves are told, in the order of the broadcasts") {
    PresenceServer server(GENERATE(1, 4));
    server.app.get("/moves", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "max", "red");
        server.hub.broadcast("max is here", "red");
        co_await socket.read();
        seat.enter("blue");
        seat.member("moritz");
        server.hub.broadcast("moritz is here", "blue");
        seat.leave("red");
        co_await socket.read();
    });
    server.go();
    auto red = server.sit("r", "red");
    CHECK(read_text(red) == "+r red");
    auto blue = server.sit("b", "blue");
    CHECK(read_text(blue) == "+b blue");
    auto roomless = server.sit("e", "");
    for (Client* client : {&red, &blue, &roomless}) CHECK(read_text(*client) == "+e ");

    auto max = server.connect("/moves");
    for (Client* client : {&red, &max})
        for (const char* expected : {"+max red", "max is here"}) CHECK(read_text(*client) == expected);
    max.send_frame(test::text, "go on");
    for (Client* client : {&max, &blue})
        for (const char* expected : {"+max blue", "moritz is here"}) CHECK(read_text(*client) == expected);
    CHECK(read_text(red) == "-moritz red");
    max.send_frame(test::text, "go away");
    CHECK(read_text(blue) == "-moritz blue");
    roomless.close();
    for (Client* client : {&red, &blue}) CHECK(read_text(*client) == "-e ");
}

TEST_CASE("hub: what its calls throw is logged, and ends nothing") {
    HubServer server({}, GENERATE(1, 4));
    server.hub.on_join([](const Presence& who) { throw std::runtime_error("no " + who.member); });
    server.go();
    auto client = server.join("ann");
    CHECK(server.log.next() == "kvolt: an exception left what a hub has called: no ann");
    auto wants = [](const std::string& name) {
        if (name == "ann") throw 42;
        return true;
    };
    server.hub.broadcast_if("not for ann", wants);
    CHECK(server.log.next() ==
          "kvolt: an exception left what a hub has called: an exception that is no std::exception");
    server.hub.broadcast("still here");
    CHECK(read_text(client) == "still here");
    CHECK_THROWS_AS(server.hub.on_leave([](const Presence&) {}), std::logic_error);
}

TEST_CASE("hub: its calls may use it") {
    PresenceServer server(GENERATE(1, 4));
    kvolt::Hub<> other(server.app);
    server.hub.on_join([&](const Presence& who) {
        server.hub.send("welcome", who.seat);
        server.hub.broadcast("+" + who.member, who.room, BroadcastOptions().except(who.seat));
        std::thread([&] { server.hub.broadcast("from another thread", "blue"); }).join();
        other.broadcast("to another hub");
        if (who.member == "bad") server.hub.close_room(who.room, 4000);
        CHECK(server.hub.size(who.room) > 0);
    });
    server.go();
    auto ann = server.sit("ann", "red");
    CHECK(read_text(ann) == "welcome");
    auto blue = server.sit("blue", "blue");
    CHECK(read_text(blue) == "welcome");
    CHECK(read_text(blue) == "from another thread");
    auto bad = server.sit("bad", "red");
    CHECK(read_text(bad) == "welcome");
    for (Client* client : {&ann, &bad}) {
        if (client == &ann) CHECK(read_text(*client) == "+bad");
        CHECK(test::closing(*client) == "4000");
    }
}

TEST_CASE("hub: a list of members and the news behind it never disagree") {
    std::size_t threads = GENERATE(1, 4);
    constexpr std::size_t size = test::sanitized ? 24 : 60, rounds = test::sanitized ? 150 : 600;
    PresenceServer server(threads);
    server.app.get("/who", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        std::string name(c.query("name"));
        auto seat = server.hub.join(socket, name, "red");
        server.hub.broadcast('!' + name + " 0", "red");
        for (int i = 1;; ++i) {
            std::vector<std::string> names = co_await server.hub.members("red");
            std::string list = "=";
            for (const auto& there : names) list += there + ' ';
            socket.send(list);
            if (!co_await socket.read()) co_return;
            server.hub.broadcast('!' + name + ' ' + std::to_string(i), "red");
        }
    });
    server.go();

    struct View {
        bool knows = false;  // has got a list
        std::set<std::string> there;
        std::map<std::string, int> said;
    };
    std::vector<View> views;
    std::size_t lists = 0, expected_lists = 0, wrong = 0, news = 0;
    Crowd crowd(server.app.port(), [&](std::size_t member, int, std::string_view text) {
        View& view = views[member];
        std::string name(text.substr(1, text.find(' ') - 1));
        switch (text[0]) {
            case '=': {
                std::set<std::string> listed;
                for (auto rest = text.substr(1); !rest.empty(); rest.remove_prefix(rest.find(' ') + 1))
                    wrong += !listed.emplace(rest.substr(0, rest.find(' '))).second;
                wrong += view.knows && listed != view.there;
                view.there = std::move(listed);
                view.knows = true;
                ++lists;
                break;
            }
            case '+':
                ++news;
                wrong += view.knows && !view.there.insert(name).second;
                view.said[name] = 0;
                break;
            case '-':
                ++news;
                wrong += view.knows && view.there.erase(name) == 0;
                view.said.erase(name);
                break;
            case '!': {
                wrong += view.knows && !view.there.contains(name);
                auto said = view.said.find(name);
                if (said != view.said.end())
                    wrong += std::stoi(std::string(text.substr(text.find(' ')))) != said->second++;
            }
        }
    });
    std::size_t names = 0;
    auto path = [&] { return "/who?name=" + std::to_string(++names); };
    views.resize(size);
    for (std::size_t i = 0; i < size; ++i) crowd.join(path());
    expected_lists = size;
    REQUIRE(crowd.run_until([&] { return lists == expected_lists; }));
    for (std::size_t round = 0; round < rounds; ++round) {
        std::size_t leaver = round * 7 % size;
        crowd.leave(leaver, round % 3 == 0);
        views[leaver] = View();
        crowd.rejoin(leaver, path());
        ++expected_lists;
        for (std::size_t i = round % 5; i < size; i += 5) {
            if (!views[i].knows) continue;
            crowd.send(i, frame(test::text, "who"));
            ++expected_lists;
        }
        if (round % 2) REQUIRE(crowd.run_until([&] { return lists >= expected_lists - size / 2; }));
        crowd.run_once();
        // What a member that leaves had asked for may be answered or not.
        if (round % 10 == 9) {
            crowd.run_until([&] { return lists == expected_lists; }, std::chrono::milliseconds(50));
            expected_lists = lists;
        }
    }
    CHECK(wrong == 0);
    CHECK(news > rounds);
    for (std::size_t i = 0; i < size; ++i) crowd.leave(i);
    CHECK(test::eventually([&] { return server.hub.size() == 0 && server.members().empty(); }));
    CHECK(server.log.empty());
}

TEST_CASE("hub: members() from a thread that is no loop of the app") {
    HubServer server({}, GENERATE(1, 4));
    server.go();
    auto ann = server.join("ann"), bob = server.join("bob", "red");
    boost::asio::io_context other;
    auto names = boost::asio::co_spawn(other, server.hub.members(), boost::asio::use_future);
    auto red = boost::asio::co_spawn(other, server.hub.members("red"), boost::asio::use_future);
    other.run();
    auto all = names.get();
    std::sort(all.begin(), all.end());
    CHECK(all == std::vector<std::string>{"ann", "bob"});
    CHECK(red.get() == std::vector<std::string>{"bob"});
}

TEST_CASE("hub: members() of an app that has stopped is an exception that says so") {
    std::size_t threads = GENERATE(1, 4);
    HubServer server({}, threads);
    server.go();
    auto client = server.join("ann");
    client.close();
    server.app.stop();
    for (int i = 0; i < 2; ++i) try {
            kvolt::run(server.hub.members());
            FAIL("a list");
        } catch (const std::system_error& error) {
            CHECK(error.code() == std::errc::operation_canceled);
            CHECK(std::string_view(error.what()).starts_with("kvolt: Hub::members() of an app that has stopped"));
        }
}

TEST_CASE("hub: members() asked for while the app stops is a list or an exception, never silence") {
    constexpr int rounds = test::sanitized ? 5 : 20;
    for (int round = 0; round < rounds; ++round) {
        HubServer server({}, GENERATE(1, 4));
        server.go();
        auto client = server.join("ann");
        std::atomic<int> lists = 0;
        std::thread asking([&] {
            auto ask = [&]() -> Task<> {
                for (;; ++lists) co_await server.hub.members();
            };
            CHECK_THROWS_AS(kvolt::run(ask()), std::system_error);
        });
        while (lists < 10) std::this_thread::yield();
        client.close();
        server.app.stop();
        asking.join();
    }
}

TEST_CASE("hub: members() may be asked for on another loop while the app starts") {
    constexpr int rounds = test::sanitized ? 5 : 20;
    for (int round = 0; round < rounds; ++round) {
        kvolt::App app;
        app.threads(16);
        kvolt::Hub<std::string> hub(app);
        app.listen("127.0.0.1:0");
        std::atomic<bool> asks = false;
        std::size_t listed = 1;
        std::thread asking([&] {
            auto ask = [&]() -> Task<std::size_t> {
                asks = true;
                co_return (co_await hub.members()).size();
            };
            listed = kvolt::run(ask());
        });
        while (!asks) {
        }
        app.start();
        asking.join();
        CHECK(listed == 0);
        app.stop();
    }
}

}  // namespace
