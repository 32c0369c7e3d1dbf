#include "catch.hpp"
#include <kvolt/detail/websocket/frame_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace kvolt::detail;
using namespace std::string_literals;

namespace {

constexpr std::string_view mask = "\x37\xFA\x21\x3D";

// A client's frame.
std::string raw_frame(int first, std::string_view payload) {
    std::string out;
    append_frame(out, Opcode::text, payload);
    std::size_t head = out.size() - payload.size();
    out[0] = static_cast<char>(first);
    out[1] = static_cast<char>(out[1] | '\x80');
    for (std::size_t i = 0; i < payload.size(); ++i) out[head + i] = static_cast<char>(out[head + i] ^ mask[i % 4]);
    out.insert(head, mask);
    return out;
}

std::string close_frame(int code, std::string_view reason = {}) {
    std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 255)};
    return raw_frame(0x88, payload.append(reason));
}

// What a reader tells of `bytes` that come in steps, as one line.
std::string told(std::string bytes, std::size_t step = 1 << 30, std::size_t most_bytes = 1000,
                 std::size_t most_frames = 10, Role role = Role::server) {
    using Result = FrameReader::Result;
    FrameReader reader(most_bytes, most_frames, role);
    std::string all, unread;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        unread += bytes.substr(at, step);
        std::span<char> input(unread);
        for (bool more = true; more;) {
            switch (reader.read(input)) {
                case Result::more: more = false; break;
                case Result::message: {
                    auto message = reader.take_message();
                    all += (message.binary ? "binary " : "text ") + message.payload + "; ";
                    break;
                }
                case Result::ping: all += "ping " + std::string(reader.control()) + "; "; break;
                case Result::pong: all += "pong " + std::string(reader.control()) + "; "; break;
                case Result::close:
                    return all + "close " + std::to_string(reader.code()) + ' ' + std::string(reader.reason());
                case Result::fault: return all + "fault " + std::to_string(reader.code());
            }
        }
        CHECK(input.size() <= 130);
        unread = std::string(input.begin(), input.end());
    }
    if (reader.in_message()) all += "...";
    return all;
}

}  // namespace

TEST_CASE("frame reader: messages and control frames, however they arrive") {
    struct Case {
        std::string bytes;
        std::string expected;
    };
    const std::vector<Case> cases = {
        {"", ""},
        {"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"s, "text Hello; "},  // RFC 6455, section 5.7
        {raw_frame(0x81, ""), "text ; "},
        {raw_frame(0x82, "\xFF\0"s), "binary \xFF\0; "s},
        {raw_frame(0x81, std::string(125, 'a')), "text " + std::string(125, 'a') + "; "},
        {raw_frame(0x81, std::string(126, 'a')), "text " + std::string(126, 'a') + "; "},
        {raw_frame(0x81, std::string(999, 'a')), "text " + std::string(999, 'a') + "; "},
        {raw_frame(0x01, "Hel") + raw_frame(0x80, "lo"), "text Hello; "},
        {raw_frame(0x02, "Hel") + raw_frame(0x00, "") + raw_frame(0x80, "lo"), "binary Hello; "},
        {raw_frame(0x01, "\xE2") + raw_frame(0x00, "\x82") + raw_frame(0x80, "\xAC"), "text \xE2\x82\xAC; "},
        {raw_frame(0x01, "a") + raw_frame(0x89, "b") + raw_frame(0x80, "c"), "ping b; text ac; "},
        {raw_frame(0x8A, "") + raw_frame(0x89, std::string(125, 'p')), "pong ; ping " + std::string(125, 'p') + "; "},
        {raw_frame(0x81, "a") + raw_frame(0x82, "b") + raw_frame(0x81, "c"), "text a; binary b; text c; "},
        {raw_frame(0x01, "a"), "..."},
        {raw_frame(0x01, ""), "..."},
        {raw_frame(0x81, "abc").substr(0, 8), "..."},
        {raw_frame(0x81, "abc").substr(0, 5), ""},
        {raw_frame(0x88, "") + raw_frame(0x81, "never"), "close 1005 "},
        {raw_frame(0x01, "a") + close_frame(1000, "bye"), "close 1000 bye"},
        {close_frame(4999, std::string(123, 'r')), "close 4999 " + std::string(123, 'r')},
    };
    for (const Case& c : cases)
        for (std::size_t step : {1, 2, 3, 5, 7, 13, 64, 100000}) {
            CAPTURE(c.bytes, step);
            CHECK(told(c.bytes, step) == c.expected);
        }
}

