#ifndef KVOLT_PROXY_HEADERS_HPP
#define KVOLT_PROXY_HEADERS_HPP

namespace kvolt {

/// In which header fields the proxies in front tell about the client. Only one kind is believed: a proxy passes the
/// other kind through as the client has sent it.
enum class ProxyHeaders {
    x_forwarded,  ///< X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host.
    forwarded,    ///< Forwarded (RFC 7239).
};

}  // namespace kvolt

#endif
