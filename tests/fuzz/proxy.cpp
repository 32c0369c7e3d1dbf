// What proxies say about a client: the preamble of the PROXY protocol, then header fields, one a line. Nothing that a
// client has written may hide what a proxy adds behind it.

#include "require.hpp"
#include <kvolt/detail/http/forwarded.hpp>
#include <kvolt/detail/http/proxy_protocol.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

using kvolt::ProxyHeaders;
using kvolt::Request;
using kvolt::detail::Client;
using kvolt::detail::IpEndpoint;
using kvolt::detail::ProxyPreamble;
using kvolt::detail::Sender;
using kvolt::detail::TrustedPeers;

namespace {

using Kind = ProxyPreamble::Kind;

const IpEndpoint proxy = *IpEndpoint::parse("10.0.0.1:99"), stranger = *IpEndpoint::parse("192.0.2.77");
const TrustedPeers trusted({"10.0.0.0/8", "fd00::/8"});

bool same(const ProxyPreamble& a, const ProxyPreamble& b) {
    return a.kind == b.kind && a.size == b.size && a.client == b.client && a.secure == b.secure;
}

// An address is written as it is read.
void check_address(const std::optional<IpEndpoint>& address) {
    if (address) require(IpEndpoint::parse(address->to_string()) == address);
}

// However a preamble is cut, it says the same, and it is never waited for without end.
ProxyPreamble check_preamble(std::string_view bytes) {
    ProxyPreamble whole = kvolt::detail::parse_proxy_preamble(bytes);
    require(whole.size <= bytes.size() && (whole.size > 0) == (whole.kind >= Kind::peer));
    require(whole.size <= 16 + kvolt::detail::most_proxy_data);
    require(whole.kind != Kind::more || bytes.size() < 16 + kvolt::detail::most_proxy_data);
    require(whole.kind == Kind::client || (!whole.client && !whole.secure));
    check_address(whole.client);
    bool ended = false;
    for (std::size_t size = 0; size <= std::min<std::size_t>(bytes.size(), 300); ++size) {
        ProxyPreamble part = kvolt::detail::parse_proxy_preamble(bytes.substr(0, size));
        require(same(part, whole) || (part.kind == Kind::more && !ended));
        ended = part.kind != Kind::more;
    }
    return whole;
}

Request request_of(std::string_view lines) {
    Request request;
    request.start("GET", "/");
    request.add_field("Host", "own");
    while (!lines.empty()) {
        std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
        std::string_view name = line.substr(0, line.find(':'));
        line.remove_prefix(std::min(line.size(), name.size() + 1));
        request.add_field(name, line.starts_with(' ') ? line.substr(1) : line);
    }
    return request;
}

Client find(const Request& request, const std::optional<IpEndpoint>& peer, ProxyHeaders headers) {
    Client alone = kvolt::detail::find_client(request, Sender{peer, true, false}, trusted, headers);
    require(alone.address == peer && alone.secure && alone.host == "own");
    Client found = kvolt::detail::find_client(request, Sender{peer}, trusted, headers);
    check_address(found.address);
    require(found.host == "own" || kvolt::detail::parse_authority(found.host, 80));
    return found;
}

// A copy in which the proxy nearest to us has told about its peer, in the last line of that name or in one of its own.
Request told(const Request& request, std::string_view name, const std::string& added, bool own_line) {
    Request copy;
    copy.start("GET", "/");
    std::size_t last = request.field_count();
    for (std::size_t i = 0; i < request.field_count(); ++i)
        if (kvolt::detail::iequals(request.field_name(i), name)) last = i;
    for (std::size_t i = 0; i < request.field_count(); ++i) {
        bool here = !own_line && i == last;
        copy.add_field(request.field_name(i), std::string(request.field_value(i)) + (here ? ", " + added : ""));
    }
    if (own_line || last == request.field_count()) copy.add_field(name, added);
    return copy;
}

void check_fields(const Request& request, const std::optional<IpEndpoint>& peer) {
    for (ProxyHeaders headers :
         {ProxyHeaders::forwarded, ProxyHeaders::x_forwarded, ProxyHeaders().x_forwarded_host()}) {
        Client from_stranger = find(request, stranger, headers);
        require(from_stranger.address == stranger && !from_stranger.secure && from_stranger.host == "own");
        require(find(request, std::nullopt, headers).address == std::nullopt);
        bool host = headers.are_forwarded() || headers.have_x_forwarded_host();
        require(find(request, proxy, headers).host == "own" || host);
        find(request, peer, headers);
    }
    for (bool own_line : {false, true}) {
        Client by_list =
            find(told(request, "X-Forwarded-For", "192.0.2.77", own_line), proxy, ProxyHeaders::x_forwarded);
        require(by_list.address == stranger);
        Client by_elements = find(told(request, "Forwarded", "for=192.0.2.77;proto=https;host=told", own_line), proxy,
                                  ProxyHeaders::forwarded);
        require(by_elements.address == stranger && by_elements.secure && by_elements.host == "told");
    }
    for (std::size_t i = 0; i < request.field_count(); ++i) {
        check_address(IpEndpoint::parse(request.field_value(i)));
        try {
            TrustedPeers peers({std::string(request.field_value(i))});
            require(!peers.empty());
        } catch (const std::invalid_argument&) {
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    ProxyPreamble preamble = check_preamble(bytes);
    bool told_of_one = preamble.kind == Kind::client && preamble.client;
    check_fields(request_of(bytes.substr(preamble.size)), told_of_one ? preamble.client : proxy);
    return 0;
}
