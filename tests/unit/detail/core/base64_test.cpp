#include "catch.hpp"
#include <kvolt/detail/core/base64.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace kvolt::detail;

TEST_CASE("base64 is encoded as in RFC 4648, section 10") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
        {std::string_view("\0\0\0\0", 4), "AAAAAA=="},
        {"\xff\xff", "//8="},
    };
    for (const auto& [bytes, text] : cases) {
        INFO(text);
        CHECK(encode_base64(std::vector<unsigned char>(bytes.begin(), bytes.end())) == text);
        CHECK(decode_base64(text) == bytes);
    }
}

TEST_CASE("base64 is decoded, and only what is well-formed") {
    using Result = std::optional<std::string>;
    const std::pair<std::string, Result> cases[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zg", "f"},
        {"Zm8", "fo"},
        {"+/+/", "\xfb\xff\xbf"},
        {"Z", std::nullopt},
        {"Zg=", std::nullopt},
        {"Zm9v=", std::nullopt},
        {"Zh==", std::nullopt},
        {"Z===", std::nullopt},
        {"Zm 9", std::nullopt},
        {"Zm9-", std::nullopt},
        {"Zg==Zg==", std::nullopt},
    };
    for (const auto& [text, expected] : cases) {
        INFO(text);
        CHECK(decode_base64(text) == expected);
    }
}
