#ifndef KVOLT_DETAIL_PLATFORM_HPP
#define KVOLT_DETAIL_PLATFORM_HPP

// The calls of those who serve and connect that only Linux has, or that mean something else elsewhere. To port KVolt to
// another system, begin here.

#ifndef __linux__
#error "KVolt runs on Linux only: to port it to this system, write what kvolt/detail/platform.hpp holds"
#endif

#include <kvolt/detail/descriptor.hpp>

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <limits>
#include <linux/sockios.h>

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

/// How many descriptors this process may have open at once.
inline std::size_t descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return std::numeric_limits<std::size_t>::max();
    return static_cast<std::size_t>(limit.rlim_cur);
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
