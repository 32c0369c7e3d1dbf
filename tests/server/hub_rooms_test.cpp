#include "catch.hpp"
#include "eventually.hpp"
#include "hub_server.hpp"
#include <kvolt/hub.hpp>
#include <kvolt/message.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// Who gets what: rooms, exceptions, predicates, keys, single seats.

namespace {

using kvolt::BroadcastOptions;
using kvolt::BroadcastResult;
using kvolt::Context;
using kvolt::HubOptions;
using kvolt::MoveResult;
using kvolt::Task;
using test::Client;
using test::HubServer;
using test::read_text;

using Names = std::vector<std::string>;

constexpr auto taken = BroadcastResult::taken;

/// On the route `/seat?name=NAME&room=ROOM` a client says what its seat does, such as `enter red`, and gets an answer.
struct SeatServer : HubServer {
    using Seat = kvolt::Hub<std::string>::Seat;

    explicit SeatServer(std::size_t threads) : HubServer({}, threads) {
        app.get("/seat", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, std::string(c.query("name")), c.query("room"));
            ids.add(seat.id());
            socket.send("joined");
            while (auto message = co_await socket.read()) {
                auto [verb, object] = split(message->payload);
                socket.send(perform(seat, verb, object));
            }
        });
        go();
    }

    Client sit(std::string_view name, std::string_view room = "") {
        auto client = connect("/seat?name=" + std::string(name) + "&room=" + std::string(room));
        if (read_text(client) != "joined") throw std::runtime_error("not joined");
        return client;
    }

    static std::string tell(Client& client, std::string_view command) {
        client.send_frame(test::text, command);
        return read_text(client);
    }

    std::string perform(Seat& seat, std::string_view verb, std::string_view object) {
        if (verb == "enter") return seat.enter(object) == MoveResult::done ? "entered" : "is there";
        if (verb == "leave") return seat.leave(object) == MoveResult::done ? "left" : "was not there";
        if (verb == "send") return seat.send(object) == taken ? "sent" : "not sent";
        if (verb == "others")
            return hub.broadcast(object, seat.room(), BroadcastOptions().except(seat.id())) == taken ? "ok" : "";
        if (verb == "name") return seat.member(std::string(object)), seat.member();
        std::string rooms = "in " + seat.room() + ':';
        for (const auto& room : seat.rooms()) rooms += ' ' + room;
        return rooms;
    }

    test::Reports<kvolt::SeatId> ids;

private:
    static std::pair<std::string_view, std::string_view> split(std::string_view command) {
        std::size_t space = command.find(' ');
        return {command.substr(0, space), space == command.npos ? "" : command.substr(space + 1)};
    }
};

TEST_CASE("hub: a seat may be in several rooms, and gets what is for everyone once") {
    SeatServer server(GENERATE(1, 4));
    auto ann = server.sit("ann"), bob = server.sit("bob", "red");
    CHECK(server.hub.size("red") == 1);
    CHECK(SeatServer::tell(ann, "where") == "in :");
    CHECK(SeatServer::tell(ann, "enter red") == "entered");
    CHECK(SeatServer::tell(ann, "enter blue") == "entered");
    CHECK(SeatServer::tell(ann, "enter red") == "is there");
    CHECK(SeatServer::tell(ann, "enter ") == "is there");
    CHECK(SeatServer::tell(ann, "where") == "in blue: red blue");
    CHECK(server.hub.size() == 2);
    CHECK(server.hub.size("") == 2);
    CHECK(server.hub.size("red") == 2);
    CHECK(server.hub.size("blue") == 1);
    CHECK(server.hub.size("green") == 0);
    CHECK(server.members("red") == Names{"ann", "bob"});
    for (const char* room : {"red", "blue", "", "green"}) server.hub.broadcast("to " + std::string(room), room);
    for (const char* expected : {"to red", "to blue", "to "}) CHECK(read_text(ann) == expected);
    for (const char* expected : {"to red", "to "}) CHECK(read_text(bob) == expected);

    CHECK(SeatServer::tell(ann, "leave red") == "left");
    CHECK(SeatServer::tell(ann, "leave red") == "was not there");
    CHECK(SeatServer::tell(ann, "leave ") == "was not there");
    CHECK(SeatServer::tell(ann, "where") == "in blue: blue");
    CHECK(server.hub.size("red") == 1);
    CHECK(server.members("red") == Names{"bob"});
    server.hub.broadcast("to red", "red");
    server.hub.broadcast("to blue", "blue");
    CHECK(read_text(ann) == "to blue");
    CHECK(read_text(bob) == "to red");
    ann.close();
    CHECK(test::eventually([&] { return server.hub.size("blue") == 0 && server.hub.size() == 1; }));
    CHECK(server.members("blue").empty());
    CHECK(server.members() == Names{"bob"});
}

