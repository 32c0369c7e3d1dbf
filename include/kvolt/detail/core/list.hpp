#ifndef KVOLT_DETAIL_CORE_LIST_HPP
#define KVOLT_DETAIL_CORE_LIST_HPP

// What the values of header fields are made of (RFC 9110, section 5.6): tokens, lists, quoted strings.

#include <kvolt/detail/core/character_set.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// True for a token, such as the name of a field or a method (section 5.6.2).
inline bool is_token(std::string_view text) noexcept {
    static constexpr CharacterSet characters(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return !text.empty() && characters.has_all(text);
}

/// True if a text does not end where its field would: it holds CR, LF or NUL (section 5.5).
inline bool breaks_field(std::string_view text) noexcept {
    return text.find('\r') != text.npos || text.find('\n') != text.npos || text.find('\0') != text.npos;
}

/// True for what may be the value of a field (section 5.5): no control characters but tabs.
inline bool is_field_value(std::string_view text) noexcept {
    for (char c : text)
        if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7F') return false;
    return true;
}

/// Without the spaces and tabs at both ends (section 5.6.3).
constexpr std::string_view trimmed(std::string_view text) noexcept {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
}

/// Take the first item off a list, trimmed; it may be empty (section 5.6.1.2).
///
/// @param quotes  Whether the list knows quoted strings, in which a separator is none.
constexpr std::string_view take_item(std::string_view& list, char separator = ',', bool quotes = false) noexcept {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < list.size() && (quoted || list[end] != separator); ++end) {
        if (list[end] == '"') quoted = quotes && !quoted;
        if (list[end] == '\\' && quoted) ++end;
    }
    end = (std::min)(end, list.size());
    std::string_view item = list.substr(0, end);
    list.remove_prefix((std::min)(list.size(), end + 1));
    return trimmed(item);
}

/// True if every quoted string ends.
constexpr bool quotes_end(std::string_view text) noexcept {
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') quoted = !quoted;
        if (text[i] == '\\' && quoted) ++i;
    }
    return !quoted;
}

/// A quoted string that means this text (section 5.6.4).
inline std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result += '"';
}

/// What a quoted string means, or a text without quotes as it is; nothing if the quotes are broken.
inline std::optional<std::string> unquoted(std::string_view text) {
    if (!text.starts_with('"')) return std::string(text);
    std::string result;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') return i + 1 == text.size() ? std::optional(result) : std::nullopt;
        if (text[i] == '\\' && ++i == text.size()) break;
        result += text[i];
    }
    return std::nullopt;
}

}  // namespace kvolt::detail

#endif
