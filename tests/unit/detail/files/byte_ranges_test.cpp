#include "catch.hpp"
#include <kvolt/detail/files/byte_ranges.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using kvolt::detail::ByteRange;
using kvolt::detail::ByteRanges;
using kvolt::detail::parse_ranges;
using Kind = ByteRanges::Kind;

namespace {

using List = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

List list(const ByteRanges& ranges) {
    List result;
    for (const ByteRange& range : ranges.ranges) result.emplace_back(range.first, range.last);
    return result;
}

}  // namespace

TEST_CASE("ranges of 10,000 bytes") {
    struct Case {
        std::string field;
        Kind kind;
        List ranges;
    };
    constexpr auto whole = Kind::whole, parts = Kind::parts, unsatisfiable = Kind::unsatisfiable;
    const std::vector<Case> cases = {
        // one, as RFC 9110, section 14.1.2 has it
        {"bytes=0-499", parts, {{0, 499}}},
        {"bytes=500-999", parts, {{500, 999}}},
        {"bytes=-500", parts, {{9500, 9999}}},
        {"bytes=9500-", parts, {{9500, 9999}}},
        {"bytes=0-0", parts, {{0, 0}}},
        {"bytes=-1", parts, {{9999, 9999}}},
        {"bytes=0-", parts, {{0, 9999}}},
        {"Bytes=0-9", parts, {{0, 9}}},
        {"bytes= 0-9 ", parts, {{0, 9}}},
        {"bytes=00-0009", parts, {{0, 9}}},
        // more than there is
        {"bytes=9999-10000", parts, {{9999, 9999}}},
        {"bytes=0-18446744073709551615", parts, {{0, 9999}}},
        {"bytes=0-99999999999999999999999999", parts, {{0, 9999}}},
        {"bytes=-20000", parts, {{0, 9999}}},
        {"bytes=-99999999999999999999999999", parts, {{0, 9999}}},
        {"bytes=10000-", unsatisfiable, {}},
        {"bytes=10000-10001", unsatisfiable, {}},
        {"bytes=18446744073709551616-18446744073709551617", unsatisfiable, {}},
        {"bytes=99999999999999999999999999-", unsatisfiable, {}},
        {"bytes=-0", unsatisfiable, {}},
        {"bytes=-0, 20000-", unsatisfiable, {}},
        {"bytes=20000-, 0-0, -0", parts, {{0, 0}}},
        // several
        {"bytes=0-0,-1", parts, {{0, 0}, {9999, 9999}}},
        {"bytes=0-9, 1000-1009 ,2000-2009", parts, {{0, 9}, {1000, 1009}, {2000, 2009}}},
        {"bytes=,0-9,,1000-1009,", parts, {{0, 9}, {1000, 1009}}},
        {"bytes=2000-2009,0-9", parts, {{2000, 2009}, {0, 9}}},
        // that touch, overlap or nearly do
        {"bytes=500-600,601-999", parts, {{500, 999}}},
        {"bytes=500-700,601-999", parts, {{500, 999}}},
        {"bytes=0-9,50-59", parts, {{0, 59}}},
        {"bytes=50-59,0-9", parts, {{0, 59}}},
        {"bytes=0-9,109-119", parts, {{0, 119}}},
        {"bytes=0-9,110-119", parts, {{0, 9}, {110, 119}}},
        {"bytes=0-,0-,0-,0-,0-", parts, {{0, 9999}}},
        {"bytes=0-9,1000-1009,5-1005", parts, {{0, 1009}}},
        {"bytes=5000-5009,0-9,1000-1009,5-1005", parts, {{5000, 5009}, {0, 1009}}},
        // what is to be ignored
        {"", whole, {}},
        {"bytes", whole, {}},
        {"bytes=", whole, {}},
        {"bytes=,", whole, {}},
        {"bytes=-", whole, {}},
        {"bytes=1", whole, {}},
        {"bytes=9-0", whole, {}},
        {"bytes=0-9,9-0", whole, {}},
        {"bytes=20000-19999", whole, {}},
        {"bytes=a-b", whole, {}},
        {"bytes=0-9a", whole, {}},
        {"bytes=0x0-0x9", whole, {}},
        {"bytes=+0-9", whole, {}},
        {"bytes=0--9", whole, {}},
        {"bytes=--9", whole, {}},
        {"bytes=0 - 9", whole, {}},
        {"bytes=0-9;1000-1009", whole, {}},
        {"bytes =0-9", whole, {}},
        {"bytes:0-9", whole, {}},
        {"lines=0-9", whole, {}},
        {"0-9", whole, {}},
    };
    for (const Case& expected : cases) {
        INFO(expected.field);
        auto ranges = parse_ranges(expected.field, 10000);
        CHECK(ranges.kind == expected.kind);
        if (expected.kind == parts) CHECK(list(ranges) == expected.ranges);
    }
}

TEST_CASE("too many ranges are answered with everything") {
    std::string field = "bytes=0-0";
    for (std::uint64_t i = 1; i < ByteRanges::most; ++i)
        field += ',' + std::to_string(i * 1000) + '-' + std::to_string(i * 1000);
    CHECK(parse_ranges(field, 1000000).ranges.size() == ByteRanges::most);
    CHECK(parse_ranges(field + ",999999-", 1000000).kind == Kind::whole);
}

TEST_CASE("of nothing, all is the answer") {
    for (std::string field : {"bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-"})
        CHECK(parse_ranges(field, 0).kind == Kind::whole);
}

TEST_CASE("ranges of a huge file") {
    constexpr std::uint64_t size = std::uint64_t(1) << 62;
    CHECK(list(parse_ranges("bytes=-1", size)) == List{{size - 1, size - 1}});
    CHECK(list(parse_ranges("bytes=4611686018427387903-", size)) == List{{size - 1, size - 1}});
    CHECK(parse_ranges("bytes=4611686018427387904-", size).kind == Kind::unsatisfiable);
}
