#include "catch.hpp"
#include <kvolt/hub_options.hpp>

using kvolt::HubOptions;
using kvolt::SlowPolicy;

TEST_CASE("by default slow members are disconnected, and the backlog is the app's") {
    HubOptions options;
    CHECK(options.slow() == SlowPolicy::disconnect);
    CHECK_FALSE(options.backlog().has_value());
}

TEST_CASE("hub options are set in one expression") {
    auto options = HubOptions().slow(SlowPolicy::drop_oldest).backlog(1000, 7).queue(5000);
    CHECK(options.slow() == SlowPolicy::drop_oldest);
    REQUIRE(options.backlog().has_value());
    CHECK(options.backlog()->bytes == 1000);
    CHECK(options.backlog()->messages == 7);
    CHECK(options.queue() == 5000);
}

TEST_CASE("a hub's counters begin at nothing") {
    kvolt::HubStats stats;
    CHECK(stats.messages + stats.refused + stats.deliveries + stats.dropped + stats.disconnected == 0);
}
