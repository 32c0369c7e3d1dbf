#ifndef KVOLT_DETAIL_REQUEST_CHECK_HPP
#define KVOLT_DETAIL_REQUEST_CHECK_HPP

// What Beast's parser lets through and RFC 9112 does not.

#include <kvolt/request.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace kvolt::detail {

struct Refusal {
    int status;
    std::string_view reason;
};

/// @param head  The raw bytes of the request line and the fields, with the line ends.
/// @returns  why the request must be refused and its connection closed; nothing if it is good.
inline std::optional<Refusal> check_request(const Request& request, std::string_view head) {
    for (std::size_t at = head.find("\r\n"); at != head.npos && at + 2 < head.size(); at = head.find("\r\n", at + 2))
        if (head[at + 2] == ' ' || head[at + 2] == '\t') return Refusal{400, "folded header line"};

    std::string_view target = request.target();
    for (char c : target)
        if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F || c == '#')
            return Refusal{400, "bad character in the request target"};
    bool asterisk = target == "*" && request.method() == "OPTIONS";
    bool authority = request.method() == "CONNECT";
    if (!asterisk && !authority && !request.raw_path().starts_with('/')) return Refusal{400, "bad request target"};
    std::size_t colon = target.find("://");
    if (!asterisk && !authority && !target.starts_with('/') && colon != target.npos) {
        std::string_view host = target.substr(colon + 3);
        if (!parse_authority(host.substr(0, host.find_first_of("/?")), 80)) return Refusal{400, "bad request target"};
    }
    if (!percent_decode(request.raw_path())) return Refusal{400, "bad escape in the request target"};

    // RFC 9112, section 3.2
    std::size_t hosts = request.count("Host");
    if (hosts > 1 || (hosts == 0 && request.version() >= 11)) return Refusal{400, "exactly one Host is needed"};
    if (hosts == 1 && !parse_authority(request.header("Host"), 80)) return Refusal{400, "bad Host"};

    // RFC 9112, section 6: in doubt about the length, requests could be smuggled in a body.
    std::size_t lengths = request.count("Content-Length"), encodings = request.count("Transfer-Encoding");
    if (lengths > 1) return Refusal{400, "more than one Content-Length"};
    if (lengths == 1 && request.header("Content-Length").find_first_not_of("0123456789") != std::string_view::npos)
        return Refusal{400, "bad Content-Length"};
    if (encodings > 0) {
        if (encodings > 1 || lengths > 0 || request.version() < 11) return Refusal{400, "bad Transfer-Encoding"};
        if (!iequals(request.header("Transfer-Encoding"), "chunked"))
            return Refusal{501, "only the transfer coding chunked is known"};
    }

    std::size_t expectations = request.count("Expect");
    if (expectations > 0 && request.version() >= 11 &&
        (expectations > 1 || !iequals(request.header("Expect"), "100-continue")))
        return Refusal{417, "only 100-continue can be expected"};
    return std::nullopt;
}

}  // namespace kvolt::detail

#endif
