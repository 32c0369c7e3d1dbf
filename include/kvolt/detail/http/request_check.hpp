#ifndef KVOLT_DETAIL_HTTP_REQUEST_CHECK_HPP
#define KVOLT_DETAIL_HTTP_REQUEST_CHECK_HPP

// What Beast's parser lets through and RFC 9112 does not.

#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

namespace kvolt::detail {

struct Refusal {
    int status;
    std::string_view reason;
};

/// The characters that a target is made of, less strictly than RFC 3986: browsers send `|` and `{` as they are.
inline bool is_target(std::string_view text) noexcept {
    for (char c : text)
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F || c == '#') return false;
    return !text.empty();
}

inline std::optional<Refusal> check_target(const Request& request) {
    std::string_view target = request.target(), path = request.raw_path();
    // What makes a path plain is good in a target.
    std::string_view unknown = request.has_plain_path() ? target.substr(path.size()) : target;
    if (!unknown.empty() && !is_target(unknown)) return Refusal{400, "bad character in the request target"};
    if (request.method() == "CONNECT") {
        // Its bytes behind the head would be no requests, so it is not left to the routes.
        auto authority = parse_authority(target, 0);
        return authority && authority->port != 0 ? Refusal{501, "this server is no proxy"}
                                                 : Refusal{400, "bad request target"};
    }
    if (request.has_plain_path() || (target == "*" && request.method() == "OPTIONS")) return std::nullopt;
    if (!path.starts_with('/')) return Refusal{400, "bad request target"};
    if (!target.starts_with('/') && !parse_authority(request.host(), 80)) return Refusal{400, "bad request target"};
    if (may_have_dot_segments(path) && !remove_dot_segments(path))
        return Refusal{400, "the path climbs above the root"};
    if (path.find('%') == path.npos) return std::nullopt;
    auto decoded = percent_decode(path);
    if (!decoded) return Refusal{400, "bad escape in the request target"};
    // Only an escaped slash, as in `..%2F`, can have brought them back.
    if (decoded->find("/../") != decoded->npos || decoded->ends_with("/.."))
        return Refusal{400, "the path climbs behind an escaped slash"};
    return std::nullopt;
}

/// True if a line of a head continues the one before it (RFC 9112, section 5.2).
inline bool has_folded_line(std::string_view head) noexcept {
    while (const void* end = std::memchr(head.data(), '\n', head.size())) {
        head.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(end) + 1 - head.data()));
        if (head.starts_with(' ') || head.starts_with('\t')) return true;
    }
    return false;
}

/// @param head  The raw bytes of the request line and the fields, with the line ends.
/// @returns  why the request must be refused and its connection closed; nothing if it is good.
inline std::optional<Refusal> check_request(const Request& request, std::string_view head) {
    if (has_folded_line(head)) return Refusal{400, "folded header line"};

    if (auto refusal = check_target(request)) return refusal;

    struct Known {
        std::string_view value;
        std::size_t count = 0;
    };
    Known host, length, encoding, expectation;
    auto find_known = [&](std::string_view name) -> Known* {
        switch (name.size()) {
            case 4: return iequals(name, "Host") ? &host : nullptr;
            case 6: return iequals(name, "Expect") ? &expectation : nullptr;
            case 14: return iequals(name, "Content-Length") ? &length : nullptr;
            case 17: return iequals(name, "Transfer-Encoding") ? &encoding : nullptr;
            default: return nullptr;
        }
    };
    for (std::size_t i = 0; i < request.field_count(); ++i)
        if (Known* known = find_known(request.field_name(i)); known && known->count++ == 0)
            known->value = request.field_value(i);

    // RFC 9112, section 3.2
    if (host.count > 1 || (host.count == 0 && request.version() >= 11))
        return Refusal{400, "exactly one Host is needed"};
    if (host.count == 1 && !parse_authority(host.value, 80)) return Refusal{400, "bad Host"};

    // RFC 9112, section 6: in doubt about the length, requests could be smuggled in a body.
    if (length.count > 1) return Refusal{400, "more than one Content-Length"};
    static constexpr CharacterSet digits("0123456789");
    if (length.count == 1 && (length.value.empty() || !digits.has_all(length.value)))
        return Refusal{400, "bad Content-Length"};
    if (encoding.count > 0) {
        if (encoding.count > 1 || length.count > 0 || request.version() < 11)
            return Refusal{400, "bad Transfer-Encoding"};
        if (!iequals(encoding.value, "chunked")) return Refusal{501, "only the transfer coding chunked is known"};
    }

    if (expectation.count > 0 && request.version() >= 11 &&
        (expectation.count > 1 || !iequals(expectation.value, "100-continue")))
        return Refusal{417, "only 100-continue can be expected"};
    return std::nullopt;
}

/// The last line of an incomplete head, or one before it, without its end.
struct HeadLine {
    std::string_view text;
    bool whole;
};

inline std::optional<Refusal> check_request_line(const HeadLine& line) {
    constexpr Refusal bad{400, "bad request line"};
    auto so_far = [&](bool good) { return good && !line.whole ? std::nullopt : std::optional(bad); };
    std::string_view method = line.text.substr(0, line.text.find(' '));
    if (!is_token(method)) return so_far(line.text.empty());
    if (method.size() == line.text.size()) return so_far(true);
    std::string_view rest = line.text.substr(method.size() + 1), target = rest.substr(0, rest.find(' '));
    if (!is_target(target)) return so_far(rest.empty());
    if (target.size() == rest.size()) return so_far(true);
    std::string_view version = rest.substr(target.size() + 1);
    constexpr std::string_view form = "HTTP/0.0";
    if (version.size() > form.size()) return bad;
    for (std::size_t i = 0; i < version.size(); ++i) {
        bool digit = version[i] >= '0' && version[i] <= '9';
        if (form[i] == '0' ? !digit : version[i] != form[i]) return bad;
    }
    if (version.size() < form.size()) return so_far(true);
    if (version != "HTTP/1.0" && version != "HTTP/1.1") return Refusal{505, "HTTP Version Not Supported"};
    return std::nullopt;
}

inline std::optional<Refusal> check_field_line(const HeadLine& line) {
    constexpr Refusal bad{400, "bad header field"};
    if (line.text.empty()) return std::nullopt;
    std::size_t colon = line.text.find(':');
    if (!is_token(line.text.substr(0, colon)) || (colon == line.text.npos && line.whole)) return bad;
    return std::nullopt;
}

/// Look at a head before its end has come.
///
/// @param head  The raw bytes that have come of it, or of its lines from one on.
/// @param first  The first of them is the request line.
/// @returns  why it must be refused, whatever follows; nothing as long as it can become a good one.
inline std::optional<Refusal> check_unfinished(std::string_view head, bool first = true) {
    while (!head.empty()) {
        std::size_t end = head.find_first_of("\r\n");
        HeadLine line{head.substr(0, end), end != head.npos};
        for (char c : line.text)
            if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7F)
                return Refusal{400, "control character in the head"};
        if (auto refusal = first ? check_request_line(line) : check_field_line(line)) return refusal;
        if (!line.whole) break;
        head.remove_prefix(end);
        if (!std::string_view("\r\n").starts_with(head.substr(0, 2))) return Refusal{400, "bad line end"};
        head.remove_prefix(head.size() < 2 ? head.size() : 2);
        first = false;
    }
    return std::nullopt;
}

}  // namespace kvolt::detail

#endif
