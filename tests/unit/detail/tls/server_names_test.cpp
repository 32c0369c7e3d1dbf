#include "catch.hpp"
#include <kvolt/detail/tls/server_names.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

using kvolt::detail::find_certificate;
using kvolt::detail::names_host;

TEST_CASE("a certificate names hosts exactly, or by a star for one label") {
    struct {
        std::string_view name, host;
        bool result;
    } cases[] = {
        {"example.com", "example.com", true},
        {"Example.COM", "eXample.com", true},
        {"example.com", "www.example.com", false},
        {"www.example.com", "example.com", false},
        {"*.example.com", "www.example.com", true},
        {"*.example.com", "WWW.Example.com", true},
        {"*.example.com", "example.com", false},
        {"*.example.com", "a.b.example.com", false},
        {"*.example.com", ".example.com", false},
        {"*.example.com", "wwwexample.com", false},
        {"*.com", "example.com", false},  // for a whole top-level domain
        {"*", "example", false},
        {"*", "example.com", false},
        {"w*.example.com", "www.example.com", false},
        {"", "", true},
        {"example.com", "", false},
    };
    for (const auto& [name, host, result] : cases) {
        INFO(name << " for " << host);
        CHECK(names_host(name, host) == result);
    }
}

TEST_CASE("the exact name wins over a star, and the first certificate over later ones") {
    std::vector<std::vector<std::string>> names = {
        {"default.test"}, {"*.example.com", "example.com"}, {"www.example.com"}, {"www.example.com"}, {}};
    CHECK(find_certificate(names, "default.test") == 0);
    CHECK(find_certificate(names, "example.com") == 1);
    CHECK(find_certificate(names, "api.example.com") == 1);
    CHECK(find_certificate(names, "www.example.com") == 2);
    CHECK(find_certificate(names, "www.example.com.") == 2);
    CHECK(find_certificate(names, "a.b.example.com") == std::nullopt);
    CHECK(find_certificate(names, "other.test") == std::nullopt);
    CHECK(find_certificate({}, "x") == std::nullopt);
}
