#ifndef KVOLT_DETAIL_TLS_CONTEXT_HPP
#define KVOLT_DETAIL_TLS_CONTEXT_HPP

// The certificates of a TLS listener, and how its connections are set up.

#include <kvolt/detail/tls/server_names.hpp>
#include <kvolt/detail/tls/session.hpp>
#include <kvolt/detail/tls/ticket_keys.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace kvolt::detail {

using SslContext = std::unique_ptr<SSL_CTX, SslDeleter>;

/// Where a certificate, with the chain behind it, and its key are read from: PEM files.
struct CertificateFiles {
    std::string certificate, key;
};

/// The names that a certificate is for: its DNS names, or without any, its common name.
inline std::vector<std::string> certificate_names(X509* certificate) {
    std::vector<std::string> names;
    auto text = [](const ASN1_STRING* from) {
        return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(from)),
                           static_cast<std::size_t>(ASN1_STRING_length(from)));
    };
    auto* alternatives =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(alternatives, i);
        if (name->type == GEN_DNS) names.push_back(text(name->d.dNSName));
    }
    GENERAL_NAMES_free(alternatives);
    if (!names.empty()) return names;
    const X509_NAME* subject = X509_get_subject_name(certificate);
    int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (place >= 0) names.push_back(text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place))));
    return names;
}

/// A set of certificates as it was read at one time; connections keep the one that they began with.
class CertificateSet {
public:
    /// @throws std::runtime_error  that names the file and says what is wrong with it.
    CertificateSet(const std::vector<CertificateFiles>& files, const std::function<void(SSL_CTX*)>& configure,
                   TicketKeys::Now now)
        : ticket_keys_(now) {
        for (const CertificateFiles& pair : files) {
            SslContext context = load(pair);
            ticket_keys_.serve(context.get());
            auto before = own_ticket_keys(context.get());
            if (configure) configure(context.get());
            // Who sets keys, such as those of several machines, means them.
            if (own_ticket_keys(context.get()) != before) SSL_CTX_set_tlsext_ticket_key_evp_cb(context.get(), nullptr);
            names_.push_back(certificate_names(SSL_CTX_get0_certificate(context.get())));
            contexts_.push_back(std::move(context));
        }
        SSL_CTX* first = contexts_.front().get();  // every connection begins with it
        SSL_CTX_set_tlsext_servername_arg(first, this);
        // SSL_CTX_set_tlsext_servername_callback() without its cast
        SSL_CTX_callback_ctrl(first, SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                              reinterpret_cast<void (*)()>(&CertificateSet::on_server_name));
    }

    CertificateSet(const CertificateSet&) = delete;
    CertificateSet& operator=(const CertificateSet&) = delete;

