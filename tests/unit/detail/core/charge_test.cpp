#include "catch.hpp"
#include <kvolt/detail/core/charge.hpp>

#include <atomic>
#include <cstddef>
#include <utility>

using kvolt::detail::Charge;

TEST_CASE("a charge counts for as long as it lives, wherever it is moved") {
    std::atomic<std::size_t> sum{0};
    {
        Charge first(sum, 10);
        CHECK(sum == 10);
        Charge second(sum, 5);
        CHECK(sum == 15);
        Charge moved = std::move(first);
        CHECK(sum == 15);
        second = std::move(moved);
        CHECK(sum >= 10);
        { Charge none = std::move(second); }
        CHECK(sum <= 5);
    }
    CHECK(sum == 0);
}

TEST_CASE("a charge of nothing counts nowhere") {
    Charge none;
    Charge other = std::move(none);
    none = std::move(other);
}
