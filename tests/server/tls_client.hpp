#ifndef KVOLT_TESTS_SERVER_TLS_CLIENT_HPP
#define KVOLT_TESTS_SERVER_TLS_CLIENT_HPP

#include "client.hpp"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>
#include <utility>

namespace test {

/// OpenSSL's client over a blocking socket.
class TlsLayer final : public Layer {
public:
    explicit TlsLayer(int socket) : ssl_(SSL_new(context())) {
        SSL_set_fd(ssl_, socket);
        SSL_set_connect_state(ssl_);
    }

    /// The server's side of one; `by` has its certificate.
    TlsLayer(int socket, SSL_CTX* by) : ssl_(SSL_new(by)) {
        SSL_set_fd(ssl_, socket);
        SSL_set_accept_state(ssl_);
    }

    ~TlsLayer() override { SSL_free(ssl_); }

    SSL* ssl() const { return ssl_; }

    void handshake() {
        ERR_clear_error();
        if (SSL_do_handshake(ssl_) == 1) return;
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        throw std::runtime_error(std::string("handshake: ") + (reason ? reason : "the connection ended"));
    }

    /// The common name of the certificate that the server has shown.
    std::string peer_name() const {
        X509* certificate = SSL_get1_peer_certificate(ssl_);
        char name[256] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
        X509_free(certificate);
        return name;
    }

    std::string protocol() const {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(ssl_, &name, &size);
        return {reinterpret_cast<const char*>(name), size};
    }

    bool closed_properly() const override { return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0; }

    /// By close_notify.
    void half_close() override {
        if (SSL_is_init_finished(ssl_) == 0) handshake();
        SSL_shutdown(ssl_);
    }

    ssize_t send(const char* bytes, std::size_t size) override {
        ERR_clear_error();
        std::size_t sent = 0;
        int status = SSL_write_ex(ssl_, bytes, size, &sent);
        return status == 1 ? static_cast<ssize_t>(sent) : failure(status, EPIPE);
    }

    ssize_t receive(char* bytes, std::size_t size) override {
        ERR_clear_error();
        std::size_t received = 0;
        int status = SSL_read_ex(ssl_, bytes, size, &received);
        return status == 1 ? static_cast<ssize_t>(received) : closed_properly() ? 0 : failure(status, ECONNRESET);
    }

private:
    static SSL_CTX* context() {
        static SSL_CTX* const made = [] {
            std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the peer may have closed
            return SSL_CTX_new(TLS_client_method());
        }();
        return made;
    }

    ssize_t failure(int status, int otherwise) const {
        int error = SSL_get_error(ssl_, status);
        errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : otherwise;
        return -1;
    }

    SSL* ssl_;
};

/// A client whose handshake is still to be made: by `tls->handshake()`, or by the first byte.
struct TlsClient : Client {
    explicit TlsClient(unsigned short port, int receive_buffer = 0) : TlsClient(Client(port, receive_buffer)) {}
    explicit TlsClient(Client client) : Client(std::move(client)) {
        auto made = std::make_unique<TlsLayer>(socket());
        tls = made.get();
        layer(std::move(made));
    }

    TlsLayer* tls;
};

}  // namespace test

#endif
