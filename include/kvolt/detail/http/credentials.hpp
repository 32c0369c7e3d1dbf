#ifndef KVOLT_DETAIL_HTTP_CREDENTIALS_HPP
#define KVOLT_DETAIL_HTTP_CREDENTIALS_HPP

// The Authorization field (RFC 9110, section 11.6.2).

#include <kvolt/detail/core/base64.hpp>
#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/url.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

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
