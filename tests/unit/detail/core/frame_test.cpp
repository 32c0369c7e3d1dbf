#include "catch.hpp"
#include <kvolt/detail/core/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using namespace kvolt::detail;
using namespace std::string_literals;

namespace {

std::string frame(Opcode opcode, std::string_view payload) {
    std::string out;
    append_frame(out, opcode, payload);
    return out;
}

std::string closing_frame(std::uint16_t code, std::string_view reason) {
    std::string out;
    append_close(out, code, reason);
    return out;
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
    CHECK(closing_frame(1000, "") == "\x88\x02\x03\xE8"s);
    CHECK(closing_frame(4999, "own") == "\x88\x05\x13\x87own"s);
    CHECK(closing_frame(1005, "ignored") == "\x88\x00"s);
}

TEST_CASE("a reason is UTF-8, or the peer would fail the connection") {
    CHECK(closing_frame(1000, "caf\xE9") ==
          "\x88\x08\x03\xE8"
          "caf\xEF\xBF\xBD"s);
    CHECK(closing_frame(1000, std::string(124, '\xFF')).size() == 4 + 123);
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
        std::string bytes = closing_frame(1001, c.reason);
        CHECK(bytes.size() == 4 + c.kept);
        CHECK(frame_size(bytes) == bytes.size());
        CHECK(bytes.substr(4) == c.reason.substr(0, c.kept));
    }
}

TEST_CASE("codes that a close frame may carry") {
    for (int code = 0; code < 65536; ++code) {
        bool expected =
            (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        if (is_sendable(static_cast<std::uint16_t>(code)) != expected) FAIL("code " << code);
    }
}
