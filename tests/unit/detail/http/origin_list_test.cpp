#include "catch.hpp"
#include <kvolt/detail/http/origin_list.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

using kvolt::detail::OriginList;

TEST_CASE("an origin is allowed by name, by star, or by a function") {
    struct Case {
        std::string allowed, origin;
        bool allows;
    };
    for (const Case& c : {
             Case{"https://example.com", "https://example.com", true},
             Case{"https://example.com", "HTTPS://EXAMPLE.com:443", true},
             Case{"https://example.com", "http://example.com", false},
             Case{"https://example.com", "https://example.com:8443", false},
             Case{"https://example.com", "https://www.example.com", false},
             Case{"https://example.com", "null", false},
             Case{"https://example.com", "", false},
             Case{"https://example.com", "https://example.com/", false},
             Case{"https://example.com", "https://example.com, https://example.com", false},
             Case{"https://*.example.com", "https://www.example.com", true},
             Case{"https://*.example.com", "https://a.b.example.com:443", true},
             Case{"https://*.example.com", "https://example.com", false},
             Case{"https://*.example.com", "http://www.example.com", false},
             Case{"https://*.example.com", "https://www.example.com:8443", false},
             Case{"https://*.example.com:8443", "https://www.example.com:8443", true},
             Case{"https://*.example.com", "https://evilexample.com", false},
             Case{"https://*.example.com", "https://www.example.com.evil.example", false},
             Case{"https://*.example.com", "https://evil.example/.example.com", false},
             Case{"https://*.example.com", "https://evil.example%2F.example.com", false},
             Case{"https://*.example.com", "https://evil.example@a.example.com", false},
             Case{"https://*.example.com", "capacitor://www.example.com", false},
             Case{"capacitor://localhost", "capacitor://localhost", true},
             Case{"capacitor://localhost", "ionic://localhost", false},
             Case{"capacitor://localhost", "http://localhost", false},
             Case{"chrome-extension://abc", "chrome-extension://abc", true},
             Case{"chrome-extension://abc", "chrome-extension://abd", false},
             Case{"tauri://localhost", "tauri://localhost", true},
             Case{"tauri://localhost", "tauri://localhost:80", false},
             Case{"file://", "file://", true},
             Case{"file://", "file://host", false},
             Case{"null", "null", true},
             Case{"null", "NULL", false},
             Case{"null", "null://null", false},
             Case{"null", "", false},
         }) {
        INFO(c.allowed << " and " << c.origin);
        OriginList list;
        CHECK(list.empty());
        CHECK_FALSE(list.allows(c.origin));
        list.allow("https://first.example");
        list.allow(c.allowed);
        CHECK_FALSE(list.empty());
        CHECK(list.allows(c.origin) == c.allows);
        CHECK(list.allows("https://first.example"));
    }
    OriginList list;
    list.allow_if([](std::string_view origin) { return origin == "null" || origin == "what ever"; });
    CHECK_FALSE(list.empty());
    CHECK(list.allows("null"));
    CHECK(list.allows("what ever"));
    CHECK_FALSE(list.allows("https://example.com"));
}

TEST_CASE("what no browser sends is refused at setup, and named") {
    for (std::string bad : {"", "*", "example.com", "https://", "https://*", "https://*.com", "https://www.*.com",
                            "https://example.com/", "https://example.com/x", "wss://example.com", "ws://example.com",
                            "chrome-extension://*", "Null", "https://user@example.com"}) {
        CAPTURE(bad);
        try {
            OriginList().allow(bad);
            FAIL_CHECK("it was accepted");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find('"' + bad + '"') != std::string::npos);
        }
    }
}
