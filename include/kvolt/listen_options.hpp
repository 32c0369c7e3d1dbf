#ifndef KVOLT_LISTEN_OPTIONS_HPP
#define KVOLT_LISTEN_OPTIONS_HPP

namespace kvolt {

/// What else one listener does: `app.listen(":8080", ListenOptions().proxy_protocol())`.
class ListenOptions {
public:
    /// Demand HAProxy's PROXY protocol, version 1 or 2, before anything else, TLS included: the proxy in front tells by
    /// it who the client is. Connections without it, or not from one of App::trust_proxies(), are closed. Where it
    /// tells about no client (UNKNOWN of version 1, LOCAL and AF_UNSPEC of version 2: health checks, mostly), the proxy
    /// itself stays the peer.
    ListenOptions& proxy_protocol(bool demand = true) noexcept {
        proxy_protocol_ = demand;
        return *this;
    }

    bool demands_proxy_protocol() const noexcept { return proxy_protocol_; }

private:
    bool proxy_protocol_ = false;
};

}  // namespace kvolt

#endif
