#ifndef KVOLT_DETAIL_ADDRESS_HPP
#define KVOLT_DETAIL_ADDRESS_HPP

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <charconv>
#include <cstddef>
#include <cstring>
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

/// `127.0.0.1:8080`, `[::1]:8080`; `unix` for a Unix socket. An IPv4 address that came in over IPv6 is shown as IPv4.
inline std::string to_string(const boost::asio::generic::stream_protocol::endpoint& endpoint) {
    using boost::asio::ip::tcp;
    int family = endpoint.protocol().family();
    if (family != BOOST_ASIO_OS_DEF(AF_INET) && family != BOOST_ASIO_OS_DEF(AF_INET6)) return "unix";
    tcp::endpoint address;
    address.resize(endpoint.size());
    std::memcpy(address.data(), endpoint.data(), endpoint.size());
    auto ip = address.address();
    if (ip.is_v6() && ip.to_v6().is_v4_mapped())
        ip = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, ip.to_v6());
    std::string text = ip.is_v6() ? '[' + ip.to_string() + ']' : ip.to_string();
    return text + ':' + std::to_string(address.port());
}

}  // namespace kvolt::detail

#endif
