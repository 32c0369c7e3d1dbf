#include "catch.hpp"
#include <kvolt/broadcast_options.hpp>

#include <stdexcept>
#include <string>

using kvolt::BroadcastOptions;
using kvolt::SeatId;

TEST_CASE("a broadcast goes to all, is kept, and stands for itself by default") {
    BroadcastOptions options;
    CHECK(options.is_default());
    CHECK(options.except() == SeatId::none);
    CHECK(options.history());
    CHECK(options.coalesce().empty());
}

TEST_CASE("broadcast options are set in one expression") {
    auto options = BroadcastOptions().except(SeatId{7}).history(false).coalesce("key");
    CHECK(options.except() == SeatId{7});
    CHECK_FALSE(options.history());
    CHECK(options.coalesce() == "key");
    CHECK_FALSE(options.is_default());
    CHECK_FALSE(BroadcastOptions().except(SeatId{7}).is_default());
    CHECK_FALSE(BroadcastOptions().history(false).is_default());
    CHECK_FALSE(BroadcastOptions().coalesce("key").is_default());
}

TEST_CASE("a key to coalesce by has at most 255 bytes") {
    CHECK(BroadcastOptions().coalesce(std::string(255, 'k')).coalesce().size() == 255);
    CHECK_THROWS_AS(BroadcastOptions().coalesce(std::string(256, 'k')), std::length_error);
}
