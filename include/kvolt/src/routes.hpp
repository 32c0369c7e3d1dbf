#ifndef KVOLT_SRC_ROUTES_HPP
#define KVOLT_SRC_ROUTES_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/path_match.hpp>
#include <kvolt/detail/routes.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/request.hpp>
#include <kvolt/router.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
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
    groups_.push_back({groups_[parent].prefix + std::string(prefix), parent, {}, {}, {}});
    return groups_.size() - 1;
}

KVOLT_INLINE void Routes::add(std::size_t group, std::string method, std::string_view pattern, Chain chain) {
    if (!pattern.empty() && !pattern.starts_with('/'))
        throw std::invalid_argument("kvolt: route pattern \"" + std::string(pattern) + "\": it must begin with '/'");
    router_.add(std::move(method), groups_[group].prefix + std::string(pattern), group, std::move(chain));
}

KVOLT_INLINE void Routes::add_middleware(std::size_t group, Step step) {
    groups_[group].middleware.push_back(std::move(step));
}

KVOLT_INLINE void Routes::freeze() {
    auto groups = groups_;  // all or nothing: if the app cannot start, it may still be set up
    for (std::size_t i = 0; i < groups.size(); ++i) {
        Group& group = groups[i];
        if (i > 0) group.guards = groups[group.parent].guards;
        group.guards.add(group.middleware);
        group.fallback = group.guards;
        group.fallback.add(make_step([this](Context& c) { answer_without_route(c); }));
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
    return groups_[neighbour ? common_group(request.raw_path()) : 0].fallback;
}

KVOLT_INLINE std::size_t Routes::common_group(std::string_view path) const {
    auto routes = router_.nearest(path);
    std::size_t common = routes.front()->group;
    for (const Router::Route* route : routes)
        for (std::size_t other = route->group; other != common;)  // a group comes after its parent
            (other > common ? other : common) = groups_[std::max(other, common)].parent;
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