TEST_CASE("frame reader: what breaks the protocol, however it arrives") {
    const std::string part = raw_frame(0x01, "a");
    struct Case {
        const char* name;
        std::string bytes;
        std::string expected;
    };
    const std::vector<Case> cases = {
        {"not masked", "\x81\x01"s + "a", "fault 1002"},
        {"RSV1", raw_frame(0xC1, "a"), "fault 1002"},
        {"RSV2", raw_frame(0xA1, "a"), "fault 1002"},
        {"RSV3 of a ping", raw_frame(0x99, "a"), "fault 1002"},
        {"opcode 3", raw_frame(0x83, "a"), "fault 1002"},
        {"opcode 11", raw_frame(0x8B, "a"), "fault 1002"},
        {"fragmented ping", raw_frame(0x09, "a"), "fault 1002"},
        {"ping of 126 bytes", raw_frame(0x89, std::string(126, 'a')), "fault 1002"},
        {"continuation of nothing", raw_frame(0x80, "a"), "fault 1002"},
        {"text within a message", part + raw_frame(0x81, "b"), "fault 1002"},
        {"1 in two bytes", "\x81\xFE\0\x01mask"s, "fault 1002"},
        {"125 in two bytes", "\x81\xFE\0\x7Dmask"s, "fault 1002"},
        {"65535 in eight bytes", "\x81\xFF\0\0\0\0\0\0\xFF\xFFmask"s, "fault 1002"},
        {"2^64 - 1", "\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask"s, "fault 1002"},
        {"2^63 - 1", "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFmask"s, "fault 1009"},
        {"1001 bytes", raw_frame(0x82, std::string(1001, 'a')).substr(0, 8), "fault 1009"},
        {"1001 bytes in two frames",
         raw_frame(0x02, std::string(500, 'a')) + raw_frame(0x80, std::string(501, 'a')).substr(0, 8), "fault 1009"},
        {"a wrong byte", raw_frame(0x01, "abc\xFF" + std::string(500, 'a')).substr(0, 12), "fault 1007"},
        {"a wrong byte in the second frame", raw_frame(0x01, "\xE2") + raw_frame(0x00, "A"), "fault 1007"},
        {"half a character", raw_frame(0x01, "\xE2") + raw_frame(0x80, ""), "fault 1007"},
        {"close of one byte", raw_frame(0x88, "\x03"), "fault 1002"},
        {"close 1005", close_frame(1005), "fault 1002"},
        {"close 999", close_frame(999), "fault 1002"},
        {"close with a wrong reason", close_frame(1000, "\xC0"), "fault 1007"},
        {"good ones before", raw_frame(0x89, "p") + raw_frame(0x81, "t") + raw_frame(0xF1, "x"),
         "ping p; text t; fault 1002"},
    };
    for (const Case& c : cases)
        for (std::size_t step : {1, 2, 3, 64, 100000}) {
            CAPTURE(c.name, step);
            CHECK(told(c.bytes, step) == c.expected);
        }
}

TEST_CASE("frame reader: a fault is told by the first byte that shows it") {
    struct Case {
        const char* name;
        std::string bytes;
    };
    for (const Case& c : {
             Case{"reserved bits", "\xC1"s},
             Case{"opcode", "\x83"s},
             Case{"fragmented control frame", "\x09"s},
             Case{"continuation of nothing", "\x80"s},
             Case{"no mask", "\x81\x01"s},
             Case{"long control frame", "\x89\xFE"s},
         }) {
        CAPTURE(c.name);
        CHECK(told(c.bytes) == "fault 1002");
    }
}

TEST_CASE("frame reader: limits") {
    CHECK(told(raw_frame(0x82, std::string(10, 'a')), 100, 10) == "binary aaaaaaaaaa; ");
    CHECK(told(raw_frame(0x82, std::string(11, 'a')), 100, 10) == "fault 1009");
    CHECK(told(raw_frame(0x01, "") + raw_frame(0x00, "") + raw_frame(0x80, ""), 100, 10, 3) == "text ; ");
    CHECK(told(raw_frame(0x01, "") + raw_frame(0x00, "") + raw_frame(0x00, "") + raw_frame(0x80, ""), 100, 10, 3) ==
          "fault 1008");
    std::string two = raw_frame(0x01, "a") + raw_frame(0x80, "b");
    CHECK(told(two + two + two, 1, 2, 2) == "text ab; text ab; text ab; ");
}

TEST_CASE("frame reader: a large message is not trusted to come") {
    FrameReader reader(std::size_t{1} << 40, 10);
    std::string head = "\x82\xFF\0\0\0\x10\0\0\0\0mask"s + "data";
    std::span<char> input(head);
    CHECK(reader.read(input) == FrameReader::Result::more);
    CHECK(input.empty());
    CHECK(reader.in_message());
}

TEST_CASE("frame reader: a client reads frames without masks, and none with one") {
    struct Case {
        std::string bytes, told;
    };
    std::string long_text(300, 'a'), split =
                                         "\x01\x03"
                                         "a\xC3\xA9"s +
                                         "\x89\x01p"s +
                                         "\x80\x01"
                                         "b"s;
    const std::vector<Case> cases = {
        {"\x81\x05Hello"s, "text Hello; "},
        {"\x82\x00"s, "binary ; "},
        {"\x81\x7E\x01\x2C"s + long_text, "text " + long_text + "; "},
        {split,
         "ping p; text a\xC3\xA9"
         "b; "},
        {"\x8A\x00"s, "pong ; "},
        {"\x88\x05\x03\xE9"
         "bye"s,
         "close 1001 bye"},
        {"\x88\x00"s, "close 1005 "},
        {"\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58"s, "fault 1002"},
        {"\x81\x80"s, "fault 1002"},
        {"\x88\x80"s, "fault 1002"},
        {"\xC1\x00"s, "fault 1002"},
        {"\x81\x01\xFF"s, "fault 1007"},
        {"\x81\x7E\x03\xE9"s, "fault 1009"},
    };
    for (const Case& c : cases)
        for (std::size_t step : {1u, 2u, 3u, 1000u}) {
            CAPTURE(c.told, step);
            CHECK(told(c.bytes, step, 1000, 10, Role::client) == c.told);
        }
}
