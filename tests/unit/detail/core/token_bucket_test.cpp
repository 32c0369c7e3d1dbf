#include "catch.hpp"
#include <kvolt/detail/core/token_bucket.hpp>

#include <chrono>

using namespace std::chrono_literals;
using kvolt::detail::TokenBucket;

TEST_CASE("a token bucket begins full, and fills at its rate") {
    auto now = TokenBucket::Clock::time_point(1000s);
    TokenBucket bucket(3, now);
    auto take = [&] { return bucket.take(10, 3, now); };
    for (bool expected : {true, true, true, false, false}) CHECK(take() == expected);
    now += 99ms;
    CHECK_FALSE(take());
    now += 2ms;
    CHECK(take());
    CHECK_FALSE(take());
    now += 1h;  // holds no more than the burst
    for (bool expected : {true, true, true, false}) CHECK(take() == expected);
    now -= 1s;  // a clock that goes back gives nothing
    CHECK_FALSE(take());
    CHECK(bucket.tokens() < 1);
}
