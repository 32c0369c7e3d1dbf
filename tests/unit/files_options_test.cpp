#include "catch.hpp"
#include <kvolt/files_options.hpp>

#include <chrono>

using kvolt::FilesOptions;
using namespace std::chrono_literals;

TEST_CASE("how files are served unless something else is said") {
    FilesOptions options;
    CHECK(options.index() == "index.html");
    CHECK(options.fallback().empty());
    CHECK_FALSE(options.serves_dot_files());
    CHECK(options.looks_for_precompressed());
    CHECK(options.cache_control().empty());
}

TEST_CASE("what is said about caching") {
    CHECK(FilesOptions().max_age(0s).cache_control() == "public, max-age=0");
    CHECK(FilesOptions().max_age(24h).cache_control() == "public, max-age=86400");
    CHECK(FilesOptions().max_age(60s).immutable().cache_control() == "public, max-age=60, immutable");
    CHECK(FilesOptions().immutable().cache_control().empty());
    // Pages keep their names when they change.
    CHECK(FilesOptions().max_age(60s).cache_control(true) == "public, max-age=60");
    CHECK(FilesOptions().max_age(60s).immutable().cache_control(true) == "no-cache");
    CHECK(FilesOptions().immutable().cache_control(true).empty());
}
