#include "catch.hpp"
#include "crowd.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include <kvolt/hub.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// What those who come later get.

namespace {

using kvolt::BroadcastOptions;
using kvolt::Context;
using kvolt::HubOptions;
using kvolt::Task;
using test::Client;
using test::Crowd;
using test::frame;
using test::HubServer;
using test::read_text;

/// The route `/seat?name=NAME&room=ROOM` says "joined" behind the history, and enters the rooms that it is told.
struct HistoryServer : HubServer {
    explicit HistoryServer(const HubOptions& options, std::size_t threads = 1) : HubServer(options, threads) {
        app.get("/seat", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, std::string(c.query("name")), c.query("room"));
            ids.add(seat.id());
            socket.send("joined");
            while (auto room = co_await socket.read()) {
                seat.enter(room->payload);
                socket.send("entered");
            }
        });
        go();
    }

    Client sit(std::string_view room) { return connect("/seat?room=" + std::string(room)); }

    /// What a newcomer gets of the past.
    std::string past(std::string_view room) {
        auto client = sit(room);
        ids.next();
        return read_up_to(client, "joined");
    }

    static std::string read_up_to(Client& client, std::string_view end) {
        std::string all, next;
        while ((next = read_text(client)) != end) all += next + ' ';
        return all;
    }

    test::Reports<kvolt::SeatId> ids;
};

TEST_CASE("hub: who enters a room gets its latest messages first") {
    HistoryServer server(HubOptions().history(3), GENERATE(1, 4));
    server.broadcast("0");
    for (const char* text : {"1", "2", "3", "4"}) server.broadcast(text, "red");
    server.broadcast("5", "blue");
    server.broadcast("6");
    CHECK(server.past("red") == "0 2 3 4 6 ");
    CHECK(server.past("blue") == "0 5 6 ");
    CHECK(server.past("green") == "0 6 ");
    CHECK(server.past("") == "0 6 ");
    auto client = server.sit("blue");
    CHECK(HistoryServer::read_up_to(client, "joined") == "0 5 6 ");
    server.hub.broadcast("7", "red");
    client.send_frame(test::text, "red");
    // It is on its way, perhaps: then it comes a little later, like all that follows.
    if (!HistoryServer::read_up_to(client, "entered").ends_with("7 ")) CHECK(read_text(client) == "7");
    client.send_frame(test::text, "red");
    CHECK(HistoryServer::read_up_to(client, "entered") == "");
    server.hub.broadcast("8", "red");
    CHECK(read_text(client) == "8");
    auto stats = server.hub.stats();
    CHECK(stats.messages == 9);
    CHECK(stats.dropped == 0);
}

TEST_CASE("hub: a history keeps what was for the whole room, and only that") {
    HistoryServer server(HubOptions().history(10), GENERATE(1, 4));
    auto ann = server.sit("red");
    auto seat = server.ids.next();
    CHECK(read_text(ann) == "joined");
    server.broadcast("kept", "red");
    server.hub.broadcast("not kept", "red", BroadcastOptions().history(false));
    server.hub.broadcast("kept, too", "red", BroadcastOptions().except(seat));
    server.hub.broadcast_if(
        "for some", [](const std::string&) { return true; }, "red");
    server.hub.send("for ann", seat);
    server.hub.send("for a key", "");
    server.broadcast("end");
    CHECK(server.past("red") == "kept kept, too end ");
    CHECK(HistoryServer::read_up_to(ann, "end") == "kept not kept for some for ann ");
}

TEST_CASE("hub: a closed room's history is forgotten") {
    HistoryServer server(HubOptions().history(10), GENERATE(1, 4));
    server.broadcast("old", "red");
    server.broadcast("other", "blue");
    CHECK(server.past("red") == "old ");
    server.hub.close_room("red");
    server.broadcast("new", "red");
    CHECK(server.past("red") == "new ");
    CHECK(server.past("blue") == "other ");
}

TEST_CASE("hub: only so many rooms have a history, and those that are in use are spared") {
    HistoryServer server(HubOptions().history(10, 1000, 3), GENERATE(1, 4));
    server.broadcast("a", "a");
    auto in_a = server.sit("a");
    CHECK(HistoryServer::read_up_to(in_a, "joined") == "a ");
    server.ids.next();
    for (char room = 'b'; room < 'z'; ++room) server.broadcast(std::string(1, room), std::string(1, room));
    server.settle();
    CHECK(server.past("a") == "a ");
    CHECK(server.past("w") == "");
    CHECK(server.past("x") == "x ");
    CHECK(server.past("y") == "y ");
}

TEST_CASE("hub: a history is told within limits, and never closes a newcomer") {
    HistoryServer server(HubOptions().history(1000, 10 * 1024 * 1024).backlog(64 * 1024, 10), GENERATE(1, 4));
    const std::string filler(1000, 'x');
    for (int i = 0; i < 500; ++i) server.hub.broadcast(std::to_string(i) + filler, "red");
    server.settle();
    auto client = server.connect("/seat?room=red", 4096);
    for (int i = 0; i < 500; ++i) REQUIRE(read_text(client) == std::to_string(i) + filler);
    CHECK(read_text(client) == "joined");
}

