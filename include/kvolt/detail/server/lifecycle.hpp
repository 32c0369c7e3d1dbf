#ifndef KVOLT_DETAIL_SERVER_LIFECYCLE_HPP
#define KVOLT_DETAIL_SERVER_LIFECYCLE_HPP

#include <kvolt/detail/server/handle.hpp>
#include <kvolt/detail/server/listener_handle.hpp>

#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// From an app's first listen() to its end: where it listens, and who serves it. Any thread.
class Lifecycle {
public:
    /// @throws std::logic_error  once the app is served.
    void check_setup() const {
        std::lock_guard lock(mutex_);
        if (server_) throw std::logic_error("kvolt: routes, limits and threads are set before the server starts");
    }

    /// Listen on one more address; after a stop() nothing is done.
    ///
    /// @param make  Listens and returns the ListenerHandle.
    /// @returns  the port.
    template <class Make>
    unsigned short listen(Make make) {
        std::lock_guard lock(mutex_);
        if (stopped_) return 0;
        if (server_) throw std::logic_error("kvolt: an app is started once, and listen() comes before that");
        listeners_.push_back(make());
        return listeners_.back()->port();
    }

    /// Be served on all addresses. What `make` throws has changed nothing.
    ///
    /// @param make  Makes the server out of the listeners, and starts it.
    /// @returns  the server; nothing after a stop().
    template <class Make>
    auto serve(Make make) -> decltype(make(std::declval<const Listeners&>())) {
        std::lock_guard lock(mutex_);
        if (stopped_) return nullptr;
        if (server_) throw std::logic_error("kvolt: an app is started once");
        if (listeners_.empty()) throw std::logic_error("kvolt: an app needs an address: call listen() first");
        for (const auto& listener : listeners_) listener->check();
        auto server = make(std::as_const(listeners_));
        server_ = server;
        return server;
    }

    /// Be served by this, on no address.
    ///
    /// @throws std::logic_error  if the app was started or stopped before.
    void serve_by(std::shared_ptr<ServerHandle> server) {
        std::lock_guard lock(mutex_);
        if (server_ || stopped_) throw std::logic_error("kvolt: an app is started once");
        server_ = std::move(server);
    }

    /// Listen no more on the address that came last, unless the app is served.
    void give_up_last() noexcept {
        std::lock_guard lock(mutex_);
        if (server_ || listeners_.empty()) return;
        listeners_.back()->close();
        listeners_.pop_back();
    }

    /// Begin to stop, and wait for the end as ServerHandle::wait() does.
    ///
    /// @returns  true if the end has come.
    bool stop() {
        std::shared_ptr<ServerHandle> server;
        {
            std::lock_guard lock(mutex_);
            stopped_ = true;
            server = server_;
            if (!server)
                for (const auto& listener : listeners_) listener->close();
        }
        if (!server) return true;
        server->stop();
        return server->wait();
    }

    /// The port of the first address; 0 if there is none.
    unsigned short port() const noexcept {
        std::lock_guard lock(mutex_);
        return listeners_.empty() ? static_cast<unsigned short>(0) : listeners_.front()->port();
    }

private:
    mutable std::mutex mutex_;
    Listeners listeners_;
    std::shared_ptr<ServerHandle> server_;
    bool stopped_ = false;
};

}  // namespace kvolt::detail

#endif
