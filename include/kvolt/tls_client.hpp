#ifndef KVOLT_TLS_CLIENT_HPP
#define KVOLT_TLS_CLIENT_HPP

// wss:// for WebSocketClient. Not part of kvolt.hpp: link kvolt::tls, which brings OpenSSL.

#include <kvolt/connect_options.hpp>
#include <kvolt/detail/tls/client_settings.hpp>

#include <functional>
#include <openssl/ssl.h>
#include <string>
#include <utility>

namespace kvolt {

/// How a client speaks TLS: `WebSocketClient("wss://...", ConnectOptions().tls(TlsClient()))`. Set it up first.
///
/// TLS 1.2 and 1.3. The server's certificate must come from an authority that the system trusts, and be for the host
/// that the URL names.
class TlsClient {
public:
    /// Trust the authorities in this file (PEM), such as one of your own, instead of the system's. May be called again
    /// for more.
    TlsClient& ca_file(std::string file) {
        settings_.ca_files.push_back(std::move(file));
        return *this;
    }

    /// The name that the server's certificate is for, and that it is asked for (SNI), where it is not the URL's host.
    TlsClient& server_name(std::string name) {
        settings_.server_name = std::move(name);
        return *this;
    }

    /// Take whoever answers for the server, and be open to everyone on the way. For experiments only.
    TlsClient& trust_anyone(bool trust = true) {
        settings_.trust_anyone = trust;
        return *this;
    }

    /// Set OpenSSL up further, such as for a client certificate, after our own settings.
    TlsClient& configure(std::function<void(SSL_CTX*)> function) {
        settings_.configure = std::move(function);
        return *this;
    }

    // For ConnectOptions

    const detail::TlsClientSettings& settings() const noexcept { return settings_; }

private:
    detail::TlsClientSettings settings_;
};

/// @throws std::runtime_error  that names a CA file and says what is wrong with it.
inline ConnectOptions& ConnectOptions::tls(const TlsClient& client) {
    tls_ = detail::make_tls_connector(client.settings());
    return *this;
}

}  // namespace kvolt

#ifndef KVOLT_COMPILED_TLS
#include <kvolt/src/tls_client.hpp>
#endif

#endif
