#include "catch.hpp"
#include <kvolt/detail/core/list.hpp>

#include <string>
#include <string_view>
#include <vector>

using kvolt::detail::is_token;
using kvolt::detail::quoted;
using kvolt::detail::quotes_end;
using kvolt::detail::take_item;
using kvolt::detail::trimmed;
using kvolt::detail::unquoted;

using Items = std::vector<std::string>;

namespace {

Items items(std::string_view list, char separator = ',', bool quotes = false) {
    Items result;
    while (!list.empty()) result.emplace_back(take_item(list, separator, quotes));
    return result;
}

}  // namespace

TEST_CASE("a token") {
    CHECK(is_token("X-Request-Id"));
    CHECK(is_token("!#$%&'*+-.^_`|~09azAZ"));
    for (std::string_view text : {"", " ", "a b", "a:b", "a,b", "\"a\"", "(a)", "a/b", "caf\xC3\xA9", "a\t"})
        CHECK_FALSE(is_token(text));
    CHECK_FALSE(is_token(std::string_view("a\0", 2)));
}

TEST_CASE("spaces and tabs around a text are no part of it") {
    CHECK(trimmed("").empty());
    CHECK(trimmed(" \t ").empty());
    CHECK(trimmed("\t a b \t") == "a b");
    CHECK(trimmed("\na") == "\na");
}

TEST_CASE("the items of a list") {
    CHECK(items("").empty());
    CHECK(items("a") == Items{"a"});
    CHECK(items(" a ,\tb\t,c d ") == Items{"a", "b", "c d"});
    CHECK(items(",, a ,") == Items{"", "", "a"});
    CHECK(items("a;q=1,b", ';') == Items{"a", "q=1,b"});
    CHECK(items(R"("a,b",c)") == Items{"\"a", "b\"", "c"});
}

TEST_CASE("a separator in a quoted string is none") {
    CHECK(items(R"(a="b,c", d)", ',', true) == Items{R"(a="b,c")", "d"});
    CHECK(items(R"("a\",b",c)", ',', true) == Items{R"("a\",b")", "c"});
    CHECK(items(R"(a\,b)", ',', true) == Items{"a\\", "b"});
    CHECK(items(R"("a,b)", ',', true) == Items{R"("a,b)"});
    CHECK(items(R"("a\)", ',', true) == Items{R"("a\)"});
}

TEST_CASE("whether every quoted string ends") {
    for (std::string_view text : {"", "a", R"("a")", R"("a\"b")", R"(\"a")", R"("a""b")"}) CHECK(quotes_end(text));
    for (std::string_view text : {R"(")", R"("a)", R"("a\")", R"("a"")"}) CHECK_FALSE(quotes_end(text));
}

TEST_CASE("quoted strings") {
    CHECK(quoted("") == R"("")");
    CHECK(quoted(R"(a"b\c)") == R"("a\"b\\c")");
    for (std::string_view text : {"", "a", "a b", R"(a"b\c)"}) CHECK(unquoted(quoted(text)) == std::string(text));
    CHECK(unquoted("plain") == "plain");
    CHECK(unquoted(R"("\a")") == "a");
    for (std::string_view text : {R"(")", R"("a)", R"("a\")", R"("a"b)", R"("a\)"}) CHECK_FALSE(unquoted(text));
}
