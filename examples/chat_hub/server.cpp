// A chat for the browser: rooms, who is here, the latest messages, unread counts. page.html is its other half.
//
// Each browser holds one WebSocket and asks for two things, in JSON:
//
//     {"type": "enter", "room": "lobby", "name": "Ann"}   let me into this room, under this name
//     {"type": "say", "text": "Hello!"}                   tell this to all who are in my room
//
// A request may carry a "key", which comes back with its answer. The server answers and tells
//
//     entered              the one who entered: everything about the room, and the list of rooms
//     said, joined, left   all who are in the room
//     room, closed         everyone: a room's counters have changed, or it is there no more
//     error                the one whose request was refused
//
// The app has one loop, so handlers run one at a time and what they share needs no lock.

#include "page.hpp"
#include <kvolt.hpp>

#include <boost/json/src.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace json = boost::json;

constexpr std::size_t most_rooms = 64;
constexpr std::size_t history_length = 50;     // messages
constexpr std::size_t longest_key = 64;        // bytes
constexpr std::ptrdiff_t longest_name = 32;    // characters, of people and of rooms
constexpr std::ptrdiff_t longest_text = 2000;  // characters
constexpr std::string_view room_name_alphabet = "abcdefghijklmnopqrstuvwxyz0123456789-_";

/// Why a request was not carried out, for the one who sent it.
struct Refusal : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::int64_t microseconds_since_1970() {
    using namespace std::chrono;
    return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

struct Person {
    std::int64_t id = 0;
    std::string name;
};

struct Room {
    std::string name;
    std::deque<json::object> history;  // the latest messages, as they were sent
    std::int64_t last_said = 0;        // id of the last one
    std::uint64_t said = 0;            // how many there have been
    std::size_t here = 0;              // how many people
};

void tag_invoke(json::value_from_tag, json::value& value, const Person& person) {
    value = {{"id", person.id}, {"name", person.name}};
}

void tag_invoke(json::value_from_tag, json::value& value, const Room& room) {
    value = {{"said", room.said}, {"here", room.here}};
}

using Hub = kvolt::Hub<Person>;

/// One person's stay in one room. The others are told when it begins and when it ends, however it ends.
class Stay {
public:
    Stay(Hub& hub, const kvolt::WebSocket& socket, Person person, Room& room)
        : hub_(hub), person_(std::move(person)), room_(room), seat_(hub.join(socket, person_, room.name)) {
        ++room_.here;
        announce("joined");
    }

    ~Stay() {
        seat_.leave();
        --room_.here;
        announce("left");
    }

    void say(std::int64_t id, std::string_view text, std::string_view key) {
        json::object said{{"type", "said"},
                          {"id", id},
                          {"room", room_.name},
                          {"from", person_.id},
                          {"name", person_.name},
                          {"text", text},
                          {"time", microseconds_since_1970() / 1000},
                          {"key", key}};
        hub_.broadcast(json::serialize(said), room_.name);
        room_.history.push_back(std::move(said));
        if (room_.history.size() > history_length) room_.history.pop_front();
        room_.last_said = id;
        ++room_.said;
        announce_counters();
    }

private:
    void announce(std::string_view event) {
        json::object news{{"type", event}, {"room", room_.name}, {"id", person_.id}, {"name", person_.name}};
        hub_.broadcast(json::serialize(news), room_.name);
        announce_counters();
    }

    void announce_counters() {
        json::object news{{"type", "room"}, {"name", room_.name}, {"said", room_.said}, {"here", room_.here}};
        hub_.broadcast(json::serialize(news));
    }

