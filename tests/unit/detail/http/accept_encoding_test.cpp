#include "catch.hpp"
#include <kvolt/detail/http/accept_encoding.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

using kvolt::detail::choose_encoding;
using kvolt::detail::encoding_weight;
using kvolt::detail::parse_weight;

TEST_CASE("the encoding that a client likes best of those there are") {
    struct Case {
        std::string field, chosen;
    };
    const std::vector<Case> cases = {
        {"", "identity"},
        {"gzip", "gzip"},
        {"GZip", "gzip"},
        {"x-gzip", "gzip"},
        {"gzip, deflate, br", "br"},
        {"gzip, deflate, br, zstd", "br"},
        {"br;q=0.5, gzip;q=0.8", "gzip"},
        {"br;q=0.5,gzip;q=0.50", "br"},
        {"gzip ; q=1.000 , br ; Q=0.999", "gzip"},
        {"*", "br"},
        {"*;q=0", "identity"},
        {"br;q=0, *", "gzip"},
        {"gzip;q=0", "identity"},
        {"gzip;q=0, br;q=0.001", "br"},
        {"identity", "identity"},
        {"identity;q=0, gzip;q=0.2", "gzip"},
        {"identity;q=0", "identity"},  // there is nothing else to give
        {"identity;q=1, gzip;q=0.5", "identity"},
        {"identity;q=0.5, gzip;q=0.5", "gzip"},
        {"deflate, compress", "identity"},
        {"gzip;q=2", "identity"},
        {"gzip;q=", "identity"},
        {"gzip;q=0.1234", "identity"},
        {"gzip;q=x, br;level=3", "identity"},
        {"gzip2, xgzip", "identity"},
        {",,, ,gzip", "gzip"},
        {"gzip;q=0.9, gzip;q=0", "gzip"},
    };
    constexpr std::array<std::string_view, 2> available = {"br", "gzip"};
    for (const Case& expected : cases) {
        INFO(expected.field);
        CHECK(choose_encoding(expected.field, available) == expected.chosen);
        CHECK(choose_encoding(expected.field, {}) == "identity");
    }
}

TEST_CASE("weights") {
    CHECK(parse_weight("1") == 1000);
    CHECK(parse_weight("0") == 0);
    CHECK(parse_weight("0.") == 0);
    CHECK(parse_weight("1.000") == 1000);
    CHECK(parse_weight("0.5") == 500);
    CHECK(parse_weight("0.125") == 125);
    for (std::string_view bad : {"", "2", "1.001", "0.1234", "-1", ".5", "0,5", "1e3", "00"}) {
        INFO(bad);
        CHECK_FALSE(parse_weight(bad));
    }
    CHECK(encoding_weight("gzip;q=0.3", "gzip") == 300);
    CHECK(encoding_weight("gzip;q=0.3", "identity") == 1000);
    CHECK(encoding_weight("*;q=0.1", "identity") == 100);
}
