#ifndef KVOLT_DETAIL_TLS_SESSION_HPP
#define KVOLT_DETAIL_TLS_SESSION_HPP

// One side of a TLS connection, between bytes in memory: what has come in is fed to it, what is to go out is
// fetched from it. OpenSSL does the work; it knows of no socket.

#include <kvolt/detail/core/date.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

struct SslDeleter {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};

class TlsSession {
public:
    enum class Result {
        done,
        want_input,   ///< More has to be fed.
        want_output,  ///< Output has to be fetched first.
        closed,       ///< The peer will send nothing more, and has said so.
        failed,       ///< The handshake, or what came later, was wrong. An alert may lie in the output.
    };

    /// The most plaintext that one record holds (RFC 8446, section 5.1).
    static constexpr std::size_t record_size = 16 * 1024;

    /// @param ssl        In the accept state, or in the connect state.
    /// @param resources  What has to live as long as the session.
    /// @param early      What has come in already.
    TlsSession(std::unique_ptr<SSL, SslDeleter> ssl, std::shared_ptr<const void> resources, std::string early = {})
        : resources_(std::move(resources)), ssl_(std::move(ssl)), kept_(std::move(early)) {
        BIO* bio = BIO_new(method());
        if (bio == nullptr) throw std::bad_alloc();
        BIO_set_data(bio, this);
        SSL_set_bio(ssl_.get(), bio, bio);
    }

    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// True once the handshake has succeeded, whatever came later.
    bool established() const noexcept { return established_; }

    /// OpenSSL's first word on what has failed; 0 if nothing has, or if it said none.
    unsigned long error() const noexcept { return error_; }

    SSL* ssl() const noexcept { return ssl_.get(); }

    /// Hand over what has come in. It must stay where it is until the next read(), handshake() or keep().
    void feed(std::string_view ciphertext) noexcept { input_ = ciphertext; }

    /// Keep what was fed and not used up.
    void keep() {
        kept_ += input_;
        input_ = {};
    }

    /// Go on with the handshake alone, as a client does who speaks first.
    Result handshake() {
        Result result = failed_ ? Result::failed : Result::done;
        if (!failed_) {
            ERR_clear_error();
            int status = SSL_do_handshake(ssl_.get());
            if (status != 1) result = judge(status);
        }
        end_step();
        return result;
    }

    /// Go on with the handshake, then decrypt into `to` as much as is there.
    Result read(char* to, std::size_t room, std::size_t& size) {
        size = 0;
        Result result = failed_ ? Result::failed : Result::done;
        while (result == Result::done && size < room) {
            std::size_t part = 0;
            ERR_clear_error();
            int status = SSL_read_ex(ssl_.get(), to + size, room - size, &part);
            size += part;
            if (status != 1) result = judge(status);
        }
        end_step();
        return size > 0 ? Result::done : result;
    }

    /// Encrypt up to record_size bytes.
    ///
    /// @returns  how many were taken; 0 if the connection cannot be written to.
    std::size_t write(const void* from, std::size_t size) {
        std::size_t taken = 0;
        if (!can_write()) return 0;
        ERR_clear_error();
        int status = SSL_write_ex(ssl_.get(), from, (std::min)(size, record_size), &taken);
        if (status != 1) judge(status);
        return status == 1 ? taken : 0;
    }

    /// Say that nothing more will be sent; reading goes on.
    void close() {
        if (!can_write()) return;
        ERR_clear_error();
        if (int status = SSL_shutdown(ssl_.get()); status < 0) judge(status);
    }

    /// What is to be sent.
    std::string_view output() const noexcept { return std::string_view(output_).substr(sent_); }

    /// The first `size` bytes of the output were sent.
    void sent(std::size_t size) noexcept {
        sent_ += size;
        if (sent_ < output_.size()) {
            if (sent_ > most_output) output_.erase(0, std::exchange(sent_, 0));
            return;
        }
        std::string().swap(output_);  // a connection at rest holds no buffers
        sent_ = 0;
    }

private:
    static constexpr std::size_t most_output = 64 * 1024;  // when reading, so that a peer cannot pile up answers

