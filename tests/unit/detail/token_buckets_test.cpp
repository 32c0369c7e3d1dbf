#include "catch.hpp"
#include <kvolt/detail/token_buckets.hpp>

#include <chrono>
#include <string>

using kvolt::detail::TokenBuckets;
using namespace std::chrono_literals;

TEST_CASE("a bucket is full at first, runs dry, and fills again at its rate") {
    TokenBuckets buckets(2, 4, 10);
    TokenBuckets::Clock::time_point now{};
    for (int i = 3; i >= 0; --i) {
        auto taken = buckets.take("a", now);
        CHECK(taken.allowed);
        CHECK(taken.left == i);
        CHECK(taken.seconds_all == (4 - i) / 2.0);
    }
    auto dry = buckets.take("a", now);
    CHECK_FALSE(dry.allowed);
    CHECK(dry.seconds_one == 0.5);
    CHECK(dry.seconds_all == 2);
    CHECK_FALSE(buckets.take("a", now + 499ms).allowed);
    CHECK(buckets.take("a", now + 500ms).allowed);
    CHECK_FALSE(buckets.take("a", now + 500ms).allowed);
    CHECK(buckets.take("a", now + 1h).left == 3);
}

TEST_CASE("every key has its own bucket") {
    TokenBuckets buckets(1, 1, 10);
    CHECK(buckets.take("a", {}).allowed);
    CHECK(buckets.take("b", {}).allowed);
    CHECK_FALSE(buckets.take("a", {}).allowed);
}

TEST_CASE("a clock that goes back gives nothing") {
    TokenBuckets buckets(1, 1, 10);
    TokenBuckets::Clock::time_point now{1h};
    CHECK(buckets.take("a", now).allowed);
    CHECK_FALSE(buckets.take("a", now - 1h).allowed);
    CHECK_FALSE(buckets.take("a", now + 900ms).allowed);
    CHECK(buckets.take("a", now + 1s).allowed);
}

TEST_CASE("the bucket that was not used for longest is forgotten first") {
    TokenBuckets buckets(1, 1, 3);
    for (const char* key : {"a", "b", "c", "a", "d"}) buckets.take(key, {});  // b goes
    CHECK(buckets.size() == 3);
    CHECK_FALSE(buckets.take("a", {}).allowed);
    CHECK_FALSE(buckets.take("c", {}).allowed);
    CHECK_FALSE(buckets.take("d", {}).allowed);
    CHECK(buckets.take("b", {}).allowed);
    for (int i = 0; i < 10000; ++i) buckets.take(std::to_string(i), {});
    CHECK(buckets.size() == 3);
}
