#ifndef KVOLT_URL_HPP
#define KVOLT_URL_HPP

// The parts of RFC 3986 and RFC 6454 that a server needs: escapes, query parameters, origins.

#include <kvolt/config.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

namespace detail {

constexpr int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// ASCII case-insensitive, as header names, schemes and hosts are compared.
constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] != b[i] && to_lower(a[i]) != to_lower(b[i])) return false;
    return true;
}

inline std::string lowered(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = to_lower(c);
    return result;
}

/// What an escape such as `%2F` at the front of a text stands for; -1 if it is broken, or stands for NUL, CR or LF.
constexpr int unescaped(std::string_view text) noexcept {
    if (text.size() < 3) return -1;
    int high = hex_digit(text[1]), low = hex_digit(text[2]), byte = high * 16 + low;
    return high < 0 || low < 0 || byte == '\0' || byte == '\r' || byte == '\n' ? -1 : byte;
}

/// True if percent_decode() finds nothing wrong.
inline bool has_good_escapes(std::string_view text) noexcept {
    for (std::size_t at = text.find('%'); at != text.npos; at = text.find('%', at + 3))
        if (unescaped(text.substr(at)) < 0) return false;
    return true;
}

/// A reference to a URL (RFC 3986, section 4.1): what is neither reserved nor unreserved gets escaped, but for control
/// characters, which nobody sends in good faith.
std::string escaped_reference(std::string_view text);

/// False if a path has no segments `.` and `..`, also escaped ones.
constexpr bool may_have_dot_segments(std::string_view path) noexcept {
    for (std::size_t i = 0; i + 1 < path.size(); ++i)
        if (path[i] == '/' && (path[i + 1] == '.' || path.substr(i + 1, 2) == "%2")) return true;
    return false;
}

/// 1 for the segment `.`, 2 for `..`, whether escaped or not; 0 for every other one.
constexpr int count_dots(std::string_view segment) noexcept {
    int dots = 0;
    while (!segment.empty()) {
        bool escaped = iequals(segment.substr(0, 3), "%2e");
        if ((!escaped && segment.front() != '.') || ++dots > 2) return 0;
        segment.remove_prefix(escaped ? 3 : 1);
    }
    return dots;
}

}  // namespace detail

/// Decode %XX escapes (RFC 3986, section 2.1).
///
/// @returns  nothing if an escape is broken, or stands for NUL, CR or LF, which nobody sends in good faith.
std::optional<std::string> percent_decode(std::string_view text);

/// Remove the segments `.` and `..`, also escaped ones, from a path that begins with '/' (RFC 3986, section 5.2.4).
///
/// @returns  nothing if the path climbs above its root.
std::optional<std::string> remove_dot_segments(std::string_view path);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

/// Take a query apart (`a=1&b=two+words`), in its order. A parameter with a broken escape is kept as it was sent.
QueryParameters parse_query(std::string_view query);

/// Scheme, host and port of a web page (RFC 6454), for comparing who may connect.
struct Origin {
    std::string scheme;  ///< Lower case.
    std::string host;    ///< Lower case; an IPv6 address in its brackets. Empty for `file://` alone.
    unsigned port = 0;   ///< 0 for other schemes than http and https, unless it is said.

    bool operator==(const Origin&) const = default;

    /// Parse `https://example.com`, `http://[::1]:8080` or `capacitor://localhost`.
    ///
    /// @returns  nothing for `null`, and for anything malformed.
    static std::optional<Origin> parse(std::string_view text);
};

namespace detail {

/// An authority without user information (RFC 9110, section 7.2).
struct Authority {
    std::string_view host;  // an IPv6 address in its brackets
    unsigned port;

    bool operator==(const Authority&) const = default;
};

/// Nothing if it is malformed.
std::optional<Authority> parse_authority(std::string_view text, unsigned default_port) noexcept;

}  // namespace detail

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/url.hpp>
#endif

#endif
