#include "catch.hpp"
#include <kvolt/detail/core/character_set.hpp>

#include <string_view>

using kvolt::detail::CharacterSet;

TEST_CASE("a set of characters knows its members") {
    constexpr CharacterSet set(std::string_view("ab\0\xFF", 4));
    for (int c = -128; c < 128; ++c)
        CHECK(set.has(static_cast<char>(c)) == (c == 'a' || c == 'b' || c == 0 || c == -1));
}

TEST_CASE("a text may be made of a set, or have some of it") {
    constexpr CharacterSet digits("0123456789");
    CHECK(digits.has_all("2026"));
    CHECK(digits.has_all(""));
    CHECK_FALSE(digits.has_all("20x6"));
    CHECK(digits.span("12x3") == 2);
    CHECK(digits.span("12") == 2);
    CHECK(digits.span("x") == 0);
    CHECK(digits.span("") == 0);
}
