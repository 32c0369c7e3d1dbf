#ifndef KVOLT_DETAIL_SERVER_HANDLE_HPP
#define KVOLT_DETAIL_SERVER_HANDLE_HPP

#include <memory>
#include <string>
#include <vector>

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

    /// Accept connections until close(). On the first loop, or before it runs.
    virtual void accept() = 0;

    virtual void close() = 0;
};

using Listeners = std::vector<std::shared_ptr<ListenerHandle>>;

/// A running server, as its App sees it.
class ServerHandle {
public:
    virtual ~ServerHandle() = default;

    /// Begin to stop; any thread, also twice.
    virtual void stop() = 0;

    /// Wait for the end, unless this is a thread that serves.
    virtual void wait() = 0;
};

/// A template so that only files which run an app compile it.
template <class App>
class Server;

}  // namespace kvolt::detail

#endif
