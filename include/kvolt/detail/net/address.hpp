#ifndef KVOLT_DETAIL_NET_ADDRESS_HPP
#define KVOLT_DETAIL_NET_ADDRESS_HPP

#include <kvolt/detail/net/ip.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace kvolt::detail {

/// Where to listen: `:8080` (every interface), `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080` or `unix:/path`. Port 0
/// takes a free one.
struct Address {
    boost::asio::generic::stream_protocol::endpoint endpoint;
    std::string unix_path;  ///< Empty for TCP.
    bool any_interface = false;

    /// @throws std::invalid_argument  that names the text and shows what it should look like.
    static Address parse(std::string_view text) {
        auto fail = [&] {
            throw std::invalid_argument("kvolt: not an address to listen on: \"" + std::string(text) +
                                        "\"; use \":8080\", \"127.0.0.1:8080\", \"[::1]:8080\" or \"unix:/path\"");
        };
        Address result;
        if (text.starts_with("unix:")) {
            result.unix_path = text.substr(5);
            if (result.unix_path.empty() || result.unix_path.size() > 107) fail();
            result.endpoint = boost::asio::local::stream_protocol::endpoint(result.unix_path);
            return result;
        }
        std::size_t colon = text.rfind(':');
        if (colon == text.npos) fail();
        std::string_view host = text.substr(0, colon), digits = text.substr(colon + 1);
        unsigned port = 0;
        auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
        if (error != std::errc() || end != digits.data() + digits.size() || port > 65535) fail();
        using boost::asio::ip::tcp;
        auto number = static_cast<unsigned short>(port);
        if (host.empty()) {
            result.any_interface = true;
            result.endpoint = tcp::endpoint(tcp::v6(), number);
            return result;
        }
        bool brackets = host.starts_with('[') && host.ends_with(']');
        if (brackets) host = host.substr(1, host.size() - 2);
        boost::system::error_code bad;
        auto ip = boost::asio::ip::make_address(host == "localhost" ? "127.0.0.1" : std::string(host), bad);
        if (bad || ip.is_v6() != brackets) fail();
        result.endpoint = tcp::endpoint(ip, number);
        return result;
    }
};

/// The IP address and port; nothing for a Unix socket.
inline std::optional<IpEndpoint> ip_endpoint(const boost::asio::generic::stream_protocol::endpoint& endpoint) {
    IpEndpoint result;
    if (endpoint.protocol().family() == AF_INET) {
        sockaddr_in address{};
        std::memcpy(&address, endpoint.data(), (std::min)(endpoint.size(), sizeof address));
        result = {Ip::v4(&address.sin_addr), ntohs(address.sin_port)};
    } else if (endpoint.protocol().family() == AF_INET6) {
        sockaddr_in6 address{};
        std::memcpy(&address, endpoint.data(), (std::min)(endpoint.size(), sizeof address));
        std::memcpy(result.ip.bytes.data(), &address.sin6_addr, result.ip.bytes.size());
        result.port = ntohs(address.sin6_port);
    } else {
        return std::nullopt;
    }
    return result;
}

/// `127.0.0.1:8080`, `[::1]:8080`; `unix` for a Unix socket.
inline std::string to_string(const std::optional<IpEndpoint>& endpoint) {
    return endpoint ? endpoint->to_string() : "unix";
}
inline std::string to_string(const boost::asio::generic::stream_protocol::endpoint& endpoint) {
    return to_string(ip_endpoint(endpoint));
}

}  // namespace kvolt::detail

#endif