TEST_CASE("hub: a broadcast may except one seat") {
    SeatServer server(GENERATE(1, 4));
    std::vector<Client> clients;
    for (const char* name : {"a", "b", "c", "d", "e"}) clients.push_back(server.sit(name, "red"));
    for (Client& sender : clients) {
        CHECK(SeatServer::tell(sender, "others hello") == "ok");
        server.hub.broadcast("end");
        for (Client& client : clients) {
            if (&client != &sender) CHECK(read_text(client) == "hello");
            CHECK(read_text(client) == "end");
        }
    }
    server.hub.broadcast("nobody is excepted", "red", BroadcastOptions().except(kvolt::SeatId::none));
    for (Client& client : clients) CHECK(read_text(client) == "nobody is excepted");
}

TEST_CASE("hub: a predicate chooses among the members of a room") {
    SeatServer server(GENERATE(1, 4));
    auto ann = server.sit("ann", "red"), anton = server.sit("anton", "red"), bob = server.sit("bob", "red"),
         alf = server.sit("alf");
    auto begins_with_a = [](const std::string& name) { return name.starts_with('a'); };
    server.hub.broadcast_if("a in red", begins_with_a, "red");
    server.hub.broadcast_if("a", begins_with_a);
    server.hub.broadcast_if("nobody", [](const std::string&) { return false; });
    server.hub.broadcast("end");
    for (Client* client : {&ann, &anton, &bob, &alf}) {
        if (client == &ann || client == &anton) CHECK(read_text(*client) == "a in red");
        if (client != &bob) CHECK(read_text(*client) == "a");
        CHECK(read_text(*client) == "end");
    }
    CHECK(SeatServer::tell(bob, "name asterix") == "asterix");
    server.hub.broadcast_if("a by now", begins_with_a, "red");
    for (Client* client : {&ann, &anton, &bob}) CHECK(read_text(*client) == "a by now");
}

TEST_CASE("hub: a message to a key reaches all seats that have it, and nobody else") {
    SeatServer server(GENERATE(1, 4));
    auto ann = server.sit("ann"), ann_too = server.sit("ann", "red"), bob = server.sit("bob");
    server.hub.send("to ann", "ann");
    server.hub.send("to nobody", "carl");
    CHECK(server.hub.send("to nobody", "") == BroadcastResult::nobody);
    server.hub.broadcast("end");
    for (Client* client : {&ann, &ann_too}) CHECK(read_text(*client) == "to ann");
    for (Client* client : {&ann, &ann_too, &bob}) CHECK(read_text(*client) == "end");

    CHECK(SeatServer::tell(bob, "name ann") == "ann");
    CHECK(SeatServer::tell(ann, "name carl") == "carl");
    server.hub.send("to ann again", "ann");
    server.hub.send("to carl", "carl");
    for (Client* client : {&ann_too, &bob}) CHECK(read_text(*client) == "to ann again");
    CHECK(read_text(ann) == "to carl");

    bob.close();
    CHECK(test::eventually([&] { return server.hub.size() == 2; }));
    server.hub.send("to the one that is left", "ann");
    CHECK(read_text(ann_too) == "to the one that is left");
}

TEST_CASE("hub: what is sent to one seat has its place in the order") {
    SeatServer server(GENERATE(1, 4));
    std::vector<Client> clients;
    std::vector<kvolt::SeatId> ids;
    for (const char* name : {"a", "b", "c", "d", "e"}) {
        clients.push_back(server.sit(name));
        ids.push_back(server.ids.next());
    }
    constexpr int rounds = 50;
    for (int i = 0; i < rounds; ++i) {
        server.hub.broadcast("all " + std::to_string(i));
        for (std::size_t j = 0; j < ids.size(); ++j)
            server.hub.send("you " + std::to_string(i * 10 + static_cast<int>(j)), ids[j]);
    }
    CHECK(server.hub.send("nobody", kvolt::SeatId::none) == BroadcastResult::nobody);
    for (int i = 0; i < rounds; ++i)
        for (std::size_t j = 0; j < ids.size(); ++j) {
            CHECK(read_text(clients[j]) == "all " + std::to_string(i));
            CHECK(read_text(clients[j]) == "you " + std::to_string(i * 10 + static_cast<int>(j)));
        }
    clients[0].send_frame(test::text, "send to myself");
    auto first = read_text(clients[0]), second = read_text(clients[0]);
    CHECK(((first == "sent" && second == "to myself") || (first == "to myself" && second == "sent")));

    clients[1].close();
    CHECK(test::eventually([&] { return server.hub.size() == 4; }));
    CHECK(server.hub.send("left", ids[1]) == taken);
    server.hub.send("here", ids[2]);
    CHECK(read_text(clients[2]) == "here");
    CHECK(server.hub.stats().messages == rounds * 6 + 3);
}

