#ifndef KVOLT_DETAIL_SERVER_LISTENING_SOCKET_HPP
#define KVOLT_DETAIL_SERVER_LISTENING_SOCKET_HPP

#include <kvolt/detail/core/descriptor.hpp>
#include <kvolt/detail/net/address.hpp>
#include <kvolt/detail/net/platform.hpp>
#include <kvolt/detail/server/newcomer.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kvolt::detail {

/// A socket that listens on an address. When it is closed, the file of a Unix socket goes, too.
class ListeningSocket {
public:
    using Endpoint = boost::asio::generic::stream_protocol::endpoint;

    /// Listen at once.
    ///
    /// @throws std::invalid_argument  for a bad address.
    /// @throws std::system_error      that names the address, if it cannot be listened on.
    explicit ListeningSocket(std::string_view text) : address_(Address::parse(text)) {
        int error = open();
        if (error != 0)
            throw std::system_error(error, std::generic_category(), "kvolt: cannot listen on " + std::string(text));
        socklen_t size = static_cast<socklen_t>(address_.endpoint.capacity());
        if (is_tcp() && ::getsockname(socket_.number(), address_.endpoint.data(), &size) == 0)
            address_.endpoint.resize(size);
    }

    ~ListeningSocket() { close(); }

    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    bool is_tcp() const noexcept { return address_.unix_path.empty(); }

    int family() const noexcept { return address_.endpoint.protocol().family(); }

    /// 0 for a Unix socket.
    unsigned short port() const noexcept {
        return is_tcp() ? port_of(address_.endpoint) : static_cast<unsigned short>(0);
    }

    /// What to open in a browser; the address itself for a Unix socket.
    std::string url(std::string_view scheme) const {
        if (!is_tcp()) return "unix:" + address_.unix_path;
        return std::string(scheme) + "://" +
               (address_.any_interface ? "localhost:" + std::to_string(port()) : to_string(address_.endpoint));
    }

    /// To wait until somebody connects. Not for other uses: close() may come at any time.
    int number() const noexcept { return socket_.number(); }

    /// Whether somebody waits for accept(). Any thread.
    bool has_waiting() noexcept {
        std::lock_guard lock(mutex_);
        pollfd readable{socket_.number(), POLLIN, 0};
        return ::poll(&readable, 1, 0) > 0;
    }

    /// Take the next connection: EAGAIN if nobody waits, EBADF once this is closed. Any thread.
    Accepted accept() {
        Endpoint remote;
        auto size = static_cast<socklen_t>(remote.capacity());
        Accepted accepted;
        std::lock_guard lock(mutex_);
        accepted.socket = platform::accept_connection(socket_.number(), remote.data(), &size);
        if (!accepted.socket) {
            accepted.error = errno;
        } else if (is_tcp()) {
            remote.resize(size);
            accepted.peer = ip_endpoint(remote);
        }
        return accepted;
    }

    /// Any thread.
    void close() noexcept {
        std::lock_guard lock(mutex_);
        if (!socket_) return;
        if (!is_tcp() && file_ == File::at(address_.unix_path))
            ::unlink(address_.unix_path.c_str());  // first: it may be another's next
        socket_ = Descriptor();
    }

private:
    static constexpr int backlog = 4096;

    // Which file a path names.
    struct File {
        dev_t device = 0;
        ino_t inode = 0;
        bool is_socket = false;

        bool operator==(const File&) const = default;

        static File at(const std::string& path) noexcept {
            struct stat status {};
            if (::lstat(path.c_str(), &status) != 0) return {};
            return {status.st_dev, status.st_ino, S_ISSOCK(status.st_mode)};
        }
    };

    int open() {
        int error = bind();
        if (error == EADDRINUSE && !is_tcp() && nobody_listens()) {
            ::unlink(address_.unix_path.c_str());  // left behind by a server that died
            error = bind();
        } else if (error == EAFNOSUPPORT && address_.any_interface) {
            address_.endpoint = boost::asio::ip::tcp::endpoint(boost::asio::ip::tcp::v4(),
                                                               port_of(address_.endpoint));  // a machine without IPv6
            error = bind();
        }
        return error;
    }

    // errno, or 0.
    int bind() {
        Descriptor socket = platform::open_nonblocking_socket(address_.endpoint.protocol().family());
        if (!socket) return errno;
        int on = 1, off = 0;
        if (is_tcp()) ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (address_.any_interface) ::setsockopt(socket.number(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        auto size = static_cast<socklen_t>(address_.endpoint.size());
        if (::bind(socket.number(), address_.endpoint.data(), size) != 0) return errno;
        socket_ = std::move(socket);
        if (!is_tcp()) file_ = File::at(address_.unix_path);
        if (::listen(socket_.number(), backlog) == 0) return 0;
        int error = errno;
        close();
        return error;
    }

    bool nobody_listens() const {
        if (!File::at(address_.unix_path).is_socket) return false;
        Descriptor probe = platform::open_nonblocking_socket(AF_UNIX);
        auto size = static_cast<socklen_t>(address_.endpoint.size());
        return probe && ::connect(probe.number(), address_.endpoint.data(), size) != 0 && errno == ECONNREFUSED;
    }

    static unsigned short port_of(const Endpoint& endpoint) noexcept {
        boost::asio::ip::tcp::endpoint tcp;
        tcp.resize(endpoint.size());
        std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
        return tcp.port();
    }

    Address address_;
    File file_;         // of a Unix socket
    std::mutex mutex_;  // of the socket, for accept() and close()
    Descriptor socket_;
};

}  // namespace kvolt::detail

#endif
