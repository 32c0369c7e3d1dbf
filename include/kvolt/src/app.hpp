#ifndef KVOLT_SRC_APP_HPP
#define KVOLT_SRC_APP_HPP

#include <kvolt/app.hpp>
#include <kvolt/config.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/handle.hpp>
#include <kvolt/detail/server/lifecycle.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/proxy_headers.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

KVOLT_INLINE App::App()
    : Group(*this, 0), core_(std::make_shared<detail::AppCore>()), lifecycle_(std::make_shared<detail::Lifecycle>()) {}

KVOLT_INLINE App::~App() {
    if (lifecycle_->stop()) detail::clear(*core_->loops);
}

KVOLT_INLINE App& App::threads(std::size_t count) {
    lifecycle_->check_setup();
    if (count == 0 || count > 1024)
        throw std::invalid_argument("kvolt: threads(" + std::to_string(count) + "): 1 to 1024");
    core_->threads = count;
    core_->loops->reserve(count);  // executor() may be called while the server starts
    return *this;
}

KVOLT_INLINE App& App::trust_proxies(const std::vector<std::string>& peers, ProxyHeaders headers) {
    lifecycle_->check_setup();
    core_->proxies = detail::TrustedPeers(peers);
    core_->proxy_headers = headers;
    return *this;
}

KVOLT_INLINE std::vector<App::Route> App::routes() const {
    std::vector<Route> result;
    for (const auto& route : core_->routes.list()) result.push_back({route.method, route.pattern});
    return result;
}

KVOLT_INLINE void App::stop() { lifecycle_->stop(); }

KVOLT_INLINE unsigned short App::port() const noexcept { return lifecycle_->port(); }

KVOLT_INLINE boost::asio::io_context::executor_type App::executor() noexcept {
    return core_->loops->front()->executor();
}

KVOLT_INLINE void App::serve_by(std::shared_ptr<detail::ServerHandle> server) {
    lifecycle_->serve_by(std::move(server));
    core_->freeze();
}

KVOLT_INLINE std::size_t App::add_group(std::size_t parent, std::string_view prefix) {
    lifecycle_->check_setup();
    return core_->routes.add_group(parent, prefix);
}

KVOLT_INLINE void App::add_route(std::size_t group, std::string method, std::string_view pattern, detail::Chain chain) {
    lifecycle_->check_setup();
    core_->routes.add(group, std::move(method), pattern, std::move(chain));
}

KVOLT_INLINE void App::add_middleware(std::size_t group, detail::Step step) {
    lifecycle_->check_setup();
    core_->routes.add_middleware(group, std::move(step));
}

KVOLT_INLINE void App::set_error_handler(std::size_t group, ErrorHandler handler) {
    lifecycle_->check_setup();
    core_->routes.on_error(group, std::move(handler));
}

}  // namespace kvolt

#endif
