#ifndef KVOLT_ROUTER_HPP
#define KVOLT_ROUTER_HPP

// Which handler a request belongs to. A look-up allocates nothing.

#include <kvolt/context.hpp>
#include <kvolt/detail/path_pattern.hpp>
#include <kvolt/handler.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

/// A tree of path segments. Text wins over `:parameter`, which wins over `*rest`; what does not lead to a route of the
/// request's method is taken back, so that `/users/new` and `/users/:id` stand side by side for different methods.
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

    /// What a route of every method, and the server as a whole, allows. TRACE, which sends back what it gets with
    /// credentials and all, needs a route of its own.
    static constexpr const char* every_method = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

    /// Add a route. GET also answers HEAD.
    ///
    /// @throws std::invalid_argument  for a bad pattern, and for a route that means the same as another one: both are
    /// named.
    Route& add(std::string method, std::string pattern, std::size_t group, detail::Chain chain) {
        auto parsed = detail::PathPattern::parse(pattern);
        std::vector<Entry>& entries = place(parsed);
        for (const Entry& entry : entries)
            if (entry.method == method)
                throw std::invalid_argument("kvolt: two routes mean the same: " + name(*entry.route) + " and " +
                                            method + ' ' + pattern);
        Route& route =
            routes_.emplace_back(Route{std::move(method), std::move(pattern), parsed.names(), group, std::move(chain)});
        entries.push_back({route.method, &route});
        return route;
    }

    /// @param path  As it was sent, escapes and all: an escaped slash separates nothing.
    Found find(std::string_view method, std::string_view path) const {
        Found found;
        found.route = find(method, path, found.match, found.neighbour);
        return found;
    }

    /// The same without a copy of the match.
    const Route* find(std::string_view method, std::string_view path, detail::PathMatch& match,
                      const Route*& neighbour) const {
        const Route* route = nullptr;
        match.size = 0;
        bool found = path.starts_with('/') && search(root_, method, path, match, neighbour, &route);
        match.route = found ? std::string_view(route->pattern) : std::string_view();
        match.names = found ? &route->names : nullptr;
        return route;
    }

    /// The methods that a path has routes for, as the Allow field lists them (RFC 9110, section 10.2.1).
    std::string allowed(std::string_view path) const {
        std::vector<std::string_view> methods;
        auto has = [&](std::string_view method) {
            return std::find(methods.begin(), methods.end(), method) != methods.end();
        };
        for (const Route* route : at(path))
            if (!has(route->method)) methods.push_back(route->method);
        if (has("*")) return every_method;
        if (has("GET") && !has("HEAD")) methods.push_back("HEAD");
        if (!has("OPTIONS")) methods.push_back("OPTIONS");
        std::string list;
        for (std::string_view method : methods) (list += list.empty() ? "" : ", ") += method;
        return list;
    }

    /// All routes that match a path, whatever their method, the best match first.
    std::vector<const Route*> at(std::string_view path) const { return collect(path, false); }

    /// Those of them that are the best match.
    std::vector<const Route*> nearest(std::string_view path) const { return collect(path, true); }

    const std::list<Route>& routes() const noexcept { return routes_; }
    std::list<Route>& routes() noexcept { return routes_; }

