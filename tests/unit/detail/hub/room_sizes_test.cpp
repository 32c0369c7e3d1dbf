#include "catch.hpp"
#include <kvolt/detail/hub/room_sizes.hpp>

#include <thread>
#include <vector>

using kvolt::detail::RoomSizes;

TEST_CASE("a room's size is how many have entered and not left") {
    RoomSizes sizes;
    CHECK(sizes.of("red") == 0);
    sizes.enter("red");
    sizes.enter("red");
    sizes.enter("blue");
    CHECK(sizes.of("red") == 2);
    sizes.leave("red");
    CHECK(sizes.of("red") == 1);
    sizes.leave("red");
    sizes.leave("red");  // which is empty
    CHECK(sizes.of("red") == 0);
    CHECK(sizes.of("blue") == 1);
}

TEST_CASE("threads may enter and leave a room at once") {
    RoomSizes sizes;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread)
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) sizes.enter("red"), sizes.enter("red"), sizes.leave("red");
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(sizes.of("red") == 4000);
}
