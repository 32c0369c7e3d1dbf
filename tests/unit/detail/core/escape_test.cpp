#include "catch.hpp"
#include <kvolt/detail/core/escape.hpp>
#include <kvolt/detail/core/utf8.hpp>

#include <string>

using kvolt::detail::append_log_text;
using kvolt::detail::json_string;
using kvolt::detail::printable;
using namespace std::string_literals;

TEST_CASE("a JSON string escapes what RFC 8259 says, and what steers terminals or ends lines") {
    CHECK(json_string("") == R"("")");
    CHECK(json_string("no such user") == R"("no such user")");
    CHECK(json_string("say \"hi\" \\ /") == R"("say \"hi\" \\ /")");
    CHECK(json_string("a\nb\tc\x1F\0"s) == R"("a\u000ab\u0009c\u001f\u0000")");
    CHECK(json_string("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") == "\"caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
    CHECK(json_string("\x7F \xC2\x80 \xC2\x9B[2K \xC2\x9F \xC2\xA0") ==
          "\"\\u007f \\u0080 \\u009b[2K \\u009f \xC2\xA0\"");
    CHECK(json_string("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9") == "\"\xE2\x80\xA7\\u2028\\u2029\"");
}

TEST_CASE("a JSON string is UTF-8, whatever it is made of") {
    const std::string unknown = "\xEF\xBF\xBD";
    CHECK(json_string("no user \xFF") == "\"no user " + unknown + '"');
    CHECK(json_string("\xC3\"\n") == '"' + unknown + R"(\"\u000a")");
    CHECK(json_string("caf\xE9!") == "\"caf" + unknown + "!\"");
    std::string bytes;
    for (int first = 0; first < 256; ++first)
        for (int second = 0; second < 256; ++second) {
            bytes = {static_cast<char>(first), static_cast<char>(second)};
            if (!kvolt::detail::is_utf8(json_string(bytes))) FAIL_CHECK(first << ' ' << second);
        }
}

TEST_CASE("a text for a log is printable ASCII") {
    std::string out = "> ";
    append_log_text(out, "a\n\xC3\"\\\x7F");
    CHECK(out == R"(> a\x0a\xc3\"\\\x7f)");
}

TEST_CASE("what a server says fits into one line") {
    CHECK(printable("a\r\nb\x1B[1m\x7F\xC3\xA9") == "a  b [1m ??");
    CHECK(printable(std::string(300, 'x')) == std::string(200, 'x'));
}
