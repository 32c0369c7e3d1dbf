#ifndef KVOLT_DETAIL_SERVER_APP_CORE_HPP
#define KVOLT_DETAIL_SERVER_APP_CORE_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/server/routes.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/proxy_headers.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace kvolt::detail {

/// What an app is made of, for those who serve it: connections, listeners and the server share it, so that they may
/// outlive the App.
///
/// Set up in one thread; not changed any more once it is served.
struct AppCore {
    AppCore();
    AppCore(const AppCore&) = delete;
    AppCore& operator=(const AppCore&) = delete;

    /// Share out the budget of the loops, and freeze the routes.
    void freeze();

    /// What a logger throws is ignored.
    void log(std::string_view line) const noexcept;
    void log(std::string_view what, std::string_view why) const noexcept;

    const std::shared_ptr<Loops> loops;  // destroyed last
    Places places;
    Routes routes;
    Limits limits;
    TrustedPeers proxies;
    ProxyHeaders proxy_headers;
    std::size_t threads = 1;
    std::function<void(std::string_view)> logger;

    /// Handlers that go on although their client has gone.
    mutable std::atomic<std::size_t> abandoned{0};
};

}  // namespace kvolt::detail

#ifndef KVOLT_COMPILED
#include <kvolt/src/app_core.hpp>
#endif

#endif
