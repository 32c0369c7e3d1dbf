#ifndef KVOLT_DETAIL_FILES_CONTENT_DISPOSITION_HPP
#define KVOLT_DETAIL_FILES_CONTENT_DISPOSITION_HPP

#include <kvolt/detail/core/utf8.hpp>

#include <string>
#include <string_view>

namespace kvolt::detail {

/// The value of Content-Disposition for a file to be saved under a name in UTF-8 (RFC 6266).
///
/// For what is not ASCII it says the name twice: with underscores for those that are too old, and whole (RFC 8187).
inline std::string attachment_disposition(std::string_view name) {
    constexpr std::string_view attribute = "!#$&+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string plain, extended;
    bool same = true;
    for (char c : utf8_text(name)) {
        auto byte = static_cast<unsigned char>(c);
        bool safe = byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\' && c != '/' && c != '%';
        plain += safe ? c : '_';
        same = same && safe;
        if (attribute.find(c) != attribute.npos)
            extended += c;
        else
            ((extended += '%') += "0123456789ABCDEF"[byte >> 4]) += "0123456789ABCDEF"[byte & 15];
    }
    std::string value = "attachment; filename=\"" + plain + '"';
    if (!same) value += "; filename*=UTF-8''" + extended;
    return value;
}

}  // namespace kvolt::detail

#endif
