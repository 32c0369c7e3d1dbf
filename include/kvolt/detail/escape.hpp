#ifndef KVOLT_DETAIL_ESCAPE_HPP
#define KVOLT_DETAIL_ESCAPE_HPP

#include <cstddef>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Append a text in which quotes and backslashes get a backslash, and control characters become a prefix and two
/// hexadecimal digits.
///
/// @param ascii  Whether the same happens to DEL and all bytes beyond ASCII.
inline void append_escaped(std::string& out, std::string_view text, std::string_view prefix, bool ascii) {
    constexpr char digits[] = "0123456789abcdef";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20 || (ascii && byte >= 0x7F)) {
            out += prefix;
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
}

/// A JSON string (RFC 8259, section 7).
///
/// @param ascii  For bytes that may be no UTF-8: each beyond ASCII becomes the character of its number.
inline std::string json_string(std::string_view text, bool ascii = false) {
    std::string result = "\"";
    append_escaped(result, text, "\\u00", ascii);
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
