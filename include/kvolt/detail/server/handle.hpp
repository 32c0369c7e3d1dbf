#ifndef KVOLT_DETAIL_SERVER_HANDLE_HPP
#define KVOLT_DETAIL_SERVER_HANDLE_HPP

#include <memory>
#include <vector>

namespace kvolt::detail {

class ListenerHandle;

using Listeners = std::vector<std::shared_ptr<ListenerHandle>>;

/// A running server, as its App sees it. Any thread.
class ServerHandle {
public:
    virtual ~ServerHandle() = default;

    /// Begin to stop; also twice.
    virtual void stop() noexcept = 0;

    /// Wait for the end, but not on a thread that serves: see Serving.
    ///
    /// @returns  true if the end has come: no handler runs or waits any more.
    virtual bool wait() = 0;
};

/// A template so that only files which run an app compile it.
template <class Tag>
class Server;

}  // namespace kvolt::detail

#endif
