#ifndef KVOLT_DETAIL_CORE_BASE64_HPP
#define KVOLT_DETAIL_CORE_BASE64_HPP

// base64 (RFC 4648, section 4).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace kvolt::detail {

inline constexpr std::string_view base64_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline std::string encode_base64(std::span<const unsigned char> bytes) {
    std::string result;
    result.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (unsigned char byte : bytes) {
        bits = bits << 8 | byte;
        for (count += 8; count >= 6; count -= 6) result += base64_alphabet[bits >> (count - 6) & 0x3F];
    }
    if (count > 0) result += base64_alphabet[bits << (6 - count) & 0x3F];
    result.resize((bytes.size() + 2) / 3 * 4, '=');
    return result;
}

/// Nothing if it is malformed. The padding may be missing.
inline std::optional<std::string> decode_base64(std::string_view text) {
    std::size_t padding = 0;
    while (text.ends_with('=') && padding < 2) text.remove_suffix(1), ++padding;
    if (text.size() % 4 == 1 || (padding > 0 && (text.size() + padding) % 4 != 0)) return std::nullopt;
    std::string result;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (char c : text) {
        std::size_t value = base64_alphabet.find(c);
        if (value == base64_alphabet.npos) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        result += static_cast<char>(bits >> count & 0xFF);
    }
    if ((bits & ((1u << count) - 1)) != 0) return std::nullopt;  // two texts must not mean the same
    return result;
}

}  // namespace kvolt::detail

#endif
