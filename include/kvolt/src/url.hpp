#ifndef KVOLT_SRC_URL_HPP
#define KVOLT_SRC_URL_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

KVOLT_INLINE std::optional<std::string> percent_decode(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        int byte = detail::unescaped(text.substr(i));
        if (byte < 0) return std::nullopt;
        result += static_cast<char>(byte);
        i += 2;
    }
    return result;
}

KVOLT_INLINE std::optional<std::string> remove_dot_segments(std::string_view path) {
    std::string result;
    while (!path.empty()) {
        std::size_t end = (std::min)(path.find('/', 1), path.size());
        std::string_view segment = path.substr(1, end - 1);
        path.remove_prefix(end);
        int dots = detail::count_dots(segment);
        if (dots == 2) {
            if (result.empty()) return std::nullopt;
            result.resize(result.rfind('/'));
        }
        if (dots == 0)
            (result += '/') += segment;
        else if (path.empty())
            result += '/';
    }
    return result.empty() ? "/" : result;
}

KVOLT_INLINE QueryParameters parse_query(std::string_view query) {
    auto decoded = [](std::string_view text) {
        std::string spaced(text);
        for (char& c : spaced)
            if (c == '+') c = ' ';
        return percent_decode(spaced).value_or(std::string(text));
    };
    QueryParameters parameters;
    while (!query.empty()) {
        std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix((std::min)(query.size(), pair.size() + 1));
        if (pair.empty()) continue;
        std::size_t equals = pair.find('=');
        std::string_view value = equals == pair.npos ? std::string_view() : pair.substr(equals + 1);
        parameters.emplace_back(decoded(pair.substr(0, equals)), decoded(value));
    }
    return parameters;
}

namespace detail {

KVOLT_INLINE std::string escaped_reference(std::string_view text) {
    std::string result;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        bool escaped = byte == ' ' || byte >= 0x80 || std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos;
        if (escaped)
            ((result += '%') += "0123456789ABCDEF"[byte >> 4]) += "0123456789ABCDEF"[byte & 15];
        else
            result += c;
    }
    return result;
}

KVOLT_INLINE std::optional<Authority> parse_authority(std::string_view text, unsigned default_port) noexcept {
    std::size_t end = 0;
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == text.npos || end < 3) return std::nullopt;
        ++end;
        static constexpr CharacterSet address("0123456789abcdefABCDEF:.");
        if (!address.has_all(text.substr(1, end - 2))) return std::nullopt;
    } else {
        static constexpr CharacterSet name(
            "-._~!$&'()*+;=%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
        end = name.span(text);
        if (!has_good_escapes({text.data(), end})) return std::nullopt;
    }
    if (end == 0) return std::nullopt;
    const Authority authority{{text.data(), end}, default_port};
    text.remove_prefix(end);
    if (text.empty()) return authority;
    if (text.front() != ':' || text.size() > 6) return std::nullopt;
    text.remove_prefix(1);
    unsigned port = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        port = port * 10 + static_cast<unsigned>(c - '0');
    }
    if (port > 65535) return std::nullopt;
    return text.empty() ? authority : Authority{authority.host, port};
}

}  // namespace detail

KVOLT_INLINE std::optional<Origin> Origin::parse(std::string_view text) {
    static constexpr detail::CharacterSet characters(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-.");
    std::size_t colon = text.find("://");
    if (colon == text.npos || colon == 0) return std::nullopt;
    std::string scheme = detail::lowered(text.substr(0, colon));
    if (!characters.has_all(scheme) || scheme[0] < 'a' || scheme[0] > 'z') return std::nullopt;
    if (text.size() == colon + 3 && scheme == "file") return Origin{std::move(scheme), {}, 0};
    auto authority = detail::parse_authority(text.substr(colon + 3), scheme == "https"  ? 443
                                                                     : scheme == "http" ? 80
                                                                                        : 0);
    if (!authority) return std::nullopt;
    return Origin{std::move(scheme), detail::lowered(authority->host), authority->port};
}

}  // namespace kvolt

#endif
