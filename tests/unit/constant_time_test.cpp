#include "catch.hpp"
#include <kvolt/constant_time.hpp>

#include <string>
#include <string_view>

TEST_CASE("constant_time_equal is equality") {
    const std::string_view words[] = {"",
                                      "a",
                                      "b",
                                      "aa",
                                      "ab",
                                      "ba",
                                      "aaa",
                                      std::string_view("a\0", 2),
                                      std::string_view("\0", 1),
                                      std::string_view("\0\0", 2)};
    for (std::string_view a : words)
        for (std::string_view b : words) CHECK(kvolt::constant_time_equal(a, b) == (a == b));
    CHECK(kvolt::constant_time_equal(std::string(1000, 'x'), std::string(1000, 'x')));
    CHECK_FALSE(kvolt::constant_time_equal(std::string(1000, 'x'), std::string(999, 'x') + 'y'));
}
