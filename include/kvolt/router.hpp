#ifndef KVOLT_ROUTER_HPP
#define KVOLT_ROUTER_HPP

// Which handler a request belongs to. A look-up allocates nothing.

#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/handler.hpp>

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt {

/// A tree of path segments. Text wins over `:parameter`, which wins over `*rest`; what does not lead to a route of the
/// request's method is taken back, so that `/users/new` and `/users/:id` stand side by side for different methods. Only
/// a `*rest` for every method is there for what no other route has: it takes no path that a more special one knows.
class Router {
public:
    struct Route {
        std::string method;  ///< `*` for every method.
        std::string pattern;
        std::vector<std::string> names;  ///< Of the parameters, in their order.
        std::size_t group = 0;           ///< The owner's number for it.
        detail::Chain chain;
    };

    struct Found {
        const Route* route = nullptr;      ///< What matches the path and the method.
        const Route* neighbour = nullptr;  ///< If nothing does: a route of the same path for another method.
        detail::PathMatch match;
    };

    Router();
    ~Router();
    Router(Router&& other) noexcept;
    Router& operator=(Router&& other) noexcept;

    /// What a route of every method, and the server as a whole, allows. TRACE, which sends back what it gets with
    /// credentials and all, needs a route of its own.
    static constexpr const char* every_method = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

    /// Add a route. GET also answers HEAD.
    ///
    /// @throws std::invalid_argument  for a bad pattern, and for a route that means the same as another one: both are
    /// named.
    Route& add(std::string method, std::string pattern, std::size_t group, detail::Chain chain);

    /// @param path  As it was sent, escapes and all: an escaped slash separates nothing.
    Found find(std::string_view method, std::string_view path) const;

    /// The same without a copy of the match.
    const Route* find(std::string_view method, std::string_view path, detail::PathMatch& match,
                      const Route*& neighbour) const;

    /// The methods that a path has routes for, as the Allow field lists them (RFC 9110, section 10.2.1).
    std::string allowed(std::string_view path) const;

    /// Those of the routes that fit a path better than one of its routes does, whose pattern is given; empty if there
    /// are none.
    std::string allowed_before(std::string_view path, std::string_view pattern) const;

    /// All routes that match a path, whatever their method, the best match first.
    std::vector<const Route*> at(std::string_view path) const;

    /// Those of them that are the best match.
    std::vector<const Route*> nearest(std::string_view path) const;

    /// Whom the paths below a prefix belong to: the owner's number, at first that of nobody.
    ///
    /// @param prefix  A pattern; of what ends in `*rest`, the part in front of that.
    /// @throws std::invalid_argument  for a bad pattern.
    std::size_t& owner(std::string_view prefix);
    static constexpr std::size_t nobody = static_cast<std::size_t>(-1);

    /// The owner of the longest prefix that a path has, if there is one; text goes before `:parameter`.
    std::size_t owner_of(std::string_view path) const noexcept;

    const std::list<Route>& routes() const noexcept { return routes_; }
    std::list<Route>& routes() noexcept { return routes_; }

private:
    struct Node;

    static std::string list_methods(const std::vector<const Route*>& routes);

    std::unique_ptr<Node> root_;
    std::list<Route> routes_;  // which stay where they are
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/router.hpp>
#endif

#endif
