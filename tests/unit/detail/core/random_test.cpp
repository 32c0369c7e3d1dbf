#include "catch.hpp"
#include <kvolt/detail/core/random.hpp>

#include <array>
#include <cstdint>
#include <set>
#include <thread>

using kvolt::detail::random_fraction;
using kvolt::detail::random_value;

TEST_CASE("random values do not repeat, neither within a thread nor between threads") {
    std::set<std::uint64_t> seen;
    auto take = [](std::set<std::uint64_t>& into) {
        for (int i = 0; i < 1000; ++i) into.insert(random_value<std::uint64_t>());
    };
    std::set<std::uint64_t> others;
    std::thread other([&] { take(others); });
    take(seen);
    other.join();
    seen.merge(others);
    CHECK(seen.size() == 2000);
}

TEST_CASE("random values of every size use all of their bits") {
    std::array<unsigned char, 7> ones{};
    std::array<unsigned char, 7> zeros{};
    for (int i = 0; i < 200; ++i) {
        auto value = random_value<std::array<unsigned char, 7>>();
        for (std::size_t at = 0; at < value.size(); ++at) {
            ones[at] = static_cast<unsigned char>(ones[at] | value[at]);
            zeros[at] = static_cast<unsigned char>(zeros[at] | ~value[at]);
        }
    }
    for (std::size_t at = 0; at < ones.size(); ++at) CHECK((ones[at] == 0xFF && zeros[at] == 0xFF));
}

TEST_CASE("random fractions lie from 0 to 1, and everywhere") {
    std::array<int, 10> tenths{};
    for (int i = 0; i < 2000; ++i) {
        double fraction = random_fraction();
        REQUIRE((fraction >= 0 && fraction < 1));
        ++tenths[static_cast<std::size_t>(fraction * 10)];
    }
    for (int count : tenths) CHECK(count > 0);
}
