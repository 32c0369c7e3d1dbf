#ifndef KVOLT_DETAIL_NET_PLATFORM_HPP
#define KVOLT_DETAIL_NET_PLATFORM_HPP

// The calls of those who serve and connect that only Linux has, or that mean something else elsewhere. To port KVolt to
// another system, begin here.

#ifndef __linux__
#error "KVolt runs on Linux only: to port it to this system, write what kvolt/detail/net/platform.hpp holds"
#endif

#include <kvolt/detail/core/descriptor.hpp>

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

namespace kvolt::detail::platform {

// Descriptors are closed on exec from the moment they are there: another thread may start a program at any time.

/// A stream socket of an address family; none and errno if that fails.
inline Descriptor open_socket(int family) noexcept {
    return Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/// The same, of which no call waits.
inline Descriptor open_nonblocking_socket(int family) noexcept {
    return Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// Take the next connection of a socket that listens; none and errno if that fails.
///
/// @param address, size  As of accept().
inline Descriptor accept_connection(int listening, sockaddr* address, socklen_t* size) noexcept {
    return Descriptor(::accept4(listening, address, size, SOCK_CLOEXEC));
}

/// What an error of accept() means.
enum class AcceptError {
    nobody,    ///< Nobody waits.
    next,      ///< That one has gone, or its network has; another one may wait.
    shortage,  ///< Of descriptors or memory, or something that nobody foresaw.
};

constexpr AcceptError accept_error(int error) noexcept {
    switch (error) {
        case EAGAIN:
        case EBADF: return AcceptError::nobody;  // the listener was closed
        case EINTR:
        case ECONNABORTED:
        case EPERM:  // a firewall's verdict
        case EPROTO:
        case ENETDOWN:  // and what else accept(2) says of errors that wait on the new socket
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH: return AcceptError::next;
        default: return AcceptError::shortage;
    }
}

/// Bytes that were sent on a socket and not acknowledged; 0 if that cannot be told.
inline int unacknowledged(int socket) noexcept {
    int bytes = 0;
    ::ioctl(socket, SIOCOUTQ, &bytes);
    return bytes;
}

/// Let the kernel ask the peer's machine for a sign of life from now on: one that stays silent for so long has gone.
/// Other sockets than those of TCP have no need of it.
inline void keep_alive(int socket, std::chrono::milliseconds limit) noexcept {
    auto set = [socket](int level, int name, std::int64_t value) {
        int number = static_cast<int>(std::clamp<std::int64_t>(value, 1, 1 << 30));
        ::setsockopt(socket, level, name, &number, sizeof number);
    };
    set(IPPROTO_TCP, TCP_KEEPIDLE, limit.count() / 2000);
    set(IPPROTO_TCP, TCP_KEEPINTVL, limit.count() / 6000);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, limit.count());
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

enum class PeerState {
    here,
    ended,  ///< It will send no more.
    gone,   ///< It has reset the connection, or closed it both ways where the kernel tells.
};

/// Of a connected socket, whatever lies unread in front of the end.
inline PeerState peer_state(int socket) noexcept {
    pollfd state{socket, POLLRDHUP, 0};
    if (::poll(&state, 1, 0) <= 0) return PeerState::here;
    return (state.revents & (POLLERR | POLLHUP)) != 0 ? PeerState::gone : PeerState::ended;
}

/// How many descriptors this process may have open at once.
inline std::size_t descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return (std::numeric_limits<std::size_t>::max)();
    return limit.rlim_cur;
}

/// Let it have as many as it may without more rights: the lower limit is that of programs which use select().
inline void raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Whether this is the thread of main().
inline bool is_main_thread() noexcept { return ::gettid() == ::getpid(); }

}  // namespace kvolt::detail::platform

#endif
