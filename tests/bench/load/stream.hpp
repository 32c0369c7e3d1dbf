#ifndef KVOLT_TESTS_BENCH_LOAD_STREAM_HPP
#define KVOLT_TESTS_BENCH_LOAD_STREAM_HPP

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace bench {

/// A connection to a server on this machine, with TLS or without: blocking at first, until non_blocking().
class Stream {
public:
    static constexpr std::ptrdiff_t ended = -1;

    /// @param number  Of the connection: 20,000 come from each address of 127.0.0.0/8.
    /// @param tls     Or nullptr.
    Stream(unsigned short port, std::size_t number, SSL_CTX* tls) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        check(fd_, "socket");
        set(IPPROTO_TCP, TCP_NODELAY, 1);
        set(SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        timeval patience{10, 0};
        check(::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), "setsockopt");
        sockaddr_in from = address(INADDR_LOOPBACK + 1 + static_cast<std::uint32_t>(number / 20000), 0);
        check(::bind(fd_, reinterpret_cast<sockaddr*>(&from), sizeof from), "bind");
        sockaddr_in to = address(INADDR_LOOPBACK, port);
        check(::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), "connect");
        if (tls == nullptr) return;
        ssl_.reset(SSL_new(tls));
        SSL_set_fd(ssl_.get(), fd_);
        if (SSL_connect(ssl_.get()) != 1) throw std::runtime_error("the TLS handshake failed");
    }

    Stream(Stream&& other) noexcept : fd_(std::exchange(other.fd_, -1)), ssl_(std::move(other.ssl_)) {}
    Stream& operator=(Stream&&) = delete;
    ~Stream() {
        if (fd_ >= 0) ::close(fd_);
    }

    int fd() const noexcept { return fd_; }

    void non_blocking() { check(::fcntl(fd_, F_SETFL, O_NONBLOCK), "fcntl"); }

    /// Let the connection vanish when it is closed, so that its port is free at once.
    void no_time_wait() {
        linger now{1, 0};
        check(::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now), "setsockopt");
    }

    /// Returns how many bytes have come: none if it would block, and `ended` at the end.
    std::ptrdiff_t read(std::span<char> to) noexcept {
        if (!ssl_) return result(::recv(fd_, to.data(), to.size(), 0));
        ERR_clear_error();
        std::size_t size = 0;
        int good = SSL_read_ex(ssl_.get(), to.data(), to.size(), &size);
        return good == 1 ? static_cast<std::ptrdiff_t>(size) : failure();
    }

    /// Whether there may be more after a read that returned so many bytes of so much room.
    bool may_have_more(std::size_t size, std::size_t room) const noexcept { return ssl_ || size == room; }

    /// Returns how many bytes were taken, like read().
    std::ptrdiff_t write(std::string_view bytes) noexcept {
        if (!ssl_) return result(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
        ERR_clear_error();
        std::size_t size = 0;
        int good = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
        return good == 1 ? static_cast<std::ptrdiff_t>(size) : failure();
    }

private:
    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };

    static void check(int result, const char* what) {
        if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    }

    static sockaddr_in address(std::uint32_t host, unsigned short port) noexcept {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(host);
        address.sin_port = htons(port);
        return address;
    }

    static std::ptrdiff_t result(std::ptrdiff_t size) noexcept {
        if (size > 0) return size;
        return size < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : ended;
    }

    std::ptrdiff_t failure() const noexcept {
        int error = SSL_get_error(ssl_.get(), 0);
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : ended;
    }

    void set(int level, int option, int value) {
        check(::setsockopt(fd_, level, option, &value, sizeof value), "setsockopt");
    }

    int fd_;
    std::unique_ptr<SSL, Free> ssl_;
};

}  // namespace bench

#endif
