#include "catch.hpp"
#include <kvolt/detail/core/handover.hpp>

#include <memory>

using Ints = kvolt::detail::Handover<std::unique_ptr<int>>;

TEST_CASE("handover: who puts the first item calls, and items are taken in their order") {
    Ints handover;
    CHECK(handover.put(std::make_unique<int>(1)));
    CHECK_FALSE(handover.put(std::make_unique<int>(2)));
    auto taken = handover.take();
    REQUIRE(taken.size() == 2);
    CHECK(*taken[0] == 1);
    CHECK(*taken[1] == 2);
    CHECK(handover.take().empty());
    CHECK(handover.put(std::make_unique<int>(3)));
}

TEST_CASE("handover: what is taken back is not there for the one who was called") {
    Ints handover;
    CHECK(handover.put(std::make_unique<int>(1)));
    CHECK(handover.take_back().size() == 1);
    CHECK_FALSE(handover.put(std::make_unique<int>(2)));  // one call is still under way
    CHECK(handover.take().size() == 1);
}
