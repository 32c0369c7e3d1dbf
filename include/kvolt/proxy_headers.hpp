#ifndef KVOLT_PROXY_HEADERS_HPP
#define KVOLT_PROXY_HEADERS_HPP

namespace kvolt {

/// In which header fields the proxies in front tell about the client: X-Forwarded-For and X-Forwarded-Proto, unless
/// another kind is chosen. Only one kind is believed: a proxy passes the others through as the client has sent them.
class ProxyHeaders {
public:
    static const ProxyHeaders x_forwarded;  ///< X-Forwarded-For and X-Forwarded-Proto.
    static const ProxyHeaders forwarded;    ///< Forwarded (RFC 7239), with the host if it tells it.

    /// Believe X-Forwarded-Host, too. Most proxies keep the Host field and know nothing of this one, so that it is the
    /// client's: only if all of them set or remove it.
    constexpr ProxyHeaders& x_forwarded_host(bool believe = true) noexcept {
        kind_ = believe ? Kind::x_forwarded_and_host : Kind::x_forwarded;
        return *this;
    }

    constexpr bool are_forwarded() const noexcept { return kind_ == Kind::forwarded; }
    constexpr bool have_x_forwarded_host() const noexcept { return kind_ == Kind::x_forwarded_and_host; }

private:
    enum class Kind { x_forwarded, x_forwarded_and_host, forwarded };

    static constexpr ProxyHeaders of(Kind kind) noexcept {
        ProxyHeaders result;
        result.kind_ = kind;
        return result;
    }

    Kind kind_ = Kind::x_forwarded;
};

inline constexpr ProxyHeaders ProxyHeaders::x_forwarded = ProxyHeaders::of(Kind::x_forwarded);
inline constexpr ProxyHeaders ProxyHeaders::forwarded = ProxyHeaders::of(Kind::forwarded);

}  // namespace kvolt

#endif