TEST_CASE("hub: history and what follows make one sequence, without a gap or a double, in a storm") {
    std::size_t threads = GENERATE(1, 4), history = GENERATE(1u, 50u);
    HubServer server(HubOptions().history(history), threads);
    server.go();
    std::atomic<bool> refused = false;
    std::vector<std::jthread> storms;
    auto storm = [&](std::stop_token over, std::string_view room) {
        for (std::size_t i = 0; !over.stop_requested(); ++i) {
            if (server.hub.broadcast(std::string(room) + ' ' + std::to_string(i), room) !=
                kvolt::BroadcastResult::taken)
                refused = true;
            if (test::sanitized || i % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    };
    for (std::string_view room : {"red", "blue", ""}) storms.emplace_back(storm, room);

    constexpr std::size_t size = 40, rounds = test::sanitized ? 100 : 400;
    std::vector<std::map<std::string, std::size_t>> next(size);  // number of the next message of each room
    std::vector<std::size_t> got(size);
    std::size_t wrong = 0, foreign = 0;
    Crowd crowd(server.app.port(), [&](std::size_t member, int, std::string_view text) {
        if (text == "joined") return;
        std::string room(text.substr(0, text.find(' ')));
        std::size_t number = std::stoul(std::string(text.substr(text.find(' '))));
        auto [place, first] = next[member].emplace(room, number);
        wrong += place->second++ != number;
        foreign += room != "" && room != (member % 2 ? "red" : "blue");
        ++got[member];
        static_cast<void>(first);
    });
    auto path = [](std::size_t member) { return std::string("/ws?room=") + (member % 2 ? "red" : "blue"); };
    for (std::size_t i = 0; i < size; ++i) crowd.join(path(i));
    for (std::size_t round = 0; round < rounds; ++round) {
        std::size_t member = round * 7 % size;
        REQUIRE(crowd.run_until([&] { return got[member] > history; }));
        crowd.leave(member, round % 2);
        next[member].clear();
        got[member] = 0;
        crowd.rejoin(member, path(member));
    }
    storms.clear();
    CHECK(wrong == 0);
    CHECK(foreign == 0);
    CHECK_FALSE(refused);
}

TEST_CASE("hub: one order: what each member gets is a contiguous piece of it, whoever comes and goes") {
    std::size_t threads = GENERATE(1, 4);
    const std::size_t size =
        std::min<std::size_t>(test::sanitized ? 100 : 500, (test::raise_descriptor_limit() - 300) / 2);
    constexpr std::size_t senders = 12, each = test::sanitized ? 60 : 150, total = senders * each;
    HubServer server(HubOptions().history(50), threads);
    server.go();

    // The senders stay, and so does the first of them see the whole order; the others come and go.
    std::vector<std::vector<std::string>> stays;  // what was got in each
    std::vector<std::size_t> stay(size);          // the present one of each member
    std::size_t joined = 0;
    Crowd crowd(server.app.port(), [&](std::size_t member, int, std::string_view payload) {
        if (payload == "joined")
            ++joined;
        else
            stays[stay[member]].emplace_back(payload);
    });
    auto begin = [&](std::size_t member) {
        stay[member] = stays.size();
        stays.emplace_back();
    };
    for (std::size_t i = 0; i < size; ++i) {
        begin(i);
        crowd.join("/ws?room=red");
    }
    REQUIRE(crowd.run_until([&] { return joined == size; }));

    std::size_t sent = 0, leaver = senders;
    while (sent < each) {
        for (std::size_t sender = 0; sender < senders; ++sender)
            crowd.send(sender, frame(test::text, std::to_string(sender) + ':' + std::to_string(sent)));
        ++sent;
        for (int i = 0; i < 5; ++i) {
            crowd.leave(leaver, i % 2);
            begin(leaver);
            crowd.rejoin(leaver, "/ws?room=red");
            if (++leaver == size) leaver = senders;
        }
        // The storm goes on while they come and go: no more than two rounds of it are under way.
        REQUIRE(crowd.run_until([&] { return stays[stay[0]].size() + 2 * senders >= sent * senders; }));
    }
    REQUIRE(crowd.run_until([&] {
        return std::all_of(stay.begin(), stay.end(), [&](std::size_t now) {
            return stays[now].size() >= 50 && stays[now].back() == stays[stay[0]].back() &&
                   stays[stay[0]].size() == total;
        });
    }));

    const auto& order = stays[stay[0]];
    std::map<std::string, std::size_t> places;
    std::vector<std::size_t> next(senders);
    for (const std::string& message : order) {
        places.emplace(message, places.size());
        std::size_t sender = std::stoul(message);
        REQUIRE(message.substr(message.find(':') + 1) == std::to_string(next[sender]++));
    }
    REQUIRE(places.size() == total);
    std::size_t wrong = 0, seams = 0;  // of history and what followed, for those who came late
    for (std::size_t i = 0; i < stays.size(); ++i) {
        const auto& messages = stays[i];
        seams += i >= size && messages.size() > 50 && messages.back() != order.back();
        for (std::size_t j = 0; j + 1 < messages.size(); ++j)
            wrong += places.at(messages[j]) + 1 != places.at(messages[j + 1]);
    }
    CHECK(wrong == 0);
    CHECK(seams >= (stays.size() - size) / 10);
    CHECK(server.hub.stats().dropped == 0);
}

}  // namespace
