#ifndef KVOLT_DETAIL_TLS_CONNECTOR_HPP
#define KVOLT_DETAIL_TLS_CONNECTOR_HPP

// The client's side of TLS: whom to trust, and the handshake.

#include <kvolt/connect_error.hpp>
#include <kvolt/detail/client/connection.hpp>
#include <kvolt/detail/net/alarm.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/perform.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/tls/client_settings.hpp>
#include <kvolt/detail/tls/context.hpp>
#include <kvolt/detail/tls/session.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/ip/address.hpp>

#include <memory>
#include <new>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>
#include <utility>

namespace kvolt::detail {

template <class Stream>
class OpenSslConnector final : public TlsConnector {
public:
    /// @throws std::runtime_error  that names a file and says what is wrong with it.
    explicit OpenSslConnector(const TlsClientSettings& settings)
        : context_(SSL_CTX_new(TLS_client_method()), SslDeleter()),
          server_name_(settings.server_name),
          trust_anyone_(settings.trust_anyone) {
        SSL_CTX* context = context_.get();
        if (context == nullptr) throw std::bad_alloc();
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        SSL_CTX_set_mode(
            context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        constexpr unsigned char protocols[] = "\x08http/1.1";
        SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1);
        SSL_CTX_set_verify(context, trust_anyone_ ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
        if (settings.ca_files.empty()) SSL_CTX_set_default_verify_paths(context);
        for (const std::string& file : settings.ca_files) {
            ERR_clear_error();
            if (SSL_CTX_load_verify_file(context, file.c_str()) == 1) continue;
            std::string why = reason(ERR_peek_error());
            ERR_clear_error();
            throw std::runtime_error("kvolt: cannot use the CA file " + file + ": " + why);
        }
        if (settings.configure) settings.configure(context);
    }

    Task<WebSocket> open(Loop& loop, PlainStream socket, Handshake handshake) const override {
        Stream stream(std::move(socket), session(handshake.url.bare_host()));
        {
            auto close = [&stream] {
                boost::system::error_code ignored;
                stream.close(ignored);
            };
            Alarm alarm(loop, handshake.due, close);
            auto [error, size] = co_await perform(loop, [&](auto done) { stream.async_handshake(std::move(done)); });
            if (error) fail(stream.session(), error, alarm.rang());
        }
        co_return co_await open_websocket(loop, std::move(stream), handshake);
    }

private:
    std::unique_ptr<TlsSession> session(const std::string& host) const {
        std::unique_ptr<SSL, SslDeleter> ssl(SSL_new(context_.get()));
        if (!ssl) throw std::bad_alloc();
        const std::string& name = server_name_.empty() ? host : server_name_;
        boost::system::error_code no_number;
        boost::asio::ip::make_address(name, no_number);
        SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        bool good = no_number ? SSL_set1_host(ssl.get(), name.c_str()) == 1 && set_server_name(ssl.get(), name) == 1
                              : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str()) == 1;
        if (!good) throw ConnectError(ConnectError::Reason::tls, "TLS: not a name for a server: " + name);
        SSL_set_connect_state(ssl.get());
        return std::make_unique<TlsSession>(std::move(ssl), context_);
    }

    // SSL_set_tlsext_host_name() without its cast.
    static long set_server_name(SSL* ssl, std::string name) {
        return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
    }

    [[noreturn]] static void fail(const TlsSession& session, boost::system::error_code error, bool late) {
        if (late || session.error() == 0) fail_handshake(late, "the handshake of TLS", error);
        long verdict = SSL_get_verify_result(session.ssl());
        std::string what = ERR_GET_REASON(session.error()) == SSL_R_CERTIFICATE_VERIFY_FAILED
                               ? "the server's certificate is not to be trusted: " +
                                     std::string(X509_verify_cert_error_string(verdict))
                               : "the handshake of TLS failed: " + reason(session.error());
        throw ConnectError(ConnectError::Reason::tls, what);
    }

    static std::string reason(unsigned long error) {
        const char* text = ERR_reason_error_string(error);
        return text != nullptr ? text : "unknown reason";
    }

    const std::shared_ptr<SSL_CTX> context_;
    const std::string server_name_;
    const bool trust_anyone_;
};

}  // namespace kvolt::detail

#endif
