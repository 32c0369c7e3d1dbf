#ifndef KVOLT_LISTEN_OPTIONS_HPP
#define KVOLT_LISTEN_OPTIONS_HPP

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace kvolt {

/// What else one listener does: `app.listen(":8080", ListenOptions().proxy_protocol({"10.0.0.0/8"}))`.
class ListenOptions {
public:
    /// Demand HAProxy's PROXY protocol, version 1 or 2, before anything else, TLS included: the proxy in front tells by
    /// it who the client is, and by version 2 also whether it speaks TLS with the proxy. Connections without it, or
    /// from anybody else, are closed. Where it tells about no client (UNKNOWN of version 1, LOCAL and AF_UNSPEC of
    /// version 2: health checks, mostly), the proxy's address is shown.
    ///
    /// Whose X-Forwarded fields count is another list: App::trust_proxies() is asked about the client that the preamble
    /// names, and never about the proxy that has sent it, since it passes on what the client says.
    ///
    /// @param peers  Who speaks it: addresses and networks, such as `10.0.0.0/8` and `::1`, and `unix` for Unix
    ///               sockets. App::listen() throws std::invalid_argument for what is none of them.
    ListenOptions& proxy_protocol(std::vector<std::string> peers) {
        proxies_ = std::move(peers);
        proxy_protocol_ = true;
        return *this;
    }

    /// The same for those of App::trust_proxies(), whose X-Forwarded fields, and everybody's, then do not count on this
    /// listener: name the peers here to have both.
    ListenOptions& proxy_protocol() { return proxy_protocol(true); }
    template <std::same_as<bool> Demand>  // or a list in braces could be one
    ListenOptions& proxy_protocol(Demand demand) {
        proxies_.clear();
        proxy_protocol_ = demand;
        return *this;
    }

    /// All clients of this listener speak TLS with a proxy in front that cannot tell so, as by version 1 of the PROXY
    /// protocol: then Context::secure() is true, and pages of `https://` are of the same origin.
    ListenOptions& tls_in_front(bool secure = true) noexcept {
        tls_in_front_ = secure;
        return *this;
    }

    bool demands_proxy_protocol() const noexcept { return proxy_protocol_; }
    const std::vector<std::string>& proxies() const noexcept { return proxies_; }
    bool has_tls_in_front() const noexcept { return tls_in_front_; }

private:
    std::vector<std::string> proxies_;  // those of the app, if empty
    bool proxy_protocol_ = false;
    bool tls_in_front_ = false;
};

}  // namespace kvolt

#endif
