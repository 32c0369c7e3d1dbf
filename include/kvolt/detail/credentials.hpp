#ifndef KVOLT_DETAIL_CREDENTIALS_HPP
#define KVOLT_DETAIL_CREDENTIALS_HPP

// The Authorization field (RFC 9110, section 11.6.2).

#include <kvolt/detail/character_set.hpp>
#include <kvolt/url.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// Decode base64 (RFC 4648, section 4); nothing if it is malformed. The padding may be missing.
inline std::optional<std::string> decode_base64(std::string_view text) {
    std::size_t padding = 0;
    while (text.ends_with('=') && padding < 2) text.remove_suffix(1), ++padding;
    if (text.size() % 4 == 1 || (padding > 0 && (text.size() + padding) % 4 != 0)) return std::nullopt;
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (char c : text) {
        std::size_t value = alphabet.find(c);
        if (value == alphabet.npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        result += static_cast<char>(bits >> count & 0xFF);
    }
    if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;  // two texts must not mean the same
    return result;
}

/// What follows the scheme, whose case does not matter; nothing if it is another scheme or if nothing follows.
inline std::optional<std::string_view> credentials(std::string_view field, std::string_view scheme) {
    if (field.size() <= scheme.size() || !iequals(field.substr(0, scheme.size()), scheme)) return std::nullopt;
    std::string_view rest = field.substr(scheme.size());
    if (rest.front() != ' ') return std::nullopt;
    std::size_t begin = rest.find_first_not_of(' ');
    if (begin == rest.npos) return std::nullopt;
    return rest.substr(begin);
}

/// User and password of RFC 7617; nothing if the field holds no such credentials.
inline std::optional<std::pair<std::string, std::string>> basic_credentials(std::string_view field) {
    auto encoded = credentials(field, "Basic");
    auto pair = encoded ? decode_base64(*encoded) : std::nullopt;
    std::size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos) return std::nullopt;
    for (char c : *pair)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return std::nullopt;
    return std::pair(pair->substr(0, colon), pair->substr(colon + 1));
}

/// A token of RFC 6750, section 2.1; nothing if the field holds none.
inline std::optional<std::string_view> bearer_token(std::string_view field) {
    auto token = credentials(field, "Bearer");
    static constexpr CharacterSet allowed("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=");
    if (!token || !allowed.has_all(*token)) return std::nullopt;
    return token;
}

}  // namespace kvolt::detail

#endif
