#include "catch.hpp"
#include <kvolt/detail/net/backlog.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::Backlog;
using kvolt::SlowPolicy;
using kvolt::detail::FrameQueue;
using kvolt::detail::Pieces;
using kvolt::detail::SenderId;
using kvolt::detail::Terms;
using kvolt::detail::Unit;

namespace {

constexpr Backlog wide{1 << 30, 1 << 30};

// A peer that takes so many bytes at once.
struct Socket {
    std::string got;
    std::size_t room;

    std::size_t operator()(const Pieces& pieces) {
        std::size_t before = got.size();
        for (const auto& piece : pieces) {
            std::size_t size = std::min(piece.size(), room - (got.size() - before));
            got.append(static_cast<const char*>(piece.data()), size);
        }
        return got.size() - before;
    }
};

std::string drain(FrameQueue& queue, std::size_t room = 1 << 30) {
    Socket socket{{}, room};
    queue.drain(socket);
    return socket.got;
}

std::string drain_all(FrameQueue& queue) {
    std::string all;
    while (!queue.empty()) all += drain(queue);
    return all;
}

std::size_t shed(FrameQueue& queue) {
    std::size_t messages = 0;
    queue.shed([&](SenderId) { ++messages; });
    return messages;
}

}  // namespace

TEST_CASE("frames leave in their order") {
    FrameQueue queue;
    CHECK(queue.empty());
    for (std::string_view frame : {"one ", "two ", "three"})
        CHECK(queue.add(frame, Unit::droppable, {wide, SlowPolicy::disconnect}) == FrameQueue::Added::queued);
    CHECK(queue.size() == 13);
    CHECK(queue.frames() == 3);
    CHECK(drain(queue) == "one two three");
    CHECK(queue.empty());
    CHECK(queue.frames() == 0);
}

TEST_CASE("a peer may take any part") {
    FrameQueue queue;
    queue.push("0123456789", Unit::droppable);
    queue.push("abcde", Unit::frame);
    CHECK(drain(queue, 0).empty());
    CHECK(drain(queue, 4) == "0123");
    CHECK(queue.size() == 11);
    CHECK(queue.frames() == 2);
    CHECK(drain(queue, 6) == "456789");
    CHECK(queue.frames() == 1);
    CHECK(drain(queue, 100) == "abcde");
    CHECK(queue.empty());
}

TEST_CASE("more frames than fit into one write leave in several") {
    FrameQueue queue;
    std::string all;
    for (int i = 0; i < 200; ++i) {
        std::string frame = std::to_string(i) + ' ';
        queue.push(frame, Unit::frame);
        all += frame;
    }
    CHECK(drain_all(queue) == all);
}

TEST_CASE("the limits hold to the byte and to the message") {
    for (SlowPolicy policy : {SlowPolicy::disconnect, SlowPolicy::drop_newest}) {
        FrameQueue::Added refused =
            policy == SlowPolicy::disconnect ? FrameQueue::Added::overflow : FrameQueue::Added::dropped;
        FrameQueue bytes;
        CHECK(bytes.add("01234", Unit::droppable, {{10, 100}, policy}) == FrameQueue::Added::queued);
        CHECK(bytes.add("012345", Unit::droppable, {{10, 100}, policy}) == refused);
        CHECK(bytes.add("01234", Unit::droppable, {{10, 100}, policy}) == FrameQueue::Added::queued);
        CHECK(bytes.add("0", Unit::droppable, {{10, 100}, policy}) == refused);
        CHECK(bytes.size() == 10);

        FrameQueue messages;
        CHECK(messages.add("a", Unit::droppable, {{100, 2}, policy}) == FrameQueue::Added::queued);
        CHECK(messages.add("b", Unit::droppable, {{100, 2}, policy}) == FrameQueue::Added::queued);
        CHECK(messages.add("c", Unit::droppable, {{100, 2}, policy}) == refused);
        CHECK(drain(messages) == "ab");
        CHECK(messages.add("d", Unit::droppable, {{100, 2}, policy}) == FrameQueue::Added::queued);
    }
}

