#include "catch.hpp"
#include <kvolt/config.hpp>

#include <string>

TEST_CASE("the version is one number that can be compared, and the same in CMake") {
    STATIC_REQUIRE(KVOLT_VERSION == KVOLT_VERSION_MAJOR * 10000 + KVOLT_VERSION_MINOR * 100 + KVOLT_VERSION_PATCH);
    std::string dotted = std::to_string(KVOLT_VERSION_MAJOR) + '.' + std::to_string(KVOLT_VERSION_MINOR) + '.' +
                         std::to_string(KVOLT_VERSION_PATCH);
    CHECK(dotted == KVOLT_CMAKE_VERSION);
}
