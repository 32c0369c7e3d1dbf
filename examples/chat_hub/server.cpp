// A chat for the browser: rooms, who is here, the latest messages, unread counts. page.html is its other half.
//
// Each browser holds one WebSocket and asks for two things, in JSON:
//
//     {"type": "enter", "room": "lobby", "name": "Ann"}   let me into this room, under this name
//     {"type": "say", "text": "Hello!"}                   tell this to all who are in my room
//
// A request may carry a "key", which comes back with its answer. The server answers and tells
//
//     entered              the one who enters: who is in the room, and the list of rooms. The latest messages of the
//     room
//                          follow, up to the news that he has joined
//     said, joined, left   all who are in the room
//     room, closed         everyone: a room's counters have changed, or it is there no more
//     error                the one whose request was refused
//
// The app has one loop, so handlers run one at a time and what they share needs no lock.

#include "page.hpp"
#include <kvolt.hpp>
#include <kvolt/deflate.hpp>

#include <boost/json/src.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace json = boost::json;

constexpr std::size_t most_rooms = 64;
constexpr std::size_t history_length = 50;  // messages
constexpr double requests_per_second = 5;   // of one person, and up to
constexpr double requests_at_once = 50;
constexpr std::size_t longest_key = 64;        // bytes
constexpr std::ptrdiff_t longest_name = 32;    // characters, of people and of rooms
constexpr std::ptrdiff_t longest_text = 2000;  // characters
constexpr const char* too_much = "That was too much at once. Wait a moment.";
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
    std::int64_t last_said = 0;  // id of the last message
    std::uint64_t said = 0;      // how many there have been
};

void tag_invoke(json::value_from_tag, json::value& value, const Person& person) {
    value = {{"id", person.id}, {"name", person.name}};
}

using Hub = kvolt::Hub<Person>;

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
    explicit Chat(kvolt::App& app)
        : hub_(app, kvolt::HubOptions().history(history_length).rate(requests_per_second, requests_at_once)) {
        hub_.on_join([this](const Hub::Presence& presence) { announce("joined", presence); });
        hub_.on_leave([this](const Hub::Presence& presence) { announce("left", presence); });
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
        Hub::Seat seat;  // in a room, once it has entered one
    };

    kvolt::Task<> enter(Visitor& visitor, const json::object& request) {
        Person person{visitor.id, std::string(text_in(request, "name", longest_name))};
        std::string room(room_in(request));
        if (visitor.seat && !visitor.seat.within_rate()) throw Refusal(too_much);
        open_room(room);
        if (visitor.seat) visitor.seat.leave(visitor.seat.room());
        auto people = co_await hub_.members(room);
        json::object entered{{"type", "entered"},       {"key", key_in(request)}, {"you", visitor.id},
                             {"name", person.name},     {"room", room},           {"people", json::value_from(people)},
                             {"rooms", list_of_rooms()}};
        visitor.socket.send(json::serialize(entered));
        if (visitor.seat) {  // the same one, with what is left of its rate
            bool moved = visitor.seat.member(person) == kvolt::MoveResult::done &&
                         visitor.seat.enter(room) == kvolt::MoveResult::done;
            if (!moved) throw Refusal(too_much);
        } else {
            visitor.seat = hub_.join(visitor.socket, person, room);
        }
    }

    void say(Visitor& visitor, const json::object& request) {
        if (!visitor.seat) throw Refusal("Enter a room first.");
        std::string room = visitor.seat.room();
        const Person& person = visitor.seat.member();
        auto id = next_id();
        json::object said{{"type", "said"},
                          {"id", id},
                          {"room", room},
                          {"from", person.id},
                          {"name", person.name},
                          {"text", text_in(request, "text", longest_text)},
                          {"time", microseconds_since_1970() / 1000},
                          {"key", key_in(request)}};
        if (visitor.seat.broadcast(json::serialize(said)) != kvolt::BroadcastResult::taken) throw Refusal(too_much);
        Room& counters = rooms_[room];
        counters.last_said = id;
        ++counters.said;
        announce_counters(room);
    }

    void announce(std::string_view event, const Hub::Presence& presence) {
        json::object news{
            {"type", event}, {"room", presence.room}, {"id", presence.member.id}, {"name", presence.member.name}};
        hub_.broadcast(json::serialize(news), presence.room, kvolt::BroadcastOptions().history(false));
        announce_counters(presence.room);
    }

    /// Only the latest of a room matters, to one who is slow.
    void announce_counters(std::string_view room) {
        json::object news = counters_of(room);
        news["type"] = "room";
        news["name"] = room;
        hub_.broadcast(json::serialize(news), {}, kvolt::BroadcastOptions().history(false).coalesce(room));
    }

    json::object counters_of(std::string_view room) const {
        auto known = rooms_.find(room);
        return {{"said", known == rooms_.end() ? 0 : known->second.said}, {"here", hub_.size(room)}};
    }

    json::object list_of_rooms() const {
        json::object list;
        for (const auto& [name, room] : rooms_) list[name] = counters_of(name);
        return list;
    }

    void open_room(std::string_view name) {
        if (rooms_.contains(name)) return;
        if (rooms_.size() == most_rooms) close_an_empty_room();
        rooms_.emplace(name, Room());
    }

    /// Of the rooms without people, the one that has been silent for longest makes way.
    void close_an_empty_room() {
        auto use = [this](const auto& room) { return std::pair(hub_.size(room.first), room.second.last_said); };
        auto least_used = std::ranges::min_element(rooms_, {}, use);
        if (hub_.size(least_used->first) > 0) throw Refusal("There are too many rooms.");
        json::object news{{"type", "closed"}, {"room", least_used->first}};
        hub_.broadcast(json::serialize(news), {}, kvolt::BroadcastOptions().history(false));
        hub_.close_room(least_used->first);  // and with it what was said there
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

    const auto compressed = kvolt::UpgradeOptions().compression(kvolt::deflate());

    app.get("/", [](kvolt::Context& c) {
        c.header("Cache-Control", "no-cache");
        c.html(std::string(page));
    });
    app.get("/ws", [&](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade(compressed);
        co_await chat.serve(socket);
    });

    app.run(address, [](std::string_view url) { std::cout << "Open " << url << std::endl; });
} catch (const std::exception& error) {
    std::cerr << "kvolt_chat_hub: " << error.what() << '\n';
    return 1;
}
