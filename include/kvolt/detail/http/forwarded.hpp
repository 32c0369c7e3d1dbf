#ifndef KVOLT_DETAIL_HTTP_FORWARDED_HPP
#define KVOLT_DETAIL_HTTP_FORWARDED_HPP

// Who the client is behind proxies, by what they have written into the header.

#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/http/fields.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// Who sends the requests of a connection, by what is known of the connection itself.
struct Sender {
    std::optional<IpEndpoint> address = {};  ///< Nothing for a Unix socket.
    bool secure = false;                     ///< It speaks TLS with a proxy in front.
    bool forwards = true;  ///< What it tells about another client counts, if App::trust_proxies() names it.
};

/// What a connection, or a proxy that is trusted, tells about the client.
struct Client {
    std::optional<IpEndpoint> address;  ///< Nothing for a Unix socket.
    bool secure = false;
    std::string host;  ///< What it calls the server: the Host field.
};

/// One proxy's account of the peer that it has got the request from.
struct Hop {
    std::string address, scheme, host;  ///< Empty where it does not say.
};

/// One element of Forwarded: `for=192.0.2.1;proto=https;host=example.com` (RFC 7239, section 4). A broken one says
/// nothing.
inline Hop parse_forwarded(std::string_view element) {
    Hop hop;
    while (!element.empty()) {
        std::string_view pair = take_item(element, ';', true);
        if (pair.empty()) continue;
        std::size_t equals = pair.find('=');
        if (equals == pair.npos) return {};
        auto value = unquoted(pair.substr(equals + 1));
        if (!value) return {};
        std::string_view name = pair.substr(0, equals);
        std::string* place = iequals(name, "for")     ? &hop.address
                             : iequals(name, "proto") ? &hop.scheme
                             : iequals(name, "host")  ? &hop.host
                                                      : nullptr;
        if (place == nullptr) continue;
        if (!place->empty()) return {};  // each once
        *place = std::move(*value);
    }
    return hop;
}

/// What the proxies tell, the one nearest to us last.
inline std::vector<Hop> hops(const Request& request, ProxyHeaders headers) {
    std::vector<Hop> result;
    if (headers.are_forwarded()) {
        for (std::string_view element : list_items(request, "Forwarded", true))
            result.push_back(parse_forwarded(element));
        return result;
    }
    // Many proxies add to X-Forwarded-For but overwrite the others, so these may be fewer: the leftmost stands for
    // all before it.
    auto addresses = list_items(request, "X-Forwarded-For"), schemes = list_items(request, "X-Forwarded-Proto");
    std::vector<std::string_view> hosts;
    if (headers.have_x_forwarded_host()) hosts = list_items(request, "X-Forwarded-Host");
    auto from_right = [](const std::vector<std::string_view>& items, std::size_t distance) {
        if (items.empty()) return std::string();
        return std::string(items[items.size() - 1 - (std::min)(distance, items.size() - 1)]);
    };
    std::size_t count = std::max<std::size_t>(addresses.size(), schemes.empty() && hosts.empty() ? 0 : 1);
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t distance = count - 1 - i;
        result.push_back({from_right(addresses, distance), from_right(schemes, distance), from_right(hosts, distance)});
    }
    return result;
}

/// Walk from the sender towards the client, for as long as who tells about the next one is trusted.
inline Client find_client(const Request& request, const Sender& sender, const TrustedPeers& trusted,
                          ProxyHeaders headers) {
    Client client{sender.address, sender.secure, std::string(request.host())};
    if (!sender.forwards || !trusted.trusts(sender.address)) return client;
    auto told = hops(request, headers);
    for (std::size_t i = told.size(); i-- > 0 && trusted.trusts(client.address);) {
        const Hop& hop = told[i];
        if (iequals(hop.scheme, "https") || iequals(hop.scheme, "wss")) client.secure = true;
        if (iequals(hop.scheme, "http") || iequals(hop.scheme, "ws")) client.secure = false;
        if (!hop.host.empty() && parse_authority(hop.host, 80)) client.host = hop.host;
        auto address = IpEndpoint::parse(hop.address);
        if (!address) break;  // "unknown", a pseudonym, or nonsense
        client.address = *address;
    }
    return client;
}

}  // namespace kvolt::detail

#endif
