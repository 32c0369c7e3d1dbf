#include "catch.hpp"
#include <kvolt/detail/hub/history.hpp>
#include <kvolt/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

using namespace kvolt::detail;

namespace {

struct HistoryFixture {
    HubHistory history;
    std::uint64_t place = 0;

    void add(std::string_view room, std::string frame, std::string key = {}) {
        history.add(room, std::make_shared<const KeptMessage>(
                              KeptMessage{++place, std::move(frame), std::move(key), kvolt::SeatId::none}));
    }

    std::string replay(std::string_view room, std::string_view other) const {
        std::string all;
        history.replay(room, other,
                       [&](const KeptMessage& message, const kvolt::Backlog&) { all += message.frame + ' '; });
        return all;
    }
    std::string replay(std::string_view room) const { return replay(room, room); }
};

}  // namespace

TEST_CASE("a history keeps so many messages of each room, the latest") {
    HistoryFixture f{HubHistory(3, 1000)};
    CHECK(f.replay("red") == "");
    for (const char* frame : {"a", "b", "c", "d"}) f.add("red", frame);
    f.add("blue", "e");
    CHECK(f.replay("red") == "b c d ");
    CHECK(f.replay("blue") == "e ");
    CHECK(f.replay("") == "");
    CHECK(f.history.rooms() == 2);
    f.history.forget("red");
    f.history.forget("green");
    CHECK(f.replay("red") == "");
    CHECK(f.history.rooms() == 1);
}

TEST_CASE("a history keeps so many bytes of each room") {
    HistoryFixture f{HubHistory(100, 10)};
    f.add("red", "0123456789");
    CHECK(f.replay("red") == "0123456789 ");
    f.add("red", "a");
    CHECK(f.replay("red") == "a ");
    f.add("red", "bcdefghij");
    CHECK(f.replay("red") == "a bcdefghij ");
    f.add("red", "more than fits");  // nothing that is kept may be older than what is not
    CHECK(f.replay("red") == "");
}

TEST_CASE("the histories of two rooms are told in the hub's order") {
    HistoryFixture f{HubHistory(3, 1000)};
    f.add("", "1");
    f.add("red", "2");
    f.add("red", "3");
    f.add("blue", "4");
    f.add("", "5");
    f.add("red", "6");
    CHECK(f.replay("", "red") == "1 2 3 5 6 ");
    CHECK(f.replay("red", "") == "1 2 3 5 6 ");
    CHECK(f.replay("blue", "green") == "4 ");
    CHECK(f.replay("", "") == "1 5 ");
}

TEST_CASE("with each message of a history comes how much is left of it") {
    HistoryFixture f{HubHistory(10, 1000)};
    f.add("red", "a");
    f.add("blue", "bb");
    f.add("red", "ccc");
    f.add("blue", "dd");
    std::string told;
    auto tell = [&](const KeptMessage& message, const kvolt::Backlog& rest) {
        told += message.frame + ':' + std::to_string(rest.messages) + '/' + std::to_string(rest.bytes) + ' ';
    };
    f.history.replay("red", "blue", tell);
    CHECK(told == "a:4/8 bb:3/7 ccc:2/5 dd:1/2 ");
    told.clear();
    f.history.replay("red", "red", tell);
    CHECK(told == "a:2/4 ccc:1/3 ");
}

TEST_CASE("of messages with a key a history keeps the latest") {
    HistoryFixture f{HubHistory(3, 12)};
    f.add("red", "a1", "a");
    f.add("red", "x");
    f.add("red", "b1", "b");
    f.add("red", "a2", "a");
    CHECK(f.replay("red") == "x b1 a2 ");
    for (int i = 3; i < 10; ++i) f.add("red", "a" + std::to_string(i), "a");
    CHECK(f.replay("red") == "x b1 a9 ");
    f.add("blue", "a1", "a");
    CHECK(f.replay("red") == "x b1 a9 ");
}

TEST_CASE("the history of the room that was silent for longest makes way, of unused rooms first") {
    HubHistoryRooms rooms(3);
    auto keep = [&](std::string_view name, bool in_use = false) { return rooms.keep(name, in_use).value_or(""); };
    CHECK(keep("a") == "");
    CHECK(keep("b") == "");
    CHECK(keep("c") == "");
    CHECK(keep("a") == "");
    CHECK(keep("d") == "b");
    for (const char* name : {"a", "c", "d", "nothing"}) rooms.use(name, true);
    CHECK(keep("e") == "c");  // all are in use
    CHECK(keep("f") == "e");  // e is not
    rooms.forget("a");
    rooms.forget("nothing");
    CHECK(keep("g", true) == "");
    rooms.use("f", true);
    rooms.use("d", false);
    rooms.use("g", false);
    CHECK(keep("h") == "d");  // which was silent for longer than g
    CHECK(HubHistoryRooms(0).keep("a", false) == std::nullopt);
}

TEST_CASE("more rooms in use than may have a history cost no more than few do") {
    constexpr int rooms = 20000;  // a look at all of them for each message would be 200 million
    HubHistoryRooms some(1000);
    for (int round = 0; round < 2; ++round)
        for (int i = 0; i < rooms; ++i)
            REQUIRE(some.keep(std::to_string(i), true).has_value() == (round > 0 || i >= 1000));
}
