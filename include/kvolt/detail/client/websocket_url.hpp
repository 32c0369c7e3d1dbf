#ifndef KVOLT_DETAIL_CLIENT_WEBSOCKET_URL_HPP
#define KVOLT_DETAIL_CLIENT_WEBSOCKET_URL_HPP

#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// Where a client connects to (RFC 6455, section 3).
struct WebSocketUrl {
    bool secure = false;
    std::string host;  ///< Lower case; an IPv6 address in its brackets.
    unsigned port = 0;
    std::string target;  ///< Path and query, as they are to be sent.

    /// Parse `ws://example.com:8080/path?query` or `wss://...`.
    ///
    /// @throws std::invalid_argument  that names the text and tells what is wrong with it.
    static WebSocketUrl parse(std::string_view text) {
        auto fail = [&](const std::string& why) {
            throw std::invalid_argument("kvolt: not the URL of a WebSocket: \"" + std::string(text) + "\": " + why);
        };
        WebSocketUrl url;
        std::size_t begin = text.find("://");
        std::string scheme = lowered(text.substr(0, (std::min)(begin, text.size())));
        if (begin == text.npos || (scheme != "ws" && scheme != "wss")) fail("it begins with ws:// or wss://");
        url.secure = scheme == "wss";
        std::string_view rest = text.substr(begin + 3);
        if (rest.find('#') != rest.npos) fail("it has no fragment");
        std::size_t end = (std::min)(rest.find_first_of("/?"), rest.size());
        std::string_view authority = rest.substr(0, end);
        if (authority.find('@') != authority.npos) fail("say who you are by a header field, Authorization");
        auto place = parse_authority(authority, url.secure ? 443 : 80);
        if (!place || place->port == 0 || place->host.find('%') != place->host.npos) fail("bad host or port");
        url.host = lowered(place->host);
        url.port = place->port;
        url.target = rest.substr(end);
        if (!url.target.starts_with('/')) url.target.insert(0, "/");
        for (char c : url.target)
            if (static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7F)
                fail("escape what is not printable ASCII, such as %20 for a space");
        return url;
    }

    /// The Host field: the port only where it is not the usual one (RFC 9110, section 7.2).
    std::string authority() const { return port == (secure ? 443u : 80u) ? host : host + ':' + std::to_string(port); }

    /// The host for who looks it up: an IPv6 address without its brackets.
    std::string bare_host() const { return host.starts_with('[') ? host.substr(1, host.size() - 2) : host; }

    std::string to_string() const { return (secure ? "wss://" : "ws://") + authority() + target; }
};

}  // namespace kvolt::detail

#endif