    std::unique_ptr<SSL, SslDeleter> connection() const {
        std::unique_ptr<SSL, SslDeleter> ssl(SSL_new(contexts_.front().get()));
        if (!ssl) throw std::bad_alloc();
        SSL_set_accept_state(ssl.get());
        return ssl;
    }

private:
    static SslContext load(const CertificateFiles& files) {
        SslContext context(SSL_CTX_new(TLS_server_method()));
        if (!context) throw std::bad_alloc();
        SSL_CTX* ssl = context.get();
        SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
        SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
        // Forward secrecy and authenticated encryption only; those of TLS 1.3 all are.
        SSL_CTX_set_cipher_list(ssl,
                                "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305");
        SSL_CTX_set_mode(
            ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        // Sessions are resumed by tickets, of which the server keeps nothing.
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
        constexpr unsigned char id[] = "kvolt";  // needed where a hook asks for client certificates
        SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1);
        SSL_CTX_set_alpn_select_cb(ssl, &CertificateSet::on_protocols, nullptr);
        SSL_CTX_set_default_passwd_cb(ssl, [](char*, int, int, void*) { return -1; });  // or OpenSSL asks at a terminal

        check_readable(files.certificate);
        check_readable(files.key);
        ERR_clear_error();
        if (SSL_CTX_use_certificate_chain_file(ssl, files.certificate.c_str()) != 1)
            fail("cannot use the certificate " + files.certificate);
        if (SSL_CTX_use_PrivateKey_file(ssl, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(ssl) != 1)
            fail("cannot use the key " + files.key + " with the certificate " + files.certificate);
        return context;
    }

    static void check_readable(const std::string& file) {
        std::FILE* opened = std::fopen(file.c_str(), "re");
        char byte;
        bool readable = opened != nullptr && (std::fread(&byte, 1, 1, opened) == 1 || std::ferror(opened) == 0);
        int error = errno;
        if (opened != nullptr) std::fclose(opened);
        if (!readable)
            throw std::runtime_error("kvolt: cannot read " + file + ": " + std::generic_category().message(error));
    }

    [[noreturn]] static void fail(const std::string& what) {
        const char* text = ERR_reason_error_string(ERR_peek_error());  // the first one is the cause of the others
        std::string reason = text != nullptr ? text : "unknown reason";
        ERR_clear_error();
        throw std::runtime_error("kvolt: " + what + ": " + reason);
    }

    static int on_server_name(SSL* ssl, int*, void* set) {
        const auto& self = *static_cast<const CertificateSet*>(set);
        const char* host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        if (host == nullptr) return SSL_TLSEXT_ERR_NOACK;
        auto found = find_certificate(self.names_, host);
        if (!found) return SSL_TLSEXT_ERR_NOACK;  // the first one; the client may know better
        if (*found > 0) SSL_set_SSL_CTX(ssl, self.contexts_[*found].get());
        return SSL_TLSEXT_ERR_OK;
    }

    // Who offers protocols and none of ours, such as h2 alone, is refused (RFC 7301, section 3.2).
    static int on_protocols(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                            unsigned offered_size, void*) {
        for (std::string_view ours : {"http/1.1", "http/1.0"})
            for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
                std::string_view name(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
                if (name != ours) continue;
                *out = offered + at + 1;
                *size = offered[at];
                return SSL_TLSEXT_ERR_OK;
            }
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    // Those that OpenSSL seals tickets with by itself.
    static std::array<unsigned char, 80> own_ticket_keys(SSL_CTX* context) {
        std::array<unsigned char, 80> keys{};
        SSL_CTX_get_tlsext_ticket_keys(context, keys.data(), static_cast<long>(keys.size()));
        return keys;
    }

    TicketKeys ticket_keys_;
    std::vector<SslContext> contexts_;
    std::vector<std::vector<std::string>> names_;
};

/// What a listener makes its connections from; certificates can be read anew while it does. Any thread.
class TlsContext {
public:
    /// @param now  The clock by which the keys of session tickets change.
    explicit TlsContext(CertificateFiles files, TicketKeys::Now now = TicketKeys::Clock::now) : now_(now) {
        change([&] { files_.push_back(std::move(files)); });
    }

    void add(CertificateFiles files) {
        change([&] { files_.push_back(std::move(files)); });
    }

    void configure(std::function<void(SSL_CTX*)> function) {
        change([&] { configure_ = std::move(function); });
    }

    void reload() {
        change([] {});
    }

    std::unique_ptr<TlsSession> connection(std::string early) const {
        auto set = current();
        auto ssl = set->connection();
        return std::make_unique<TlsSession>(std::move(ssl), std::move(set), std::move(early));
    }

private:
    std::shared_ptr<const CertificateSet> current() const {
        std::lock_guard lock(current_mutex_);
        return current_;
    }

    // Change the settings and read everything; if that fails, nothing has changed.
    template <class Change>
    void change(Change function) {
        std::lock_guard lock(mutex_);
        auto files = files_;
        auto configure = configure_;
        try {
            function();
            auto set = std::make_shared<const CertificateSet>(files_, configure_, now_);
            std::lock_guard current_lock(current_mutex_);
            current_ = std::move(set);
        } catch (...) {
            files_ = std::move(files);
            configure_ = std::move(configure);
            throw;
        }
    }

    const TicketKeys::Now now_;
    std::mutex mutex_;
    std::vector<CertificateFiles> files_;
    std::function<void(SSL_CTX*)> configure_;
    mutable std::mutex current_mutex_;  // held for a moment only: connections wait for it
    std::shared_ptr<const CertificateSet> current_;
};

}  // namespace kvolt::detail

#endif