TEST_CASE("what was pushed beyond a limit is kept, and then nothing fits") {
    FrameQueue queue;
    queue.push(std::string(100, 'x'), Unit::frame);
    CHECK(queue.add("a", Unit::frame, {{10, 10}, SlowPolicy::drop_newest}) == FrameQueue::Added::dropped);
    CHECK(queue.add("a", Unit::frame, {{10, 10}, SlowPolicy::drop_oldest}) == FrameQueue::Added::dropped);
    CHECK(queue.size() == 100);
}

TEST_CASE("drop_oldest makes room with as few of the oldest as it takes") {
    FrameQueue queue;
    for (std::string_view frame : {"aaa", "bbb", "ccc"})
        queue.add(frame, Unit::droppable, {{9, 100}, SlowPolicy::drop_oldest});
    CHECK(queue.add("d", Unit::droppable, {{9, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::queued);
    CHECK(queue.dropped() == 1);
    CHECK(queue.size() == 7);
    CHECK(queue.add("eeee", Unit::droppable, {{9, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::queued);
    CHECK(queue.dropped() == 2);
    CHECK(queue.frames() == 3);
    CHECK(drain(queue) == "cccdeeee");
}

TEST_CASE("drop_oldest spares frames that have been begun or must not be dropped") {
    FrameQueue queue;
    queue.push("begun", Unit::droppable);
    queue.push("kept!", Unit::frame);
    queue.push("http!", Unit::raw);
    queue.push("first", Unit::droppable);
    queue.push("later", Unit::droppable);
    CHECK(drain(queue, 2) == "be");
    CHECK(queue.add("newer", Unit::droppable, {{23, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::queued);
    CHECK(queue.dropped() == 1);
    CHECK(queue.add("newest", Unit::droppable, {{23, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::queued);
    CHECK(queue.dropped() == 3);
    CHECK(drain(queue) == "gunkept!http!newest");
}

TEST_CASE("drop_oldest spares a frame whose beginning went before it was queued") {
    FrameQueue queue;
    queue.push("rest", Unit::droppable, true);
    CHECK(queue.add("new", Unit::droppable, {{4, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::dropped);
    CHECK(drain(queue) == "rest");
    queue.push("whole", Unit::droppable, false);
    CHECK(queue.add("new", Unit::droppable, {{5, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::queued);
    CHECK(drain(queue) == "new");
}

TEST_CASE("a frame that can never fit drops no others") {
    FrameQueue queue;
    for (std::string_view frame : {"a", "b", "c"}) queue.push(frame, Unit::droppable);
    CHECK(queue.add("too long", Unit::droppable, {{5, 100}, SlowPolicy::drop_oldest}) == FrameQueue::Added::dropped);
    CHECK(queue.dropped() == 0);
    CHECK(drain(queue) == "abc");
}

TEST_CASE("a frame for which no room can be made drops no others") {
    const std::string key = GENERATE("", "k");
    FrameQueue queue;
    queue.push("begun", Unit::droppable);
    queue.push("kept", Unit::frame);
    queue.push("a", Unit::droppable, false, key);
    CHECK(drain(queue, 1) == "b");
    CHECK(queue.add("x", Unit::droppable, {{8, 100}, SlowPolicy::drop_oldest}, key) == FrameQueue::Added::dropped);
    CHECK(queue.add("x", Unit::droppable, {{100, 2}, SlowPolicy::drop_oldest}, key) == FrameQueue::Added::dropped);
    CHECK(queue.dropped() == 0);
    CHECK(queue.coalesced() == 0);
    CHECK(queue.add("x", Unit::droppable, {{9, 3}, SlowPolicy::drop_oldest}, key) == FrameQueue::Added::queued);
    CHECK(queue.dropped() + queue.coalesced() == 1);
    CHECK(drain(queue) == "egunkeptx");
    CHECK(queue.add("y", Unit::droppable, {{1, 1}, SlowPolicy::drop_oldest}, key) == FrameQueue::Added::queued);
    CHECK(drain(queue) == "y");
}

TEST_CASE("shed drops all frames but that which was begun, and no HTTP") {
    FrameQueue queue;
    queue.push("begun", Unit::droppable);
    queue.push("frame", Unit::frame);
    queue.push("http", Unit::raw);
    queue.push("droppable", Unit::droppable);
    drain(queue, 1);
    CHECK(shed(queue) == 1);
    CHECK(queue.size() == 8);
    CHECK(queue.frames() == 2);
    queue.push("close", Unit::frame);
    CHECK(drain(queue) == "egunhttpclose");

    queue.push("whole", Unit::droppable);
    shed(queue);
    CHECK(queue.empty());
    CHECK(drain(queue).empty());
}

TEST_CASE("a frame with a key takes the place of those that wait with it, at the end") {
    FrameQueue queue;
    for (auto [frame, key] : {std::pair("a1 ", "a"), {"b1 ", "b"}, {"x ", ""}, {"a2 ", "a"}, {"b2 ", "b"}, {"y ", ""}})
        CHECK(queue.add(frame, Unit::droppable, {wide, SlowPolicy::disconnect}, key) == FrameQueue::Added::queued);
    CHECK(queue.frames() == 4);
    CHECK(queue.size() == 10);
    CHECK(queue.coalesced() == 2);
    CHECK(queue.dropped() == 0);
    CHECK(drain(queue) == "x a2 b2 y ");
}

TEST_CASE("a frame with a key spares what has been begun, and what must not be dropped") {
    FrameQueue queue;
    queue.add("begun ", Unit::droppable, {wide, SlowPolicy::disconnect}, "a");
    CHECK(drain(queue, 3) == "beg");
    queue.add("frame ", Unit::frame, {wide, SlowPolicy::disconnect}, "a");
    queue.add("a1 ", Unit::droppable, {wide, SlowPolicy::disconnect}, "a");
    queue.add("a2 ", Unit::droppable, {wide, SlowPolicy::disconnect}, "a");
    CHECK(queue.coalesced() == 1);
    CHECK(drain(queue) == "un frame a2 ");
}

TEST_CASE("a frame with a key needs no room beside the one that it replaces") {
    for (SlowPolicy policy : {SlowPolicy::disconnect, SlowPolicy::drop_newest, SlowPolicy::drop_oldest}) {
        FrameQueue queue;
        for (auto [frame, key] : {std::pair("aaaa", "a"), {"bbbb", "b"}})
            CHECK(queue.add(frame, Unit::droppable, {{8, 2}, policy}, key) == FrameQueue::Added::queued);
        CHECK(queue.add("AAAA", Unit::droppable, {{8, 2}, policy}, "a") == FrameQueue::Added::queued);
        CHECK(queue.size() == 8);
        FrameQueue::Added larger = queue.add("BBBBB", Unit::droppable, {{8, 2}, policy}, "b");
        if (policy == SlowPolicy::drop_oldest) {
            CHECK(larger == FrameQueue::Added::queued);
            CHECK(drain(queue) == "BBBBB");
        } else {
            CHECK(larger ==
                  (policy == SlowPolicy::disconnect ? FrameQueue::Added::overflow : FrameQueue::Added::dropped));
            CHECK(drain(queue) == "bbbbAAAA");  // the older one is better than none
        }
    }
}

TEST_CASE("a policy drops its sender's own frames only") {
    const Terms mine{{100, 3}, SlowPolicy::drop_oldest, 1}, others{{100, 3}, SlowPolicy::drop_oldest, 2};
    FrameQueue queue;
    for (auto [frame, terms] : {std::pair("a1 ", &mine), {"b1 ", &others}, {"a2 ", &mine}, {"a3 ", &mine}})
        CHECK(queue.add(frame, Unit::droppable, *terms) == FrameQueue::Added::queued);
    CHECK(queue.dropped() == 1);
    CHECK(queue.add("b2 ", Unit::droppable, others) == FrameQueue::Added::queued);
    CHECK(queue.dropped() == 2);
    for (const char* frame : {"a4 ", "a5 "})
        CHECK(queue.add(frame, Unit::droppable, mine) == FrameQueue::Added::queued);
    CHECK(queue.add("x ", Unit::droppable, {{100, 3}, SlowPolicy::drop_oldest, 3}) == FrameQueue::Added::dropped);
    CHECK(drain(queue) == "b2 a4 a5 ");
    CHECK(queue.add("a6 ", Unit::droppable, mine) == FrameQueue::Added::queued);
    CHECK(drain(queue) == "a6 ");
}

TEST_CASE("a key replaces its sender's own frames only") {
    const Terms mine{wide, SlowPolicy::disconnect, 1}, others{wide, SlowPolicy::disconnect, 2};
    FrameQueue queue;
    for (auto [frame, terms] : {std::pair("a1 ", &mine), {"b1 ", &others}, {"a2 ", &mine}})
        queue.add(frame, Unit::droppable, *terms, "key");
    CHECK(queue.coalesced() == 1);
    CHECK(drain(queue) == "b1 a2 ");
}

TEST_CASE("what is shed is told of by its sender") {
    FrameQueue queue;
    queue.push("a", Unit::droppable, false, {}, 1);
    queue.push("b", Unit::droppable, false, {}, 2);
    queue.push("c", Unit::frame);
    queue.push("d", Unit::droppable, false, {}, 2);
    std::string told;
    auto tell = [&](SenderId sender) { told += std::to_string(sender) + ' '; };
    queue.for_each_droppable(tell);
    CHECK(told == "1 2 2 ");
    told.clear();
    drain(queue, 0);
    queue.shed(tell);
    CHECK(told == "1 2 2 ");
    CHECK(queue.empty());
}

TEST_CASE("dropping for ever takes no more memory than the limit") {
    FrameQueue queue;
    const std::string frame(100, 'x');
    for (int i = 0; i < 100000; ++i)
        REQUIRE(queue.add(frame, Unit::droppable, {{1000, 1000}, SlowPolicy::drop_oldest}) ==
                FrameQueue::Added::queued);
    CHECK(queue.size() == 1000);
    CHECK(queue.frames() == 10);
    CHECK(queue.dropped() == 100000 - 10);
    CHECK(drain(queue).size() == 1000);
}

// Or a message for many slow members would move what waits for all of them at once.
TEST_CASE("what waits stays where it is, whatever comes and goes") {
    constexpr std::size_t size = 1000;
    FrameQueue queue;
    std::vector<const void*> places;
    auto look = [&](const Pieces& pieces) {
        places.clear();
        for (const auto& piece : pieces) places.push_back(piece.data());
        return 0;
    };
    queue.push("direct", Unit::frame);
    for (int i = 0; i < 50; ++i) queue.push(std::string(size, 'a'), Unit::droppable);
    queue.drain(look);
    auto before = places;
    REQUIRE(before.size() == 51);
    for (int i = 0; i < 1000; ++i) {
        queue.push(std::string(size, 'b'), Unit::droppable);
        queue.drain(look);
        REQUIRE(std::equal(before.begin() + 1, before.end(), places.begin() + 1));
    }
    for (std::size_t left : {31u, 21u}) {  // what is dropped lies before all others but one
        CHECK(queue.add(std::string(size, 'c'), Unit::droppable, {{wide.bytes, left}, SlowPolicy::drop_oldest}) ==
              FrameQueue::Added::queued);
        before = places;
        queue.drain(look);
        REQUIRE(places.size() == left);
        if (left == 21) CHECK(std::equal(places.begin() + 1, places.end() - 1, before.end() - 19));
    }
}

// Against a model that is too simple to be wrong.
TEST_CASE("a queue does the same as a list of strings") {
    struct Frame {
        std::string bytes;
        Unit unit;
        bool begun;
        std::string key;
        SenderId sender;
    };
    const std::string keys[] = {"", "k", "key", "kex"};
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random(seed);
        auto below = [&](unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(random); };
        FrameQueue queue;
        std::deque<Frame> model;
        const Backlog limit{50 + below(20000), 1 + below(30)};
        const unsigned longest = 1 + below(static_cast<unsigned>(limit.bytes));
        auto size = [&] {
            std::size_t sum = 0;
            for (const Frame& frame : model) sum += frame.bytes.size();
            return sum;
        };
        char name = 'a';
        std::uint64_t coalesced = 0, dropped = 0;
        for (int step = 0; step < 300; ++step) {
            if (below(3) > 0) {
                std::string bytes(1 + below(longest), name = name == 'z' ? 'a' : static_cast<char>(name + 1));
                auto unit = static_cast<Unit>(below(3));
                auto policy = static_cast<SlowPolicy>(below(3));
                std::string key = seed % 2 && unit == Unit::droppable ? keys[below(4)] : "";
                auto sender = static_cast<SenderId>(seed % 3 == 0 ? below(3) : 0);
                auto droppable = [&](const Frame& frame) {
                    return frame.unit == Unit::droppable && !frame.begun && frame.sender == sender;
                };
                auto stale = [&](const Frame& frame) { return droppable(frame) && !key.empty() && frame.key == key; };
                std::deque<Frame> before = model;
                std::erase_if(model, stale);
                auto fits = [&] { return model.size() < limit.messages && size() + bytes.size() <= limit.bytes; };
                auto expected = FrameQueue::Added::queued;
                if (!fits() && policy == SlowPolicy::disconnect) expected = FrameQueue::Added::overflow;
                if (!fits() && policy == SlowPolicy::drop_newest) expected = FrameQueue::Added::dropped;
                auto replaced = before.size() - model.size();
                while (!fits() && expected == FrameQueue::Added::queued) {
                    auto oldest = std::find_if(model.begin(), model.end(), droppable);
                    if (oldest == model.end())
                        expected = FrameQueue::Added::dropped;
                    else
                        model.erase(oldest);
                }
                if (expected == FrameQueue::Added::queued) {
                    coalesced += replaced;
                    dropped += before.size() - replaced - model.size();
                    model.push_back({bytes, unit, false, key, sender});
                } else {
                    model = std::move(before);
                }
                REQUIRE(queue.add(bytes, unit, {limit, policy, sender}, key) == expected);
                REQUIRE(queue.coalesced() == coalesced);
                REQUIRE(queue.dropped() == dropped);
            } else if (below(20) == 0) {
                std::erase_if(model, [](const Frame& f) { return f.unit != Unit::raw && !f.begun; });
                shed(queue);
            } else {
                std::string got = drain(queue, below(3 * longest)), expected;
                while (!model.empty() && expected.size() < got.size()) {
                    Frame& front = model.front();
                    std::size_t part = std::min(front.bytes.size(), got.size() - expected.size());
                    expected += front.bytes.substr(0, part);
                    front.bytes.erase(0, part);
                    front.begun = true;
                    if (front.bytes.empty()) model.pop_front();
                }
                REQUIRE(got == expected);
            }
            REQUIRE(queue.size() == size());
            REQUIRE(queue.frames() == model.size());
            REQUIRE(queue.empty() == model.empty());
        }
        std::string expected;
        for (const Frame& frame : model) expected += frame.bytes;
        REQUIRE(drain_all(queue) == expected);
    }
}
