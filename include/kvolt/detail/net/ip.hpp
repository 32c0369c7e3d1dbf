#ifndef KVOLT_DETAIL_NET_IP_HPP
#define KVOLT_DETAIL_NET_IP_HPP

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace kvolt::detail {

/// An IP address of either version; IPv4 is kept as the IPv6 address that stands for it, `::ffff:a.b.c.d`.
struct Ip {
    std::array<unsigned char, 16> bytes{};

    bool operator==(const Ip&) const = default;

    bool is_v4() const noexcept {
        constexpr unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
        return std::equal(std::begin(mapped), std::end(mapped), bytes.begin());
    }

    static Ip v4(const void* four_bytes) noexcept {
        Ip result;
        result.bytes[10] = result.bytes[11] = 0xFF;
        std::memcpy(result.bytes.data() + 12, four_bytes, 4);
        return result;
    }

    /// The network of so many bits that it belongs to: all others are 0.
    Ip network(unsigned bits) const noexcept {
        Ip result = *this;
        for (unsigned i = 0; i < 16; ++i) {
            unsigned kept = bits > i * 8 ? (std::min)(bits - i * 8, 8u) : 0;
            result.bytes[i] = static_cast<unsigned char>(result.bytes[i] & (0xFF00u >> kept));
        }
        return result;
    }

    /// `192.0.2.1` or `2001:db8::1`, without brackets.
    static std::optional<Ip> parse(std::string_view text) noexcept {
        char copy[INET6_ADDRSTRLEN];
        if (text.empty() || text.size() >= sizeof copy || text.find('\0') != text.npos) return std::nullopt;
        copy[text.copy(copy, text.size())] = '\0';
        Ip result;
        if (::inet_pton(AF_INET6, copy, result.bytes.data()) == 1) return result;
        unsigned char four[4];
        if (::inet_pton(AF_INET, copy, four) == 1) return v4(four);
        return std::nullopt;
    }

    std::string to_string() const {
        char text[INET6_ADDRSTRLEN] = "";
        is_v4() ? ::inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text)
                : ::inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
        return text;
    }
};

/// An address and a port, 0 if that is not known.
struct IpEndpoint {
    Ip ip;
    unsigned short port = 0;

    bool operator==(const IpEndpoint&) const = default;

    /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
    static std::optional<IpEndpoint> parse(std::string_view text) noexcept {
        if (auto ip = Ip::parse(text)) return IpEndpoint{*ip, 0};
        std::size_t end = text.rfind(':');
        bool brackets = text.starts_with('[');
        if (brackets) {
            std::size_t close = text.find(']');
            if (close == text.npos) return std::nullopt;
            end = close + 1;
        } else if (text.find(':') != end) {
            return std::nullopt;  // of IPv6, and bad
        }
        if (end > text.size()) return std::nullopt;
        std::string_view host = text.substr(0, end), rest = text.substr(end);
        if (brackets) host = host.substr(1, host.size() - 2);
        auto ip = Ip::parse(host);
        if (!ip || (brackets != (host.find(':') != host.npos))) return std::nullopt;
        IpEndpoint result{*ip, 0};
        if (rest.empty()) return result;
        rest.remove_prefix(1);
        auto [last, error] = std::from_chars(rest.data(), rest.data() + rest.size(), result.port);
        if (text[end] != ':' || error != std::errc() || last != rest.data() + rest.size()) return std::nullopt;
        return result;
    }

    std::string to_string() const {
        std::string text = ip.is_v4() ? ip.to_string() : '[' + ip.to_string() + ']';
        return text + ':' + std::to_string(port);
    }
};

/// The peers that are believed what they say about others.
class TrustedPeers {
public:
    TrustedPeers() = default;

    /// @param list  Addresses and networks, such as `10.0.0.0/8` and `::1`, and `unix` for Unix sockets.
    /// @throws std::invalid_argument  that names what is none of them.
    explicit TrustedPeers(const std::vector<std::string>& list) {
        for (const std::string& text : list) {
            if (text == "unix")
                unix_ = true;
            else
                networks_.push_back(parse(text));
        }
    }

    bool empty() const noexcept { return networks_.empty() && !unix_; }

    bool trusts(const Ip& ip) const noexcept {
        return std::any_of(networks_.begin(), networks_.end(),
                           [&](const Network& network) { return ip.network(network.bits) == network.ip; });
    }

    /// @param peer  Nothing for a Unix socket.
    bool trusts(const std::optional<IpEndpoint>& peer) const noexcept { return peer ? trusts(peer->ip) : unix_; }

private:
    struct Network {
        Ip ip;
        unsigned bits;
    };

    static Network parse(std::string_view text) {
        std::size_t slash = (std::min)(text.find('/'), text.size());
        auto ip = Ip::parse(text.substr(0, slash));
        bool v4 = ip && ip->is_v4() && text.find(':') == text.npos;
        unsigned most = v4 ? 32 : 128, bits = most;
        bool good = ip.has_value();
        if (slash < text.size()) {
            auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
            good = good && error == std::errc() && end == text.data() + text.size() && bits <= most;
        }
        if (!good)
            throw std::invalid_argument("kvolt: not an address or network such as 10.0.0.0/8, ::1 or unix: \"" +
                                        std::string(text) + '"');
        if (v4) bits += 96;
        return {ip->network(bits), bits};
    }

    std::vector<Network> networks_;
    bool unix_ = false;
};

}  // namespace kvolt::detail

#endif