private:
    struct Entry {
        std::string_view method;
        const Route* route;
    };

    struct Node {
        std::string text;                          // what leads here
        std::vector<std::unique_ptr<Node>> texts;  // the shorter ones first
        std::unique_ptr<Node> parameter;
        std::vector<Entry> here;  // routes that end at this segment
        std::vector<Entry> rest;  // routes whose `*rest` begins behind it
    };

    static std::string name(const Route& route) { return route.method + ' ' + route.pattern; }

    static auto place_of(const Node& node, std::string_view text) {
        auto before = [](const auto& child, std::string_view other) {
            std::size_t size = child->text.size();
            return size == other.size() ? std::memcmp(child->text.data(), other.data(), size) < 0 : size < other.size();
        };
        return std::lower_bound(node.texts.begin(), node.texts.end(), text, before);
    }

    static Node& child(Node& node, const std::string& text) {
        auto place = place_of(node, text);
        if (place != node.texts.end() && (*place)->text == text) return **place;
        auto made = std::make_unique<Node>();
        made->text = text;
        return **node.texts.insert(place, std::move(made));
    }

    // What a segment, escapes and all, leads to; nullptr if that is no text.
    static const Node* find_text(const Node& node, std::string_view segment) {
        if (segment.find('%') == segment.npos) {
            auto place = place_of(node, segment);
            return place != node.texts.end() && (*place)->text == segment ? place->get() : nullptr;
        }
        for (const auto& child : node.texts)
            if (detail::segment_equals(segment, child->text)) return child.get();
        return nullptr;
    }

    std::vector<Entry>& place(const detail::PathPattern& pattern) {
        using Kind = detail::PathPattern::Segment::Kind;
        Node* node = &root_;
        for (const auto& segment : pattern.segments) {
            if (segment.kind == Kind::rest) return node->rest;
            if (segment.kind == Kind::parameter) {
                if (!node->parameter) node->parameter = std::make_unique<Node>();
                node = node->parameter.get();
            } else {
                node = &child(*node, segment.text);
            }
        }
        return node->here;
    }

    static const Route* choose(const std::vector<Entry>& entries, std::string_view method) noexcept {
        const Route* get = nullptr;
        const Route* any = nullptr;
        for (const Entry& entry : entries) {
            if (entry.method == method) return entry.route;
            if (entry.method == "GET" && method == "HEAD") get = entry.route;
            if (entry.method == "*" && method != "TRACE") any = entry.route;
        }
        return get ? get : any;
    }

    // `path` is empty, or begins with the '/' in front of the next segment.
    static bool search(const Node& node, std::string_view method, std::string_view path, detail::PathMatch& match,
                       const Route*& neighbour, const Route** result) {
        auto settle = [&](const std::vector<Entry>& entries) {
            if (entries.empty()) return false;
            *result = choose(entries, method);
            if (*result == nullptr && neighbour == nullptr) neighbour = entries.front().route;
            return *result != nullptr;
        };
        if (path.empty()) return settle(node.here);
        std::string_view behind = path.substr(1);
        std::string_view segment = behind.substr(0, behind.find('/'));
        std::string_view further = behind.substr(segment.size());
        const Node* text = find_text(node, segment);
        if (text && search(*text, method, further, match, neighbour, result)) return true;
        if (node.parameter && !segment.empty()) {
            match.values[match.size++] = segment;
            if (search(*node.parameter, method, further, match, neighbour, result)) return true;
            --match.size;
        }
        if (node.rest.empty()) return false;
        match.values[match.size++] = behind;
        if (settle(node.rest)) return true;
        --match.size;
        return false;
    }

    std::vector<const Route*> collect(std::string_view path, bool nearest) const {
        std::vector<const Route*> result;
        if (path.starts_with('/')) collect(root_, path, nearest, result);
        return result;
    }

    static void collect(const Node& node, std::string_view path, bool nearest, std::vector<const Route*>& result) {
        auto take = [&](const std::vector<Entry>& entries) {
            if (nearest && !result.empty()) return;
            for (const Entry& entry : entries) result.push_back(entry.route);
        };
        if (path.empty()) return take(node.here);
        std::string_view behind = path.substr(1);
        std::string_view segment = behind.substr(0, behind.find('/'));
        std::string_view further = behind.substr(segment.size());
        if (const Node* text = find_text(node, segment)) collect(*text, further, nearest, result);
        if (node.parameter && !segment.empty()) collect(*node.parameter, further, nearest, result);
        take(node.rest);
    }

    Node root_;
    std::list<Route> routes_;  // which stay where they are
};

}  // namespace kvolt

#endif
