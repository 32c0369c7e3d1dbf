#ifndef KVOLT_DETAIL_HTTP_PROXY_PROTOCOL_HPP
#define KVOLT_DETAIL_HTTP_PROXY_PROTOCOL_HPP

// HAProxy's PROXY protocol, versions 1 and 2: what a proxy says about the client before anything else.

#include <kvolt/detail/net/ip.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>
#include <system_error>

namespace kvolt::detail {

struct ProxyPreamble {
    enum class Kind {
        more,  ///< More bytes are needed.
        bad,
        peer,    ///< It tells about no client: the peer itself is to be taken for it.
        client,  ///< It tells who the client is.
    };

    Kind kind = Kind::bad;
    std::size_t size = 0;                   ///< Bytes of the preamble; what follows is the client's.
    std::optional<IpEndpoint> client = {};  ///< Nothing for a Unix socket.
    bool secure = false;                    ///< The client speaks TLS with the proxy. Version 1 cannot tell.
};

/// The most bytes that a preamble of version 1 has, and that we take of version 2 behind its first 16.
inline constexpr std::size_t most_proxy_text = 107, most_proxy_data = 4096;

/// `PROXY TCP4 192.0.2.1 192.0.2.2 50312 443\r\n`
inline ProxyPreamble parse_proxy_text(std::string_view bytes) {
    using Kind = ProxyPreamble::Kind;
    std::size_t end = bytes.substr(0, most_proxy_text).find("\r\n");
    if (end == bytes.npos) return {bytes.size() < most_proxy_text ? Kind::more : Kind::bad};
    std::string_view line = bytes.substr(0, end);
    auto next = [&] {
        std::string_view word = line.substr(0, line.find(' '));
        line.remove_prefix((std::min)(line.size(), word.size() + 1));
        return word;
    };
    auto port = [](std::string_view digits) -> std::optional<unsigned short> {
        unsigned short number = 0;
        auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        bool good = error == std::errc() && last == digits.data() + digits.size();
        if (!good || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
        return number;
    };
    next();  // PROXY
    std::string_view family = next();
    if (family == "UNKNOWN") return {Kind::peer, end + 2};
    if ((family != "TCP4" && family != "TCP6") || line.ends_with(' ')) return {};
    auto source = Ip::parse(next()), destination = Ip::parse(next());
    auto source_port = port(next()), destination_port = port(next());
    if (!source || !destination || !source_port || !destination_port || !line.empty()) return {};
    if (family == "TCP4" && !(source->is_v4() && destination->is_v4())) return {};
    return {Kind::client, end + 2, IpEndpoint{*source, *source_port}};
}

inline constexpr std::string_view proxy_signature("\r\n\r\n\0\r\nQUIT\n", 12);

/// What the extensions behind the addresses say of TLS: the flag PP2_CLIENT_SSL of PP2_TYPE_SSL. The others are
/// skipped.
///
/// @returns  nothing if they are malformed.
inline std::optional<bool> parse_proxy_extensions(std::string_view bytes) {
    auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
    bool secure = false;
    while (!bytes.empty()) {
        if (bytes.size() < 3) return std::nullopt;
        std::size_t type = byte(0), size = byte(1) << 8 | byte(2);
        bytes.remove_prefix(3);
        if (bytes.size() < size) return std::nullopt;
        if (type == 0x20) {  // flags, then 4 bytes of whether the client's certificate is good, then more of these
            if (size < 5) return std::nullopt;
            secure = (byte(0) & 1) != 0;
        }
        bytes.remove_prefix(size);
    }
    return secure;
}

/// The binary form.
inline ProxyPreamble parse_proxy_data(std::string_view bytes) {
    using Kind = ProxyPreamble::Kind;
    if (bytes.size() < 16) return {Kind::more};
    auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
    unsigned version = byte(12) >> 4, command = byte(12) & 15, family = byte(13) >> 4, transport = byte(13) & 15;
    std::size_t length = byte(14) << 8 | byte(15);
    constexpr std::size_t needed[] = {0, 12, 36, 216};  // of addresses, by family
    if (version != 2 || command > 1 || family > 3 || transport > 2 || length > most_proxy_data) return {};
    if (command == 1 && length < needed[family]) return {};
    if (bytes.size() < 16 + length) return {Kind::more};
    ProxyPreamble result{Kind::peer, 16 + length};
    bool stream = command == 1 && transport == 1;  // the proxy's own connection otherwise, or not one of ours
    if (!stream || family == 0) return result;
    auto secure = parse_proxy_extensions(bytes.substr(16 + needed[family], length - needed[family]));
    if (!secure) return {};
    result.secure = *secure;
    result.kind = Kind::client;
    if (family == 3) return result;
    const char* addresses = bytes.data() + 16;
    std::size_t size = family == 1 ? 4 : 16;
    IpEndpoint client;
    if (family == 1)
        client.ip = Ip::v4(addresses);
    else
        std::memcpy(client.ip.bytes.data(), addresses, size);
    client.port = static_cast<unsigned short>(byte(16 + 2 * size) << 8 | byte(17 + 2 * size));
    result.client = client;
    return result;
}

/// @param bytes  All that has come so far.
inline ProxyPreamble parse_proxy_preamble(std::string_view bytes) {
    using Kind = ProxyPreamble::Kind;
    for (std::string_view begin : {std::string_view("PROXY "), proxy_signature}) {
        std::size_t known = (std::min)(bytes.size(), begin.size());
        if (bytes.substr(0, known) != begin.substr(0, known)) continue;
        if (known < begin.size()) return {Kind::more};
        return begin == proxy_signature ? parse_proxy_data(bytes) : parse_proxy_text(bytes);
    }
    return {};
}

}  // namespace kvolt::detail

#endif
