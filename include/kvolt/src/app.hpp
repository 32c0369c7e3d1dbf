#ifndef KVOLT_SRC_APP_HPP
#define KVOLT_SRC_APP_HPP

#include <kvolt/app.hpp>
#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/budget.hpp>
#include <kvolt/detail/ip.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/server_handle.hpp>
#include <kvolt/error.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/router.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

KVOLT_INLINE App::App()
    : Group(*this, 0), loops_(std::make_shared<detail::Loops>()), proxies_(std::make_unique<detail::TrustedPeers>()) {
    groups_.push_back({});
    loops_->push_back(std::make_unique<detail::Loop>());
}

KVOLT_INLINE App::~App() {
    self_.reset();
    stop();
    detail::clear(*loops_);
}

KVOLT_INLINE App& App::threads(std::size_t count) {
    check_setup();
    if (count == 0 || count > 1024)
        throw std::invalid_argument("kvolt: threads(" + std::to_string(count) + "): 1 to 1024");
    threads_ = count;
    loops_->reserve(count);  // executor() may be called while the server starts
    return *this;
}

KVOLT_INLINE App& App::trust_proxies(const std::vector<std::string>& peers, ProxyHeaders headers) {
    check_setup();
    *proxies_ = detail::TrustedPeers(peers);
    proxy_headers_ = headers;
    return *this;
}

KVOLT_INLINE std::vector<App::Route> App::routes() const {
    std::vector<Route> result;
    for (const auto& route : router_.routes()) result.push_back({route.method, route.pattern});
    return result;
}

KVOLT_INLINE void App::stop() {
    std::shared_ptr<detail::ServerHandle> server;
    {
        std::lock_guard lock(mutex_);
        stopped_ = true;
        server = server_;
        if (!server)
            for (const auto& listener : listeners_) listener->close();
    }
    if (!server) return;
    server->stop();
    bool in_handler = std::any_of(loops_->begin(), loops_->end(),
                                  [](const auto& loop) { return loop.get() == detail::Loop::current(); });
    if (!in_handler) server->wait();
}

KVOLT_INLINE unsigned short App::port() const noexcept {
    std::lock_guard lock(mutex_);
    return listeners_.empty() ? static_cast<unsigned short>(0) : listeners_.front()->port();
}

KVOLT_INLINE boost::asio::io_context::executor_type App::executor() noexcept { return loops_->front()->executor(); }

KVOLT_INLINE void App::serve_by(std::shared_ptr<detail::ServerHandle> server) {
    std::lock_guard lock(mutex_);
    if (server_ || stopped_) throw std::logic_error("kvolt: an app is started once");
    freeze();
    server_ = std::move(server);
}

KVOLT_INLINE void App::log(std::string_view line) const noexcept try {
    if (log_) return log_(line);
    std::clog << std::string(line) + '\n' << std::flush;
} catch (...) {
}

KVOLT_INLINE void App::log(std::string_view what, std::string_view why) const noexcept try {
    log(std::string(what) + ": " + std::string(why));
} catch (...) {
}

KVOLT_INLINE const detail::Chain& App::find(const Request& request, detail::PathMatch& match) const {
    const Router::Route* neighbour = nullptr;
    if (auto route = router_.find(request.method(), request.raw_path(), match, neighbour)) return route->chain;
    std::string_view path = request.raw_path();
    std::size_t group = neighbour ? common_group(path) : router_.owner_of(path);
    return groups_[group == Router::nobody ? 0 : group].fallback;
}

KVOLT_INLINE std::string App::better_methods(const Context& c) const {
    return router_.allowed_before(c.request().raw_path(), c.route());
}

KVOLT_INLINE std::size_t App::add_group(std::size_t parent, std::string_view prefix) {
    check_setup();
    if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/')))
        throw std::invalid_argument("kvolt: a group's prefix begins with '/' and does not end with it: \"" +
                                    std::string(prefix) + '"');
    std::string whole = groups_[parent].prefix + std::string(prefix);
    std::size_t* owner = whole.empty() ? nullptr : &router_.owner(whole);
    std::size_t index = groups_.size();
    groups_.push_back({std::move(whole), parent, {}, {}, {}});
    if (owner) *owner = *owner == Router::nobody ? index : common_group(*owner, index);
    return index;
}

KVOLT_INLINE void App::add_route(std::size_t group, std::string method, std::string_view pattern, detail::Chain chain) {
    check_setup();
    if (!pattern.empty() && !pattern.starts_with('/'))
        throw std::invalid_argument("kvolt: route pattern \"" + std::string(pattern) + "\": it must begin with '/'");
    router_.add(std::move(method), groups_[group].prefix + std::string(pattern), group, std::move(chain));
}

KVOLT_INLINE void App::add_middleware(std::size_t group, detail::Step step) {
    check_setup();
    groups_[group].middleware.push_back(std::move(step));
}

KVOLT_INLINE void App::check_setup() const {
    std::lock_guard lock(mutex_);
    if (server_) throw std::logic_error("kvolt: routes, limits and threads are set before the server starts");
}

KVOLT_INLINE void App::freeze() {
    auto budget = std::make_shared<detail::Budget>(limits_.all_backlogs);
    for (auto& loop : *loops_) loop->join(budget);
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        GroupData& group = groups_[i];
        if (i > 0) group.guards = groups_[group.parent].guards;
        group.guards.add(group.middleware);
        group.fallback = group.guards;
        group.fallback.add(detail::make_step([this](Context& c) { answer_without_route(c); }));
    }
    for (auto& route : router_.routes()) {
        detail::Chain chain = groups_[route.group].guards;
        chain.add(route.chain);
        route.chain = std::move(chain);
    }
}

KVOLT_INLINE std::size_t App::common_group(std::size_t a, std::size_t b) const {
    while (a != b) (a > b ? a : b) = groups_[std::max(a, b)].parent;  // a group comes after its parent
    return a;
}

KVOLT_INLINE std::size_t App::common_group(std::string_view path) const {
    auto routes = router_.nearest(path);
    std::size_t common = routes.front()->group;
    for (const Router::Route* route : routes) common = common_group(common, route->group);
    return common;
}

KVOLT_INLINE void App::answer_without_route(Context& c) const {
    constexpr std::string_view known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"};
    if (std::find(std::begin(known), std::end(known), c.method()) == std::end(known))
        throw HttpError(501, "Not Implemented");
    bool whole_server = c.target() == "*";  // OPTIONS *
    auto match = router_.find({}, c.request().raw_path());
    if (!whole_server && match.neighbour == nullptr && match.route == nullptr) throw HttpError(404, "Not Found");
    std::string allowed = whole_server ? Router::every_method : router_.allowed(c.request().raw_path());
    if (c.method() != "OPTIONS") throw HttpError(405, "Method Not Allowed").header("Allow", allowed);
    c.header("Allow", allowed).status(204);
}

}  // namespace kvolt

#endif
