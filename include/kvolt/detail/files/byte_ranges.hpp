#ifndef KVOLT_DETAIL_FILES_BYTE_RANGES_HPP
#define KVOLT_DETAIL_FILES_BYTE_RANGES_HPP

// Range requests (RFC 9110, section 14).

#include <kvolt/detail/core/list.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace kvolt::detail {

struct ByteRange {
    std::uint64_t first = 0, last = 0;  ///< Both belong to it.

    std::uint64_t size() const noexcept { return last - first + 1; }
    bool operator==(const ByteRange&) const = default;
};

struct ByteRanges {
    enum class Kind {
        whole,          ///< Ignore the field: it is malformed, in other units, or asks for too much.
        parts,          ///< 206 with `ranges`, which do not overlap.
        unsatisfiable,  ///< 416
    } kind = Kind::whole;
    std::vector<ByteRange> ranges;

    static constexpr std::size_t most = 64;        ///< More ranges than that are answered with all.
    static constexpr std::uint64_t closest = 100;  ///< Ranges less far apart become one: a part's head is longer.
};

/// A number, also one that is too large to be told; nothing if it is none.
inline std::optional<std::uint64_t> parse_position(std::string_view digits) noexcept {
    if (digits.empty()) return std::nullopt;
    constexpr std::uint64_t most = (std::numeric_limits<std::uint64_t>::max)();
    std::uint64_t number = 0;
    for (char c : digits) {
        if (c < '0' || c > '9') return std::nullopt;
        auto digit = static_cast<std::uint64_t>(c - '0');
        number = number > (most - digit) / 10 ? most : number * 10 + digit;
    }
    return number;
}

/// Join a range with those that it touches, where the first of them was asked for.
inline void add_range(std::vector<ByteRange>& ranges, ByteRange range) {
    auto is_near = [&](const ByteRange& other) {
        return (range.first <= other.last || range.first - other.last <= ByteRanges::closest) &&
               (other.first <= range.last || other.first - range.last <= ByteRanges::closest);
    };
    std::size_t place = ranges.size();
    ranges.push_back(range);
    for (std::size_t i = 0; i < ranges.size();) {
        if (i == place || !is_near(ranges[i])) {
            ++i;
            continue;
        }
        range = {(std::min)(range.first, ranges[i].first), (std::max)(range.last, ranges[i].last)};
        ranges.erase(ranges.begin() + static_cast<std::ptrdiff_t>((std::max)(place, i)));
        place = (std::min)(place, i);
        ranges[place] = range;
        i = 0;  // the larger one may touch others
    }
}

/// What a Range field asks for.
///
/// @param size  Of what there is. Nothing of an empty file can be named, so all of it is the answer.
inline ByteRanges parse_ranges(std::string_view field, std::uint64_t size) {
    constexpr std::string_view unit = "bytes=";
    if (size == 0 || field.size() < unit.size() || !iequals(field.substr(0, unit.size()), unit)) return {};
    field.remove_prefix(unit.size());
    ByteRanges result;
    std::size_t count = 0;
    while (!field.empty()) {
        std::string_view item = take_item(field);
        if (item.empty()) continue;  // RFC 9110, section 5.6.1.2
        std::size_t dash = item.find('-');
        if (dash == item.npos || ++count > ByteRanges::most) return {};
        std::string_view from = item.substr(0, dash), to = item.substr(dash + 1);
        auto first = parse_position(from), last = parse_position(to);
        if ((!first && !from.empty()) || (!last && !to.empty()) || (!first && !last)) return {};
        if (first && last && *last < *first) return {};
        if (first ? *first >= size : *last == 0) continue;  // not satisfiable
        ByteRange range;
        range.first = first ? *first : size - (std::min)(size, *last);
        range.last = first && last ? (std::min)(*last, size - 1) : size - 1;
        add_range(result.ranges, range);
    }
    if (count == 0) return {};
    result.kind = result.ranges.empty() ? ByteRanges::Kind::unsatisfiable : ByteRanges::Kind::parts;
    return result;
}

}  // namespace kvolt::detail

#endif
