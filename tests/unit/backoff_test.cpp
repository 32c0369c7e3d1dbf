#include "catch.hpp"
#include <kvolt/backoff.hpp>

#include <chrono>
#include <cstddef>
#include <vector>

using kvolt::Backoff;
using namespace std::chrono_literals;

TEST_CASE("backoff: the most that is waited doubles up to the cap, and chance takes any part of it") {
    struct Case {
        std::size_t failures;
        double chance;
        std::chrono::milliseconds delay;
    };
    Backoff backoff;
    backoff.first = 100ms;
    backoff.most = 1s;
    const std::vector<Case> cases = {
        {0, 1, 100ms}, {1, 1, 200ms}, {2, 1, 400ms},  {3, 1, 800ms},    {4, 1, 1s},      {1000000000, 1, 1s},
        {0, 0, 0ms},   {4, 0, 0ms},   {0, 0.5, 50ms}, {4, 0.25, 250ms}, {2, 0.5, 200ms},
    };
    for (const Case& c : cases) {
        CAPTURE(c.failures, c.chance);
        CHECK(backoff.delay(c.failures, c.chance) == c.delay);
    }
}

TEST_CASE("backoff: odd settings") {
    Backoff backoff;
    backoff.first = 5s;
    backoff.most = 1s;
    CHECK(backoff.delay(0, 1) == 1s);
    CHECK(backoff.delay(7, 1) == 1s);
    backoff.first = 0ms;
    CHECK(backoff.delay(1000000000, 1) == 0ms);
    backoff.first = -1s;
    CHECK(backoff.delay(3, 1) == 0ms);
    backoff.first = 1ms;
    backoff.most = Backoff::Duration::max();
    CHECK(backoff.delay(100, 0.5) > 24h * 365 * 1000);
}
