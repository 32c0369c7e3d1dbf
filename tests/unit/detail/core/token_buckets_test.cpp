#include "catch.hpp"
#include <kvolt/detail/core/token_buckets.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <random>
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

TEST_CASE("a full bucket is forgotten, and nobody can tell") {
    TokenBuckets buckets(1, 10, 1000);
    TokenBuckets::Clock::time_point now{};
    for (int i = 0; i < 1000; ++i) buckets.take(std::to_string(i), now);
    for (int i = 0; i < 9; ++i) buckets.take("0", now);
    CHECK(buckets.size() == 1000);
    now += 2s;  // all are full but the one that was used up
    for (int i = 0; i < 1000; ++i) CHECK(buckets.take("other", now).allowed == (i < 10));
    CHECK(buckets.size() == 2);
    auto used = buckets.take("0", now);
    CHECK(used.allowed);
    CHECK(used.left == Approx(1));
    CHECK(buckets.take("1", now).left == Approx(9));
}

TEST_CASE("a full bucket makes way for a newcomer, others never do") {
    TokenBuckets buckets(1, 2, 3);
    TokenBuckets::Clock::time_point now{};
    buckets.take("a", now);                                                      // full at 1 s
    for (int i = 0; i < 2; ++i) buckets.take("b", now), buckets.take("c", now);  // full at 2 s
    now += 1100ms;
    CHECK(buckets.take("d", now).left == 1);
    CHECK(buckets.size() == 3);
    CHECK(buckets.take("b", now).left == Approx(0.1));
    CHECK_FALSE(buckets.take("b", now).allowed);
    CHECK(buckets.take("c", now).allowed);
    CHECK_FALSE(buckets.take("c", now).allowed);
}

TEST_CASE("when no bucket is full, the newcomers share one, so that nobody gets tokens by having others forgotten") {
    for (int networks : {101, 1000}) {
        TokenBuckets buckets(1.0 / 3600, 1, 100);
        TokenBuckets::Clock::time_point now{};
        int allowed = 0;
        for (int round = 0; round < 3; ++round)
            for (int i = 0; i < networks; ++i) allowed += buckets.take(std::to_string(i), now).allowed;
        CHECK(allowed == 101);
        CHECK(buckets.size() == 100);
        for (int i = 0; i < 100; ++i) CHECK_FALSE(buckets.take(std::to_string(i), now).allowed);
        now += 1h + 1min;  // which is 1/62 of the hour late at most
        CHECK(buckets.take("new", now).allowed);
        CHECK_FALSE(buckets.take("new", now).allowed);
    }
}

TEST_CASE("a group has so many buckets, and its other keys share one of the group's") {
    TokenBuckets buckets(1, 2, 100, 3);
    TokenBuckets::Clock::time_point now{};
    int allowed = 0;
    for (int round = 0; round < 5; ++round)
        for (int i = 0; i < 50; ++i) allowed += buckets.take("g" + std::to_string(i), now, "g").allowed;
    CHECK(allowed == (3 + 1) * 2);
    CHECK(buckets.size() == 4);
    CHECK(buckets.take("h1", now, "h").left == 1);  // another group
    CHECK(buckets.take("g99", now).left == 1);      // without one
    now += 3s;                                      // the group's are full, and forgotten one by one
    for (int i = 0; i < 3; ++i) buckets.take("other" + std::to_string(i), now);
    for (int i = 10; i < 13; ++i) CHECK(buckets.take("g" + std::to_string(i), now, "g").left == 1);
    CHECK(buckets.take("g13", now, "g").left == 1);  // the group's
    CHECK(buckets.take("g14", now, "g").left == 0);
    CHECK(buckets.take("g10", now, "g").left == 0);
}

TEST_CASE("buckets are kept in bounded memory, whatever is asked for, and each keeps to its rate") {
    std::mt19937 random(7);
    for (double rate : {1e-9, 0.1, 3.0, 1e9}) {
        TokenBuckets buckets(rate, 4, 50, 20);
        TokenBuckets::Clock::time_point now{}, begin = now;
        std::map<std::string, int> allowed;
        std::size_t largest = 0;
        for (int i = 0; i < 20000; ++i) {
            now += std::chrono::milliseconds(random() % 3 == 0 ? random() % 100 : 0);
            if (i == 10000) now += 24h * 365 * 100;
            if (i == 9999) allowed.clear(), begin = now;
            std::string key = std::to_string(random() % 80);
            if (buckets.take(key, now, random() % 2 ? "group" : "").allowed) ++allowed[key];
            largest = std::max(largest, buckets.size());
        }
        CHECK(largest <= 50);
        std::chrono::duration<double> passed = now - begin;
        for (const auto& [key, count] : allowed) CHECK(count <= 2 * 4 + 4 + rate * passed.count());
    }
}
