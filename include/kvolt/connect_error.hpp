#ifndef KVOLT_CONNECT_ERROR_HPP
#define KVOLT_CONNECT_ERROR_HPP

#include <stdexcept>
#include <string>
#include <utility>

namespace kvolt {

/// Thrown by a WebSocketClient that cannot connect. what() names the URL and tells the whole story in one line.
class ConnectError : public std::runtime_error {
public:
    enum class Reason {
        name,       ///< The host's name could not be resolved.
        network,    ///< No address took the connection, or it was lost during the handshake.
        timeout,    ///< ConnectOptions::connect_timeout or handshake_timeout has passed.
        tls,        ///< The server does not speak TLS, or its certificate is not to be trusted.
        status,     ///< The server answered with another status than 101: see status() and body().
        handshake,  ///< The server's answer breaks RFC 6455, section 4.1, or RFC 7692, section 7.1, or is no HTTP.
        stopped,    ///< The app that this runs in stops.
    };

    ConnectError(Reason reason, const std::string& what, int status = 0, std::string body = {})
        : std::runtime_error(what), reason_(reason), status_(status), body_(std::move(body)) {}

    Reason reason() const noexcept { return reason_; }

    /// The HTTP status, for Reason::status; 0 for the others.
    int status() const noexcept { return status_; }

    /// The first KiB of the body that came with the status, as it came.
    const std::string& body() const noexcept { return body_; }

private:
    Reason reason_;
    int status_;
    std::string body_;
};

}  // namespace kvolt

#endif
