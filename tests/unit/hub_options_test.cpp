#include "catch.hpp"
#include <kvolt/hub_options.hpp>

#include <stdexcept>

using kvolt::HubOptions;
using kvolt::SlowPolicy;

TEST_CASE("by default slow members are disconnected, and the backlog is the app's") {
    HubOptions options;
    CHECK(options.slow() == SlowPolicy::disconnect);
    CHECK_FALSE(options.backlog().has_value());
    CHECK(options.history().messages == 0);
    CHECK_FALSE(options.rate().has_value());
}

TEST_CASE("hub options are set in one expression") {
    auto options = HubOptions().slow(SlowPolicy::drop_oldest).backlog(1000, 7).queue(5000);
    CHECK(options.slow() == SlowPolicy::drop_oldest);
    REQUIRE(options.backlog().has_value());
    CHECK(options.backlog()->bytes == 1000);
    CHECK(options.backlog()->messages == 7);
    CHECK(options.queue() == 5000);
    options.history(50).rate(10, 20);
    CHECK(options.history().messages == 50);
    CHECK(options.history().bytes == 64 * 1024);
    CHECK(options.history().rooms == 1000);
    CHECK(options.history(1, 2, 3).history().rooms == 3);
    REQUIRE(options.rate().has_value());
    CHECK(options.rate()->per_second == 10);
    CHECK(options.rate()->burst == 20);
}

TEST_CASE("a rate that lets nothing through is refused") {
    CHECK_THROWS_AS(HubOptions().rate(0, 1), std::invalid_argument);
    CHECK_THROWS_AS(HubOptions().rate(-1, 1), std::invalid_argument);
    CHECK_THROWS_AS(HubOptions().rate(1, 0.5), std::invalid_argument);
}

TEST_CASE("a hub's counters begin at nothing") {
    kvolt::HubStats stats;
    CHECK(stats.messages + stats.refused + stats.limited + stats.invalid + stats.deliveries == 0);
    CHECK(stats.dropped + stats.coalesced + stats.behind + stats.disconnected == 0);
}
