#ifndef KVOLT_DETAIL_WEBSOCKET_HANDSHAKE_HPP
#define KVOLT_DETAIL_WEBSOCKET_HANDSHAKE_HPP

#include <kvolt/detail/core/base64.hpp>
#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/detail/core/sha1.hpp>
#include <kvolt/detail/http/fields.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/error.hpp>
#include <kvolt/request.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/url.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// The key is 16 bytes in base64: 22 characters and two times '=' (RFC 6455, section 4.1).
inline bool is_websocket_key(std::string_view key) {
    static constexpr CharacterSet alphabet(base64_alphabet);
    return key.size() == 24 && key.ends_with("==") && alphabet.has_all(key.substr(0, 22));
}

/// What Sec-WebSocket-Accept proves that the key was seen with (RFC 6455, section 4.2.2).
inline std::string accept_key(std::string_view key) {
    return encode_base64(Sha1::of(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

/// @param host  What the client calls the server.
inline bool origin_allowed(const Request& request, const UpgradeOptions& options, bool secure, std::string_view host) {
    std::size_t count = request.count("Origin");
    if (count == 0) return !options.requires_origin();
    if (options.allows_any_origin()) return true;
    if (count > 1) return false;
    auto origin = Origin::parse(request.header("Origin"));
    auto own = Origin::parse((secure ? "https://" : "http://") + std::string(host));
    return (origin && origin == own) || options.origins().allows(request.header("Origin"));
}

/// The first of the protocols that the client offers which the server speaks; empty if there is none.
inline std::string agree_on_protocol(const Request& request, const UpgradeOptions& options) {
    for (std::string_view offer : list_items(request, "Sec-WebSocket-Protocol"))
        for (const std::string& name : options.protocols())
            if (name == offer) return name;
    return {};
}

/// What of the client's Sec-WebSocket-Extensions is spoken.
///
/// @throws HttpError  400 if they are malformed.
inline Extensions agree_on_extensions(const Request& request, const UpgradeOptions& options) {
    if (!options.compression()) return {};
    return options.compression()->agree(joined_fields(request, "Sec-WebSocket-Extensions").value_or(""));
}

/// Check a client's opening handshake (RFC 6455, section 4.2.1) and who it comes from.
///
/// @param secure, host  How the client reaches the server, for the same origin.
/// @throws HttpError  with the answer that a refused handshake gets.
inline void check_handshake(const Request& request, const UpgradeOptions& options, bool secure, std::string_view host) {
    if (!request.has_token("Upgrade", "websocket") || !request.has_token("Connection", "upgrade"))
        throw HttpError(426, "this resource is a WebSocket").header("Upgrade", "websocket");
    if (request.method() != "GET" || request.version() < 11)
        throw HttpError(400, "a WebSocket handshake is a GET of HTTP/1.1");
    if (request.count("Sec-WebSocket-Version") != 1 || request.header("Sec-WebSocket-Version") != "13")
        throw HttpError(426, "WebSocket version 13 is needed")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13");
    if (request.count("Sec-WebSocket-Key") != 1 || !is_websocket_key(request.header("Sec-WebSocket-Key")))
        throw HttpError(400, "bad Sec-WebSocket-Key");
    if (request.count("Transfer-Encoding") != 0 || !request.body().empty() ||
        (request.count("Content-Length") != 0 &&
         request.header("Content-Length").find_first_not_of('0') != std::string_view::npos))
        throw HttpError(400, "a WebSocket handshake has no body");
    if (!origin_allowed(request, options, secure, host)) throw HttpError(403, "origin not allowed");
}

}  // namespace kvolt::detail

#endif
