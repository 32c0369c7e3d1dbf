#include "catch.hpp"
#include <kvolt/detail/core/utf8.hpp>

#include <cstddef>
#include <random>
#include <string>
#include <string_view>

using namespace kvolt::detail;

namespace {

// How many bytes are taken before the check fails; one more than there are if it does not.
std::size_t right(std::string_view text, std::size_t step) {
    Utf8Check check;
    for (std::size_t at = 0; at < text.size(); at += step)
        if (!check.feed(text.substr(at, step))) return at;
    return text.size() + 1;
}

std::string encode(unsigned c) {
    auto byte = [](unsigned value) { return static_cast<char>(value); };
    if (c < 0x80) return {byte(c)};
    if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
    if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
    return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
}

}  // namespace

TEST_CASE("every character is UTF-8, but no surrogate and nothing above U+10FFFF") {
    for (unsigned c = 0; c < 0x120000; ++c) {
        bool expected = (c < 0xD800 || c > 0xDFFF) && c <= 0x10FFFF;
        if (is_utf8(encode(c)) != expected) FAIL("U+" << std::hex << c);
    }
}

TEST_CASE("text may be cut anywhere") {
    std::string text =
        "plain text, then \xC3\xA9 and \xE2\x82\xAC, \xF0\x9F\x98\x80\xF0\x9F\x98\x80 and more plain text";
    for (std::size_t step = 1; step <= text.size(); ++step) CHECK(right(text, step) == text.size() + 1);
    for (std::size_t end = 0; end <= text.size(); ++end) {
        Utf8Check check;
        CHECK(check.feed(std::string_view(text).substr(0, end)));
        bool between = end == text.size() || (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
        CHECK(check.complete() == between);
    }
}

TEST_CASE("wrong text fails at the first byte that cannot be right") {
    struct Case {
        std::string text;
        std::size_t right;
    };
    for (const Case& c : {
             Case{"\x80", 0},
             Case{"abcdefgh\xBFx", 8},
             Case{"abcdefghi\xFF", 9},
             Case{"\xC0\xAF", 0},
             Case{"\xC1\xBF", 0},
             Case{"\xC3(", 1},
             Case{"\xC3\xC3", 1},
             Case{"\xE0\x9F\xBF", 1},
             Case{"\xE2\x82(", 2},
             Case{"\xED\xA0\x80", 1},
             Case{"\xF0\x8F\xBF\xBF", 1},
             Case{"\xF0\x9F\x98(", 3},
             Case{"\xF4\x90\x80\x80", 1},
             Case{"\xF5\x80\x80\x80", 0},
             Case{"\xF8\x88\x80\x80\x80", 0},
         }) {
        CAPTURE(c.text);
        CHECK(right(c.text, 1) == c.right);
        CHECK_FALSE(is_utf8(c.text));
    }
}

TEST_CASE("text is as right in one piece as byte by byte") {
    std::mt19937 random(1);
    auto below = [&](unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(random); };
    const unsigned scripts[] = {0x20, 0x3B1, 0x65E5, 0x1F600};
    for (int round = 0; round < 20000; ++round) {
        std::string text;
        for (unsigned run = below(5); run > 0; --run) {
            unsigned script = scripts[below(4)];
            for (unsigned length = below(40); length > 0; --length) text += encode(script + below(16));
        }
        if (!text.empty() && below(3) > 0)
            text[below(static_cast<unsigned>(text.size()))] = static_cast<char>(below(256));
        Utf8Check whole;
        bool expected = right(text, 1) == text.size() + 1;
        if (whole.feed(text) != expected) FAIL("round " << round);
    }
}

TEST_CASE("text that ends inside a character is not complete") {
    for (const char* text :
         {"\xCF", "abc\xC3", "\xE2", "\xE2\x82", "x\xF0", "x\xF0\x9F", "x\xF0\x9F\x98", "\xC3\xA9\xC3"}) {
        CAPTURE(text);
        CHECK_FALSE(is_utf8(text));
    }
}

TEST_CASE("what is no character is replaced by U+FFFD, once for as much of one as there is") {
    // The examples of the Unicode Standard, section 3.9
    const std::string unknown = "\xEF\xBF\xBD";
    struct Case {
        std::string bytes, text;
    };
    for (const Case& c : {
             Case{"", ""},
             Case{"plain", "plain"},
             Case{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
             Case{"a\xFF"
                  "b",
                  "a" + unknown + "b"},
             Case{"\xC0\xAF", unknown + unknown},
             Case{"\xE0\x80\xBF", unknown + unknown + unknown},
             Case{"\xED\xA0\x80", unknown + unknown + unknown},
             Case{"\xF4\x91\x92\x93\xFF"
                  "A",
                  unknown + unknown + unknown + unknown + unknown + "A"},
             Case{"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                  "A",
                  unknown + unknown + unknown + unknown + "A"},
             Case{"\xF0\x9F\x98", unknown},
             Case{"\xC3", unknown},
         })
        CHECK(utf8_text(c.bytes) == c.text);
    for (unsigned c = 0; c < 0x120000; c += 7)
        if (!is_utf8(utf8_text(encode(c)))) FAIL("U+" << std::hex << c);
}
