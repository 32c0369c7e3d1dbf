#include "catch.hpp"
#include <kvolt/detail/escape.hpp>

#include <string>

using kvolt::detail::append_escaped;
using kvolt::detail::json_string;
using kvolt::detail::printable;
using namespace std::string_literals;

TEST_CASE("a JSON string escapes what RFC 8259 says, and nothing else") {
    CHECK(json_string("") == R"("")");
    CHECK(json_string("no such user") == R"("no such user")");
    CHECK(json_string("say \"hi\" \\ /") == R"("say \"hi\" \\ /")");
    CHECK(json_string("a\nb\tc\x1F\0"s) == R"("a\u000ab\u0009c\u001f\u0000")");
    CHECK(json_string("caf\xC3\xA9 \x7F") == "\"caf\xC3\xA9 \x7F\"");
}

TEST_CASE("a JSON string of ASCII alone takes any bytes") {
    CHECK(json_string("a\xFF\x7F\n\"", true) == R"("a\u00ff\u007f\u000a\"")");
}

TEST_CASE("an escaped text is appended") {
    std::string out = "> ";
    append_escaped(out, "a\n\xC3\"\\", "\\x", true);
    CHECK(out == R"(> a\x0a\xc3\"\\)");
}

TEST_CASE("what a server says fits into one line") {
    CHECK(printable("a\r\nb\x1B[1m\x7F\xC3\xA9") == "a  b [1m ??");
    CHECK(printable(std::string(300, 'x')) == std::string(200, 'x'));
}
