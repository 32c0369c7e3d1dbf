#include "catch.hpp"
#include <kvolt/detail/http/host_pattern.hpp>

#include <string>
#include <string_view>

using kvolt::detail::HostPattern;

TEST_CASE("a host matches its name, and a star all that is below one") {
    struct Case {
        std::string pattern, host;
        bool matches;
    };
    for (const Case& c : {
             Case{"example.com", "example.com", true},
             Case{"Example.COM", "eXample.com", true},
             Case{"example.com", "www.example.com", false},
             Case{"example.com", "example.com.", false},
             Case{"example.com", "example.com.evil.example", false},
             Case{"[::1]", "[::1]", true},
             Case{"127.0.0.1", "127.0.0.1", true},
             Case{"*.example.com", "www.example.com", true},
             Case{"*.Example.com", "a.b.EXAMPLE.com", true},
             Case{"*.example.com", "x-1_y.example.com", true},
             Case{"*.example.com", "example.com", false},
             Case{"*.example.com", ".example.com", false},
             Case{"*.example.com", "..example.com", false},
             Case{"*.example.com", "a..example.com", false},
             Case{"*.example.com", "evilexample.com", false},
             Case{"*.example.com", "evil-example.com", false},
             Case{"*.example.com", "www.example.com.evil.example", false},
             Case{"*.example.com", "www.example.com.", false},
             Case{"*.example.com", "evil.com%2F.example.com", false},
             Case{"*.example.com", "evil.com@.example.com", false},
             Case{"*.example.com", "*.example.com", false},
             Case{"*.example.com", "", false},
         }) {
        INFO(c.pattern << " and " << c.host);
        CHECK(HostPattern::parse(c.pattern)->matches(c.host) == c.matches);
    }
}

TEST_CASE("a star stands for whole labels in front of a name") {
    for (std::string_view bad : {"", "*", "*.", "*.com", "*.localhost", "a*.example.com", "*a.example.com",
                                 "**.example.com", "*.*.example.com", "www.*.com", "*..example.com", "*.example.com.",
                                 "*.1.2.3", "*.[::1]", "*.ex%41mple.com"}) {
        CAPTURE(bad);
        CHECK_FALSE(HostPattern::parse(bad));
    }
}
