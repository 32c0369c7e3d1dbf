#ifndef KVOLT_SRC_ROUTES_HPP
#define KVOLT_SRC_ROUTES_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/detail/server/routes.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/request.hpp>
#include <kvolt/router.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

KVOLT_INLINE std::size_t Routes::add_group(std::size_t parent, std::string_view prefix) {
    if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/')))
        throw std::invalid_argument("kvolt: a group's prefix begins with '/' and does not end with it: \"" +
                                    std::string(prefix) + '"');
    std::string whole = groups_[parent].prefix + std::string(prefix);
    std::size_t* owner = whole.empty() ? nullptr : &router_.owner(whole);
    std::size_t index = groups_.size();
    groups_.push_back({std::move(whole), parent, {}, nullptr, {}, {}});
    if (owner) *owner = *owner == Router::nobody ? index : common_group(*owner, index);
    return index;
}

KVOLT_INLINE void Routes::add(std::size_t group, std::string method, std::string_view pattern, Chain chain) {
    if (!pattern.empty() && !pattern.starts_with('/'))
        throw std::invalid_argument("kvolt: route pattern \"" + std::string(pattern) + "\": it must begin with '/'");
    router_.add(std::move(method), groups_[group].prefix + std::string(pattern), group, std::move(chain));
}

KVOLT_INLINE void Routes::add_middleware(std::size_t group, Step step) {
    groups_[group].middleware.push_back(std::move(step));
}

KVOLT_INLINE void Routes::on_error(std::size_t group, ErrorHandler handler) {
    groups_[group].error_handler = std::make_shared<const ErrorHandler>(std::move(handler));
}

KVOLT_INLINE void Routes::freeze() {
    auto groups = groups_;  // all or nothing: if the app cannot start, it may still be set up
    for (std::size_t i = 0; i < groups.size(); ++i) {
        Group& group = groups[i];
        if (i > 0) group.guards = groups[group.parent].guards;
        group.guards.add(group.middleware);
        if (group.error_handler) group.guards.error_handler(group.error_handler);
        group.fallback = group.guards;
        group.fallback.add(make_step([this](Context& c) { answer_without_route(c); }));
        group.fallback.body(Chain::Body::ignored);
    }
    std::vector<Chain> chains;
    chains.reserve(router_.routes().size());
    for (auto& route : router_.routes()) {
        Chain& chain = chains.emplace_back(groups[route.group].guards);
        chain.add(route.chain);
    }
    groups_.swap(groups);
    auto next = chains.begin();
    for (auto& route : router_.routes()) route.chain = std::move(*next++);
}

KVOLT_INLINE const Chain& Routes::find(const Request& request, PathMatch& match) const {
    const Router::Route* neighbour = nullptr;
    if (auto route = router_.find(request.method(), request.raw_path(), match, neighbour)) return route->chain;
    std::string_view path = request.raw_path();
    std::size_t group = neighbour ? common_group(path) : router_.owner_of(path);
    return groups_[group == Router::nobody ? 0 : group].fallback;
}

KVOLT_INLINE std::size_t Routes::common_group(std::size_t a, std::size_t b) const {
    while (a != b) (a > b ? a : b) = groups_[(std::max)(a, b)].parent;  // a group comes after its parent
    return a;
}

KVOLT_INLINE std::size_t Routes::common_group(std::string_view path) const {
    auto routes = router_.nearest(path);
    std::size_t common = routes.front()->group;
    for (const Router::Route* route : routes) common = common_group(common, route->group);
    return common;
}

KVOLT_INLINE void Routes::answer_without_route(Context& c) const {
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

}  // namespace kvolt::detail

#endif