    void end_step() {
        established_ = established_ || SSL_is_init_finished(ssl_.get()) != 0;
        keep();
    }

    bool can_write() const noexcept {
        return !failed_ && established() && (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) == 0;
    }

    Result judge(int status) {
        switch (SSL_get_error(ssl_.get(), status)) {
            case SSL_ERROR_WANT_READ: return Result::want_input;
            case SSL_ERROR_WANT_WRITE: return Result::want_output;
            case SSL_ERROR_ZERO_RETURN: return Result::closed;
            default: break;
        }
        failed_ = true;
        if (out_of_memory_) throw std::bad_alloc();
        error_ = ERR_peek_error();
        if (ERR_GET_LIB(error_) == ERR_LIB_SSL && ERR_GET_REASON(error_) == SSL_R_HTTP_REQUEST) answer_plain_http();
        ERR_clear_error();
        return Result::failed;
    }

    void answer_plain_http() {
        constexpr std::string_view text = "Client sent an HTTP request to an HTTPS server.\n";
        output_ += "HTTP/1.1 400 Bad Request\r\nDate: " + http_date(std::time(nullptr)) +
                   "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(text.size()) +
                   "\r\nConnection: close\r\n\r\n";
        output_ += text;
    }

    // OpenSSL's view of the bytes

    static BIO_METHOD* method() {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* result = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "kvolt");
            if (result == nullptr) throw std::bad_alloc();
            BIO_meth_set_create(result, [](BIO* bio) {
                BIO_set_init(bio, 1);
                return 1;
            });
            BIO_meth_set_read(result, [](BIO* bio, char* to, int size) {
                BIO_clear_retry_flags(bio);
                auto taken = self(bio).take(to, static_cast<std::size_t>((std::max)(size, 0)));
                if (taken > 0 || size <= 0) return static_cast<int>(taken);
                BIO_set_retry_read(bio);
                return -1;
            });
            BIO_meth_set_write(result, [](BIO* bio, const char* from, int size) {
                BIO_clear_retry_flags(bio);
                if (self(bio).output().size() < most_output)
                    return self(bio).put({from, static_cast<std::size_t>((std::max)(size, 0))}) ? size : -1;
                BIO_set_retry_write(bio);
                return -1;
            });
            BIO_meth_set_ctrl(result,
                              [](BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1L : 0L; });
            return result;
        }();
        return made;
    }

    static TlsSession& self(BIO* bio) noexcept { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

    // No exception may pass through OpenSSL.
    bool put(std::string_view bytes) noexcept {
        try {
            output_ += bytes;
        } catch (const std::bad_alloc&) {
            out_of_memory_ = true;
        }
        return !out_of_memory_;
    }

    std::size_t take(char* to, std::size_t room) {
        if (taken_ == kept_.size()) {
            std::size_t size = (std::min)(room, input_.size());
            if (size > 0) std::memcpy(to, input_.data(), size);
            input_.remove_prefix(size);
            return size;
        }
        std::size_t size = (std::min)(room, kept_.size() - taken_);
        std::memcpy(to, kept_.data() + taken_, size);
        taken_ += size;
        if (taken_ == kept_.size()) {
            std::string().swap(kept_);
            taken_ = 0;
        }
        return size;
    }

    std::shared_ptr<const void> resources_;
    std::unique_ptr<SSL, SslDeleter> ssl_;
    std::string_view input_;  // what was fed now
    std::string kept_;        // and before, but not used up
    std::size_t taken_ = 0;   // of kept_
    std::string output_;
    std::size_t sent_ = 0;  // of output_
    unsigned long error_ = 0;
    bool established_ = false;
    bool failed_ = false;
    bool out_of_memory_ = false;
};

}  // namespace kvolt::detail

#endif
