#ifndef KVOLT_DETAIL_SERVER_LISTENER_HANDLE_HPP
#define KVOLT_DETAIL_SERVER_LISTENER_HANDLE_HPP

#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/server/newcomer.hpp>

#include <string>

namespace kvolt::detail {

/// An address that is listened on, whatever is spoken there.
class ListenerHandle {
public:
    virtual ~ListenerHandle() = default;

    /// The port; 0 for a Unix socket. Any thread.
    virtual unsigned short port() const noexcept = 0;

    /// What to open in a browser, such as `http://localhost:8080`; the address itself for a Unix socket.
    virtual std::string url() const = 0;

    /// @throws std::logic_error  if something that it needs was not set up.
    virtual void check() const = 0;

    /// Call `ready` once somebody waits for accept(). On the first loop, or before that runs.
    virtual void watch(Waiter<> ready) noexcept = 0;

    /// Whether somebody waits. Any thread.
    virtual bool has_waiting() noexcept = 0;

    /// The next who waits; EAGAIN if nobody does. Any thread.
    virtual Accepted accept() = 0;

    /// Serve it. On the loop of its place.
    virtual void begin(Newcomer newcomer) noexcept = 0;

    /// On the first loop, or when no loop runs.
    virtual void close() noexcept = 0;
};

}  // namespace kvolt::detail

#endif