    Hub& hub_;
    Person person_;
    Room& room_;
    Hub::Seat seat_;
};

// What a request says, or else a Refusal

json::object parse(const kvolt::Message& message) {
    json::error_code error;
    json::value request = json::parse(message.payload, error);
    if (message.binary || error || !request.is_object()) throw Refusal("A request is a JSON object.");
    return std::move(request.get_object());
}

/// A string of the request, empty if it has none of this name.
std::string_view string_in(const json::object& request, std::string_view field) {
    const json::value* value = request.if_contains(field);
    return value && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

std::string_view text_in(const json::object& request, std::string_view field, std::ptrdiff_t longest) {
    auto begins_character = [](unsigned char byte) { return (byte & 0xC0) != 0x80; };  // in UTF-8, which JSON is
    auto text = string_in(request, field);
    if (text.find_first_not_of(" \t\r\n") == text.npos)
        throw Refusal("There is no " + std::string(field) + " in the request.");
    if (std::ranges::count_if(text, begins_character) > longest)
        throw Refusal("The " + std::string(field) + " is longer than " + std::to_string(longest) + " characters.");
    return text;
}

std::string_view room_in(const json::object& request) {
    auto name = text_in(request, "room", longest_name);
    if (name.find_first_not_of(room_name_alphabet) != name.npos)
        throw Refusal("A room's name is made of a to z, 0 to 9, - and _.");
    return name;
}

std::string_view key_in(const json::object& request) {
    auto key = string_in(request, "key");
    return key.size() <= longest_key ? key : std::string_view();
}

class Chat {
public:
    explicit Chat(kvolt::App& app) : hub_(app) {
        for (auto name : {"lobby", "projects", "random"}) open_room(name);
    }

    /// Serve one browser for as long as it is there.
    kvolt::Task<> serve(kvolt::WebSocket socket) {
        Visitor visitor{socket, next_id(), {}};
        while (auto message = co_await socket.read()) {
            json::object request;
            try {
                request = parse(*message);
                auto type = string_in(request, "type");
                if (type == "enter")
                    co_await enter(visitor, request);
                else if (type == "say")
                    say(visitor, request);
                else
                    throw Refusal("A request's type is enter or say.");
            } catch (const Refusal& refusal) {
                json::object error{{"type", "error"}, {"text", refusal.what()}, {"key", key_in(request)}};
                socket.send(json::serialize(error));
            }
        }
    }

private:
    struct Visitor {
        kvolt::WebSocket socket;
        std::int64_t id;
        std::optional<Stay> stay;
    };

    kvolt::Task<> enter(Visitor& visitor, const json::object& request) {
        auto name = text_in(request, "name", longest_name);
        auto& room = open_room(room_in(request));
        visitor.stay.emplace(hub_, visitor.socket, Person{visitor.id, std::string(name)}, room);
        auto people = co_await hub_.members(room.name);
        json::object entered{{"type", "entered"},
                             {"key", key_in(request)},
                             {"you", visitor.id},
                             {"room", room.name},
                             {"people", json::value_from(people)},
                             {"history", json::value_from(room.history)},
                             {"rooms", json::value_from(rooms_)}};
        visitor.socket.send(json::serialize(entered));
    }

    void say(Visitor& visitor, const json::object& request) {
        if (!visitor.stay) throw Refusal("Enter a room first.");
        visitor.stay->say(next_id(), text_in(request, "text", longest_text), key_in(request));
    }

    Room& open_room(std::string_view name) {
        auto known = rooms_.find(name);
        if (known != rooms_.end()) return known->second;
        if (rooms_.size() == most_rooms) close_an_empty_room();
        auto& room = rooms_[std::string(name)];
        room.name = name;
        return room;
    }

    /// Of the rooms without people, the one that has been silent for longest makes way.
    void close_an_empty_room() {
        auto use = [](const auto& room) { return std::pair(room.second.here, room.second.last_said); };
        auto least_used = std::ranges::min_element(rooms_, {}, use);
        if (least_used->second.here > 0) throw Refusal("There are too many rooms.");
        json::object news{{"type", "closed"}, {"room", least_used->first}};
        hub_.broadcast(json::serialize(news));
        rooms_.erase(least_used);
    }

    /// Ids of people and messages go up, also from one run of the server to the next.
    std::int64_t next_id() { return ++last_id_; }

    std::int64_t last_id_ = microseconds_since_1970();
    std::map<std::string, Room, std::less<>> rooms_;
    Hub hub_;
};

}  // namespace

int main(int argc, char** argv) try {
    const std::string address = argc > 1 ? argv[1] : ":8080";

    kvolt::App app;
    app.limits({.message_size = 32 * 1024});  // bytes; enough for the longest text, however it is escaped
    Chat chat(app);

    app.get("/", [](kvolt::Context& c) {
        c.header("Cache-Control", "no-cache");
        c.html(std::string(page));
    });
    app.get("/ws", [&](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        co_await chat.serve(socket);
    });

    app.run(address, [](std::string_view url) { std::cout << "Open " << url << std::endl; });
} catch (const std::exception& error) {
    std::cerr << "kvolt_chat_hub: " << error.what() << '\n';
    return 1;
}