TEST_CASE("hub: close_room closes its members behind what was broadcast before, and only them") {
    SeatServer server(GENERATE(1, 4));
    std::vector<Client> red;
    for (int i = 0; i < 5; ++i) red.push_back(server.sit("r", "red"));
    auto blue = server.sit("b", "blue");
    for (int i = 0; i < 20; ++i) server.hub.broadcast(std::to_string(i), "red");
    server.hub.close_room("red", 4001, "this room is closed");
    server.hub.broadcast("behind it", "red");
    server.hub.close_room("green");
    server.hub.broadcast("still here");
    for (Client& client : red) {
        for (int i = 0; i < 20; ++i) CHECK(read_text(client) == std::to_string(i));
        auto frame = client.read_frame();
        CHECK(frame.opcode == test::close);
        CHECK(test::close_code(frame.payload) == 4001);
        CHECK(frame.payload.substr(2) == "this room is closed");
        client.send_frame(test::close, test::close_payload(4001));
        CHECK(client.ended());
    }
    CHECK(read_text(blue) == "still here");
    CHECK(test::eventually([&] { return server.hub.size("red") == 0; }));
    CHECK(server.hub.size() == 1);
    CHECK(server.hub.stats().dropped == 0);
    auto again = server.sit("r", "red");
    server.hub.broadcast("open again", "red");
    CHECK(read_text(again) == "open again");
    server.hub.close_room("", 1012);
    CHECK(test::closing(again) == "1012");
    CHECK(test::closing(blue) == "1012");
}

TEST_CASE("hub: a seat broadcasts to its room, no more often than it may") {
    HubServer server(HubOptions().rate(0.001, 3), GENERATE(1, 4));
    server.app.get("/seat", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "x", c.query("room"));
        auto others = BroadcastOptions().except(seat.id());
        while (auto message = co_await socket.read()) {
            auto result = message->payload == "blue"     ? seat.broadcast(*message, "blue")
                          : message->payload == "others" ? seat.broadcast(*message, others)
                                                         : seat.broadcast(*message);
            if (result == BroadcastResult::limited) socket.send("not so fast");
        }
    });
    server.go();
    auto red = server.connect("/seat?room=red"), listener = server.join("", "red"), blue = server.join("", "blue");
    for (const char* text : {"red", "others", "blue", "more", "and more"}) red.send_frame(test::text, text);
    for (const char* expected : {"red", "not so fast", "not so fast"}) CHECK(read_text(red) == expected);
    for (const char* expected : {"red", "others"}) CHECK(read_text(listener) == expected);
    CHECK(read_text(blue) == "blue");
    auto other = server.connect("/seat");
    other.send_frame(test::text, "to everyone");
    for (Client* client : {&red, &listener, &blue, &other}) CHECK(read_text(*client) == "to everyone");
    CHECK(server.hub.stats().limited == 2);
    CHECK(server.hub.stats().messages == 4);
    server.hub.broadcast("who is no seat is not limited");
    CHECK(server.hub.stats().limited == 2);
}

TEST_CASE("hub: misuse of rooms and seats is an exception") {
    SeatServer server(2);
    const std::string too_long(256, 'r');
    CHECK_THROWS_AS(server.hub.broadcast_if(
                        "hi", [](const std::string&) { return true; }, too_long),
                    std::length_error);
    CHECK_THROWS_AS(server.hub.close_room(too_long), std::length_error);
    CHECK_THROWS_AS(server.hub.close_room("red", 1005), std::invalid_argument);
}

TEST_CASE("hub: a seat is used on its loop only") {
    test::Reports<SeatServer::Seat*> seats;
    HubServer server({}, 2);
    server.app.get("/seat", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = server.hub.join(socket, "x", "red");
        std::string result;
        try {
            seat.enter(std::string(256, 'r'));
        } catch (const std::length_error&) {
            result = "too long";
        }
        socket.send(result);
        seats.add(&seat);
        while (co_await socket.read()) {
        }
    });
    server.go();
    auto client = server.connect("/seat");
    CHECK(read_text(client) == "too long");
    SeatServer::Seat& seat = *seats.next();
    CHECK_THROWS_AS(seat.enter("blue"), std::logic_error);
    CHECK_THROWS_AS(seat.leave("red"), std::logic_error);
    CHECK_THROWS_AS(seat.member("y"), std::logic_error);
    CHECK_THROWS_AS(seat.member(), std::logic_error);
    CHECK_THROWS_AS(seat.room(), std::logic_error);
    CHECK_THROWS_AS(seat.rooms(), std::logic_error);
    CHECK_THROWS_AS(seat.send("x"), std::logic_error);
    CHECK_THROWS_AS(seat.broadcast("x"), std::logic_error);
    CHECK(server.hub.send("this works anywhere", seat.id()) == taken);
    CHECK(read_text(client) == "this works anywhere");
    CHECK(server.hub.size("red") == 1);
}

}  // namespace
