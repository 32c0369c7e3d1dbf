#ifndef KVOLT_DETAIL_CORE_ESCAPE_HPP
#define KVOLT_DETAIL_CORE_ESCAPE_HPP

#include <kvolt/detail/core/utf8.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace kvolt::detail {

inline void append_hex(std::string& out, unsigned byte) {
    constexpr char digits[] = "0123456789abcdef";
    out += digits[byte >> 4];
    out += digits[byte & 15];
}

/// Append a text as printable ASCII: other bytes become `\xNN`, quotes and backslashes get a backslash.
inline void append_log_text(std::string& out, std::string_view text) {
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\';
        if (byte >= 0x20 && byte < 0x7F)
            out += c;
        else
            append_hex(out += "\\x", byte);
    }
}

/// A JSON string (RFC 8259, section 7), in UTF-8: U+FFFD stands for what is none. All control characters are escaped,
/// those beyond ASCII too, so that it can be shown.
inline std::string json_string(std::string_view text) {
    std::string result = "\"";
    while (!text.empty()) {
        Utf8Front front = utf8_front(text);
        std::string_view character = text.substr(0, front.size);
        text.remove_prefix(front.size);
        auto first = static_cast<unsigned char>(character.front()), last = static_cast<unsigned char>(character.back());
        if (!front.whole)
            result += replacement_character;
        else if (character == "\"" || character == "\\")
            (result += '\\') += character;
        else if (first < 0x20 || first == 0x7F || (first == 0xC2 && last < 0xA0))
            append_hex(result += "\\u00", last);
        else if (character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9")  // which end lines for some
            append_hex(result += "\\u20", last - 0x80u);
        else
            result += character;
    }
    return result += '"';
}

/// The beginning of what a server has sent, fit for one line of a log.
inline std::string printable(std::string_view text, std::size_t most = 200) {
    std::string result(text.substr(0, most));
    for (char& c : result) {
        auto byte = static_cast<unsigned char>(c);
        if (byte < ' ' || byte >= 0x7F) c = byte < 0x80 ? ' ' : '?';
    }
    return result;
}

}  // namespace kvolt::detail

#endif
