#ifndef KVOLT_DETAIL_SERVER_ROUTES_HPP
#define KVOLT_DETAIL_SERVER_ROUTES_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/router.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt {

class Context;
class Request;

namespace detail {

/// The routes of an app, in groups, and the middleware that guards them.
///
/// Set up in one thread, then frozen; from then on any thread may find().
class Routes {
public:
    Routes() : groups_(1) {}
    Routes(const Routes&) = delete;
    Routes& operator=(const Routes&) = delete;

    /// @returns  the number of the new group; 0 is the app itself.
    /// @throws std::invalid_argument  for a prefix that is no pattern, or does not begin with '/' or ends with it.
    std::size_t add_group(std::size_t parent, std::string_view prefix);
    void add(std::size_t group, std::string method, std::string_view pattern, Chain chain);
    void add_middleware(std::size_t group, Step step);
    void on_error(std::size_t group, ErrorHandler handler);

    const std::list<Router::Route>& list() const noexcept { return router_.routes(); }

    /// Resolve which middleware guards what. What it throws has changed nothing.
    void freeze();

    /// What a request goes through: a route, or the answer that there is none for it.
    const Chain& find(const Request& request, PathMatch& match) const;

    /// The methods of the routes that fit a path better than this one, a route's pattern; empty if there are none.
    std::string better_methods(std::string_view path, std::string_view route) const {
        return router_.allowed_before(path, route);
    }

    /// What a request without a route goes through.
    const Chain& fallback() const noexcept { return groups_.front().fallback; }

private:
    struct Group {
        std::string prefix;
        std::size_t parent = 0;
        std::vector<Step> middleware;
        std::shared_ptr<const ErrorHandler> error_handler;
        Chain guards;    // all middleware down to this group
        Chain fallback;  // that, and an answer without a route
    };

    // The innermost group that both are in.
    std::size_t common_group(std::size_t a, std::size_t b) const;

    // The innermost group that the nearest routes of a path belong to: its middleware guards also what none of them
    // takes.
    std::size_t common_group(std::string_view path) const;

    void answer_without_route(Context& c) const;

    Router router_;
    std::vector<Group> groups_;
};

}  // namespace detail

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/routes.hpp>
#endif

#endif
