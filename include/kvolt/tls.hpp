#ifndef KVOLT_TLS_HPP
#define KVOLT_TLS_HPP

// HTTPS and wss://. Not part of kvolt.hpp: link kvolt::tls, which brings OpenSSL.

#include <kvolt/app.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/tls/context.hpp>
#include <kvolt/server.hpp>

#include <functional>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

namespace detail {
struct TlsHeader {};
}  // namespace detail

/// The certificates of TLS listeners, and how they are set up: `app.listen_tls(":8443", tls)`. A cheap handle: copies
/// mean the same.
///
/// TLS 1.2 and 1.3 with forward secrecy only, ALPN `http/1.1` and `http/1.0`, sessions resumed by tickets, whose keys
/// change every two hours and with every reload(), no renegotiation and no compression.
///
/// @note Thread safety: any thread, also while listeners use it. A change counts for connections that come after it;
/// one that throws has changed nothing.
class Tls {
public:
    /// @param certificate_file  PEM: the certificate, then those of the chain up to the root, which may be left out.
    /// @param key_file          PEM, without a passphrase.
    /// @throws std::runtime_error  that names the file and the reason, if one cannot be read or used, or if the key is
    ///                             not the certificate's.
    Tls(std::string certificate_file, std::string key_file)
        : context_(std::make_shared<detail::TlsContext>(
              detail::CertificateFiles{std::move(certificate_file), std::move(key_file)})) {}

    /// Add a certificate for clients that ask for one of its names (SNI), `*.example.com` included. Who asks for none
    /// of all, gets the first certificate. Throws like the constructor.
    Tls& add(std::string certificate_file, std::string key_file) {
        context_->add({std::move(certificate_file), std::move(key_file)});
        return *this;
    }

    /// Set OpenSSL up further, such as for client certificates, or with ticket keys that several machines share: called
    /// for each certificate, at once and at every reload(), after our own settings. What it throws is thrown here.
    Tls& configure(std::function<void(SSL_CTX*)> function) {
        context_->configure(std::move(function));
        return *this;
    }

    /// Read all files anew, without a restart; connections that are there keep what they have. Throws like the
    /// constructor, and then the old certificates stay in use.
    void reload() const { context_->reload(); }

    // For the server

    const std::shared_ptr<detail::TlsContext>& context() const noexcept { return context_; }

private:
    std::shared_ptr<detail::TlsContext> context_;
};

template <class Stream, class>
void App::run_tls(std::string_view address, const Tls& tls, std::function<void(std::string_view)> ready) {
    listen_tls<Stream>(address, tls);
    detail::Undo undo([&] { lifecycle_->give_up_last(); });
    run(std::move(ready));
    undo.done();
}

template <class Stream, class>
void App::run_tls(std::string_view address, std::string certificate_file, std::string key_file,
                  std::function<void(std::string_view)> ready) {
    run_tls<Stream>(address, Tls(std::move(certificate_file), std::move(key_file)), std::move(ready));
}

}  // namespace kvolt

#ifndef KVOLT_COMPILED_TLS
#include <kvolt/src/tls.hpp>
#endif

#endif
