#include "catch.hpp"
#include <kvolt/detail/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using namespace kvolt::detail;
using namespace std::string_literals;

namespace {

std::string frame(Opcode opcode, std::string_view payload) {
    std::string out;
    append_frame(out, opcode, payload);
    return out;
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
    std::string out;
    append_close(out, code, reason);
    return out;
}

// A client's frame, masked with zeroes.
std::string masked(int first, std::string_view payload) {
    std::string out = frame(Opcode::text, payload);
    std::size_t head = out.size() - payload.size();
    out[0] = static_cast<char>(first);
    out[1] = static_cast<char>(out[1] | '\x80');
    out.insert(head, 4, '\0');
    return out;
}

struct Count {
    std::size_t peak;
    bool in_message;

    bool operator==(const Count&) const = default;
};

Count count(const std::string& bytes, std::size_t step = 1 << 30) {
    FrameCounter counter;
    for (std::size_t at = 0; at < bytes.size(); at += step) counter.feed(std::string_view(bytes).substr(at, step));
    return {counter.peak(), counter.in_message()};
}

}  // namespace

TEST_CASE("frames of a server as in RFC 6455, section 5.7") {
    CHECK(frame(Opcode::text, "Hello") == "\x81\x05Hello");
    CHECK(frame(Opcode::ping, "Hello") == "\x89\x05Hello");
    CHECK(frame(Opcode::binary, std::string(256, 'x')) == "\x82\x7E\x01\x00"s + std::string(256, 'x'));
    CHECK(frame(Opcode::binary, std::string(65536, 'x')) ==
          "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"s + std::string(65536, 'x'));
    CHECK(frame(Opcode::text, "") == "\x81\x00"s);
}

TEST_CASE("the length takes as few bytes as it can") {
    for (std::size_t size : {0, 1, 125, 126, 127, 255, 65534, 65535, 65536, 65537, 1000000}) {
        CAPTURE(size);
        std::string bytes = frame(Opcode::binary, std::string(size, 'x'));
        CHECK(bytes.size() == size + (size < 126 ? 2 : size < 65536 ? 4 : 10));
        CHECK(frame_size(bytes) == bytes.size());
        CHECK(frame_size(bytes + "more") == bytes.size());
    }
}

TEST_CASE("a frame is appended behind what is there") {
    std::string out = frame(Opcode::text, "a");
    append_frame(out, Opcode::binary, "b");
    CHECK(out == "\x81\x01"s + "a\x82\x01"s + "b");
}

TEST_CASE("a close frame has code and reason, or neither") {
    CHECK(close_frame(1000, "") == "\x88\x02\x03\xE8"s);
    CHECK(close_frame(4999, "own") == "\x88\x05\x13\x87own"s);
    CHECK(close_frame(1005, "ignored") == "\x88\x00"s);
}

TEST_CASE("a reason that is too long is cut between characters") {
    struct Case {
        std::string reason;
        std::size_t kept;
    };
    for (const Case& c : {
             Case{std::string(123, 'x'), 123},
             Case{std::string(124, 'x'), 123},
             Case{std::string(5000, 'x'), 123},
             Case{std::string(121, 'x') + "\xC3\xA9", 123},
             Case{std::string(122, 'x') + "\xC3\xA9", 122},
             Case{std::string(121, 'x') + "\xE2\x82\xAC", 121},
             Case{std::string(120, 'x') + "\xF0\x9F\x98\x80", 120},
             Case{std::string(119, 'x') + "\xF0\x9F\x98\x80", 123},
         }) {
        CAPTURE(c.reason);
        std::string bytes = close_frame(1001, c.reason);
        CHECK(bytes.size() == 4 + c.kept);
        CHECK(frame_size(bytes) == bytes.size());
        CHECK(bytes.substr(4) == c.reason.substr(0, c.kept));
    }
}

TEST_CASE("text that ends inside a character") {
    for (const char* text :
         {"\xCF", "abc\xC3", "\xE2", "\xE2\x82", "x\xF0", "x\xF0\x9F", "x\xF0\x9F\x98", "\xC3\xA9\xC3"}) {
        CAPTURE(text);
        CHECK(ends_inside_character(text));
    }
    for (const char* text :
         {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80x", "\xC3\xA9z"}) {
        CAPTURE(text);
        CHECK_FALSE(ends_inside_character(text));
    }
}

TEST_CASE("the frames of a message are counted, whatever they hold and however they arrive") {
    struct Case {
        std::string what, bytes;
        Count expected;
    };
    const std::string ping = masked(0x89, "ping"), pong = masked(0x8A, "");
    for (const Case& c : {
             Case{"nothing", "", {0, false}},
             Case{"one message", masked(0x81, "hello"), {1, false}},
             Case{"an empty message", masked(0x82, ""), {1, false}},
             Case{"two messages", masked(0x81, "a") + masked(0x82, "b"), {1, false}},
             Case{"three fragments", masked(0x01, "a") + masked(0x00, "b") + masked(0x80, "c"), {3, false}},
             Case{"empty fragments", masked(0x01, "") + masked(0x00, "") + masked(0x80, ""), {3, false}},
             Case{"a message that goes on", masked(0x02, "a") + masked(0x00, "b"), {2, true}},
             Case{"control frames between",
                  masked(0x01, "a") + ping + masked(0x00, "b") + pong + masked(0x80, "c"),
                  {3, false}},
             Case{"a control frame within a message that goes on", masked(0x01, "a") + ping, {1, true}},
             Case{"only control frames", ping + pong + ping, {0, false}},
             Case{"the peak stays",
                  masked(0x01, "a") + masked(0x00, "b") + masked(0x80, "c") + masked(0x81, "d"),
                  {3, false}},
             Case{"a payload that looks like frames", masked(0x81, masked(0x01, "a") + masked(0x00, "b")), {1, false}},
             Case{"126 bytes", masked(0x01, std::string(126, '\x01')) + masked(0x80, ""), {2, false}},
             Case{"65536 bytes", masked(0x01, std::string(65536, '\x01')) + masked(0x80, ""), {2, false}},
             Case{"half a payload", masked(0x81, "hello").substr(0, 9), {1, true}},
         }) {
        CAPTURE(c.what);
        for (std::size_t step : {1, 2, 3, 7, 1000, 1 << 30}) {
            CAPTURE(step);
            CHECK(count(c.bytes, step) == c.expected);
        }
    }
}

TEST_CASE("a frame without a mask does not put the count out of step") {
    CHECK(count(frame(Opcode::text, "Hello") + masked(0x01, "a") + masked(0x00, "b")) == Count{2, true});
}

TEST_CASE("a length of nearly 2^64 is counted as one frame that never ends") {
    FrameCounter counter;
    counter.feed("\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\0\0"s);
    for (int i = 0; i < 100; ++i) counter.feed(std::string(1000, '\0'));
    CHECK(counter.peak() == 1);
    CHECK(counter.in_message());
}
