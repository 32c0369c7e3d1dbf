#ifndef KVOLT_CONNECT_OPTIONS_HPP
#define KVOLT_CONNECT_OPTIONS_HPP

#include <kvolt/backoff.hpp>
#include <kvolt/connect_error.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

class TlsClient;  // #include <kvolt/tls_client.hpp>

namespace detail {
class Compression;
class TlsConnector;
}  // namespace detail

/// How a WebSocketClient connects; it keeps a copy: `WebSocketClient(url, ConnectOptions().protocols({"chat.v2"}))`.
class ConnectOptions {
public:
    using Duration = std::chrono::milliseconds;

    /// Subprotocols to offer, the favourite first. `socket.protocol()` is the one that the server has agreed to, and
    /// empty if it speaks none of them.
    ///
    /// @throws std::invalid_argument  for what is no token, and for one that is named twice (RFC 6455, section 4.1).
    ConnectOptions& protocols(std::vector<std::string> names) {
        for (auto name = names.begin(); name != names.end(); ++name)
            if (!detail::is_token(*name) || std::find(names.begin(), name, *name) != name)
                throw std::invalid_argument("kvolt: not a subprotocol, or named twice: \"" + *name + '"');
        protocols_ = std::move(names);
        return *this;
    }

    /// Add a header field to the request, such as Authorization, Origin or Cookie. `Host` replaces that of the URL.
    ///
    /// @throws std::invalid_argument  for a bad name, for a control character in the value, and for the fields that the
    ///                                client itself sets.
    ConnectOptions& header(std::string_view name, std::string_view value) {
        if (!detail::is_token(name))
            throw std::invalid_argument("kvolt: not a header field name: \"" + std::string(name) + '"');
        if (!detail::is_field_value(value))
            throw std::invalid_argument("kvolt: a control character in the value of the header field " +
                                        std::string(name));
        bool own = detail::iequals(name.substr(0, 14), "Sec-WebSocket-");
        for (std::string_view other : {"Upgrade", "Connection", "Content-Length", "Transfer-Encoding"})
            own = own || detail::iequals(name, other);
        if (own) throw std::invalid_argument("kvolt: the client itself sets the header field " + std::string(name));
        fields_.emplace_back(name, value);
        return *this;
    }

    /// Connect to this Unix socket; the URL says the rest.
    ///
    /// @throws std::invalid_argument  for a path that is empty or longer than 107 bytes.
    ConnectOptions& unix_socket(std::string path) {
        if (path.empty() || path.size() > 107 || path.find('\0') != path.npos)
            throw std::invalid_argument("kvolt: not a path for a Unix socket: \"" + path + '"');
        unix_path_ = std::move(path);
        return *this;
    }

    /// How to speak TLS, which `wss://` needs. Include <kvolt/tls_client.hpp>.
    ConnectOptions& tls(const TlsClient& client);

    /// Compress messages, with servers that know how: `kvolt::deflate()` of kvolt/deflate.hpp. Off by default.
    ConnectOptions& compression(std::shared_ptr<const detail::Compression> how) {
        compression_ = std::move(how);
        return *this;
    }

    /// How long all of resolving the name and connecting to its addresses may take; 10 s by default.
    ConnectOptions& connect_timeout(Duration timeout) {
        connect_timeout_ = timeout;
        return *this;
    }

    /// How long TLS and the opening handshake may take then; 10 s by default.
    ConnectOptions& handshake_timeout(Duration timeout) {
        handshake_timeout_ = timeout;
        return *this;
    }

    /// Those that concern WebSockets (message_size, message_fragments, backlog, ping_interval and the like), and
    /// header_size and header_fields of the server's answer. By default as for a server.
    ConnectOptions& limits(const Limits& limits) {
        limits_ = limits;
        return *this;
    }

    /// How reconnect() waits between its tries, and how often it tries: see Backoff for the defaults.
    ConnectOptions& backoff(const Backoff& backoff) {
        backoff_ = backoff;
        return *this;
    }

    /// Be told by reconnect() why a try has failed, and how long it waits before the next. What this throws leaves
    /// reconnect(): throw the error on if it is hopeless, such as a 401.
    ConnectOptions& on_failure(std::function<void(const ConnectError&, Duration delay)> function) {
        on_failure_ = std::move(function);
        return *this;
    }

    // For the client

    using Fields = std::vector<std::pair<std::string, std::string>>;

    const std::vector<std::string>& protocols() const noexcept { return protocols_; }
    const Fields& fields() const noexcept { return fields_; }
    const std::string& unix_path() const noexcept { return unix_path_; }
    const std::shared_ptr<const detail::TlsConnector>& tls() const noexcept { return tls_; }
    const std::shared_ptr<const detail::Compression>& compression() const noexcept { return compression_; }
    Duration connect_timeout() const noexcept { return connect_timeout_; }
    Duration handshake_timeout() const noexcept { return handshake_timeout_; }
    const Limits& limits() const noexcept { return limits_; }
    const Backoff& backoff() const noexcept { return backoff_; }
    const std::function<void(const ConnectError&, Duration)>& on_failure() const noexcept { return on_failure_; }

private:
    std::vector<std::string> protocols_;
    Fields fields_;
    std::string unix_path_;
    std::shared_ptr<const detail::TlsConnector> tls_;
    std::shared_ptr<const detail::Compression> compression_;
    Duration connect_timeout_ = std::chrono::seconds(10);
    Duration handshake_timeout_ = std::chrono::seconds(10);
    Limits limits_;
    Backoff backoff_;
    std::function<void(const ConnectError&, Duration)> on_failure_;
};

}  // namespace kvolt

#endif
