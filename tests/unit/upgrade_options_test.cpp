#include "catch.hpp"
#include <kvolt/upgrade_options.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using kvolt::UpgradeOptions;

TEST_CASE("by default nobody but the same origin is allowed, and no protocol is spoken") {
    UpgradeOptions options;
    CHECK(options.protocols().empty());
    CHECK(options.origins().empty());
    CHECK_FALSE(options.allows_any_origin());
    CHECK_FALSE(options.requires_origin());
    CHECK(options.compression() == nullptr);
}

TEST_CASE("options are set in one expression") {
    auto options = UpgradeOptions()
                       .protocols({"chat.v2", "chat.v1"})
                       .allow_origin("https://a.example")
                       .allow_origin("HTTP://B.example:8080")
                       .allow_any_origin()
                       .require_origin();
    CHECK(options.protocols() == std::vector<std::string>{"chat.v2", "chat.v1"});
    CHECK(options.origins().allows("https://a.example"));
    CHECK(options.origins().allows("http://b.example:8080"));
    CHECK_FALSE(options.origins().allows("http://c.example"));
    CHECK(options.allows_any_origin());
    CHECK(options.requires_origin());
    options.allow_any_origin(false).require_origin(false);
    CHECK_FALSE(options.allows_any_origin());
    CHECK_FALSE(options.requires_origin());
}

TEST_CASE("an origin that can never match is refused at once, and named") {
    for (const char* origin :
         {"", "*", "https://*", "a.example", "https://a.example/", "wss://a.example", "https://*.example"}) {
        CAPTURE(origin);
        try {
            UpgradeOptions().allow_origin(origin);
            FAIL_CHECK("it was accepted");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find('"' + std::string(origin) + '"') != std::string::npos);
        }
    }
}
