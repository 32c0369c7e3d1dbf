#ifndef KVOLT_DETAIL_HTTP_ACCEPT_ENCODING_HPP
#define KVOLT_DETAIL_HTTP_ACCEPT_ENCODING_HPP

#include <kvolt/detail/core/list.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace kvolt::detail {

/// A weight such as `0.8`, in thousandths (RFC 9110, section 12.4.2); nothing if malformed.
inline std::optional<int> parse_weight(std::string_view text) noexcept {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
    if (text.size() > 1 && text[1] != '.') return std::nullopt;
    int weight = (text[0] - '0') * 1000, unit = 100;
    for (char c : text.substr(std::min<std::size_t>(text.size(), 2))) {
        if (c < '0' || c > '9') return std::nullopt;
        weight += (c - '0') * unit;
        unit /= 10;
    }
    if (weight > 1000) return std::nullopt;
    return weight;
}

/// How much an Accept-Encoding field wants a content coding, 0 to 1000; 0 is never (RFC 9110, section 12.5.3).
///
/// `x-gzip` is gzip. What is malformed counts as not said.
inline int encoding_weight(std::string_view field, std::string_view coding) noexcept {
    std::optional<int> any;
    while (!field.empty()) {
        std::string_view item = take_item(field);
        std::size_t semicolon = item.find(';');
        std::string_view name = trimmed(item.substr(0, semicolon));
        std::optional<int> weight = 1000;
        if (semicolon != item.npos) {
            std::string_view parameter = trimmed(item.substr(semicolon + 1));
            if (parameter.size() < 2 || to_lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
            weight = parse_weight(parameter.substr(2));
        }
        if (!weight) continue;
        if (iequals(name, coding) || (coding == "gzip" && iequals(name, "x-gzip"))) return *weight;
        if (name == "*") any = weight;
    }
    if (any) return *any;
    return coding == "identity" ? 1000 : 0;
}

/// Choose the content coding of an answer.
///
/// @param field      The Accept-Encoding fields of the request, joined by commas; empty if there are none.
/// @param available  The codings that can be served besides identity, the best one first; it wins among equals.
/// @returns  one of `available`, or `identity`: also if the client refuses all there is, for that is better than no
///           answer.
inline std::string_view choose_encoding(std::string_view field, std::span<const std::string_view> available) noexcept {
    std::string_view best = "identity";
    int most = 0;
    for (std::string_view coding : available) {
        int weight = encoding_weight(field, coding);
        if (weight <= most) continue;
        best = coding;
        most = weight;
    }
    // One who lists identity itself, and above the others, means it; one who does not mention it takes a coding.
    bool mentions = field.find("identity") != field.npos;
    return mentions && encoding_weight(field, "identity") > most ? "identity" : best;
}

}  // namespace kvolt::detail

#endif
