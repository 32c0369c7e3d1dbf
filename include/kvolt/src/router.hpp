#ifndef KVOLT_SRC_ROUTER_HPP
#define KVOLT_SRC_ROUTER_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/detail/http/path_pattern.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/router.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

/// One segment of the tree.
struct Router::Node {
    struct Entry {
        std::string_view method;
        const Route* route;
    };
    using Entries = std::vector<Entry>;

    std::string text;                          // what leads here
    std::vector<std::unique_ptr<Node>> texts;  // the shorter ones first
    std::unique_ptr<Node> parameter;
    Entries here;  // routes that end at this segment
    Entries rest;  // routes whose `*rest` begins behind it
    std::size_t owner = nobody;

    auto place_of(std::string_view child_text) const {
        auto before = [](const auto& child, std::string_view other) {
            std::size_t size = child->text.size();
            return size == other.size() ? std::memcmp(child->text.data(), other.data(), size) < 0 : size < other.size();
        };
        return std::lower_bound(texts.begin(), texts.end(), child_text, before);
    }

    Node& child(const std::string& child_text) {
        auto place = place_of(child_text);
        if (place != texts.end() && (*place)->text == child_text) return **place;
        auto made = std::make_unique<Node>();
        made->text = child_text;
        return **texts.insert(place, std::move(made));
    }

    // What a segment, escapes and all, leads to; nullptr if that is no text.
    const Node* find_text(std::string_view segment) const {
        if (segment.find('%') == segment.npos) {
            auto place = place_of(segment);
            return place != texts.end() && (*place)->text == segment ? place->get() : nullptr;
        }
        for (const auto& child : texts)
            if (detail::segment_equals(segment, child->text)) return child.get();
        return nullptr;
    }

    using Kind = detail::PathPattern::Segment::Kind;

    // Where a pattern leads; to what is in front of its `*rest`, if it has one.
    Node& descend(const detail::PathPattern& pattern) {
        Node* node = this;
        for (const auto& segment : pattern.segments) {
            if (segment.kind == Kind::rest) break;
            if (segment.kind == Kind::parameter) {
                if (!node->parameter) node->parameter = std::make_unique<Node>();
                node = node->parameter.get();
            } else {
                node = &node->child(segment.text);
            }
        }
        return *node;
    }

    // Where a pattern's routes are.
    Entries& place(const detail::PathPattern& pattern) {
        bool rest_of_it = pattern.segments.back().kind == Kind::rest;
        Node& node = descend(pattern);
        return rest_of_it ? node.rest : node.here;
    }

    static const Route* choose(const Entries& entries, std::string_view method, bool any_method) noexcept {
        const Route* get = nullptr;
        const Route* any = nullptr;
        for (const Entry& entry : entries) {
            if (entry.method == method) return entry.route;
            if (entry.method == "GET" && method == "HEAD") get = entry.route;
            if (entry.method == "*" && any_method && method != "TRACE") any = entry.route;
        }
        return get ? get : any;
    }

    // `path` is empty, or begins with the '/' in front of the next segment.
    bool search(std::string_view method, std::string_view path, detail::PathMatch& match, const Route*& neighbour,
                const Route** result) const {
        auto settle = [&](const Entries& entries, bool any_method = true) {
            if (entries.empty()) return false;
            *result = choose(entries, method, any_method);
            if (*result == nullptr && neighbour == nullptr) neighbour = entries.front().route;
            return *result != nullptr;
        };
        if (path.empty()) return settle(here);
        std::string_view behind = path.substr(1);
        std::string_view segment = behind.substr(0, behind.find('/'));
        std::string_view further = behind.substr(segment.size());
        const Node* matching = find_text(segment);
        if (matching && matching->search(method, further, match, neighbour, result)) return true;
        if (parameter && !segment.empty()) {
            match.values[match.size++] = segment;
            if (parameter->search(method, further, match, neighbour, result)) return true;
            --match.size;
        }
        if (rest.empty()) return false;
        match.values[match.size++] = behind;
        if (settle(rest, neighbour == nullptr)) return true;
        --match.size;
        return false;
    }

    void collect(std::string_view path, bool nearest, std::vector<const Route*>& result) const {
        auto take = [&](const Entries& entries, bool any_method = true) {
            if (nearest && !result.empty()) return;
            for (const Entry& entry : entries)
                if (any_method || entry.method != "*") result.push_back(entry.route);
        };
        if (path.empty()) return take(here);
        std::string_view behind = path.substr(1);
        std::string_view segment = behind.substr(0, behind.find('/'));
        std::string_view further = behind.substr(segment.size());
        if (const Node* matching = find_text(segment)) matching->collect(further, nearest, result);
        if (parameter && !segment.empty()) parameter->collect(further, nearest, result);
        take(rest, result.empty());
    }

    std::size_t owner_of(std::string_view path) const noexcept {
        if (path.empty()) return owner;
        std::string_view behind = path.substr(1);
        std::string_view segment = behind.substr(0, behind.find('/'));
        std::string_view further = behind.substr(segment.size());
        std::size_t inner = nobody;
        if (const Node* matching = find_text(segment)) inner = matching->owner_of(further);
        if (inner == nobody && parameter && !segment.empty()) inner = parameter->owner_of(further);
        return inner != nobody ? inner : owner;
    }

    std::vector<const Route*> collect(std::string_view path, bool nearest) const {
        std::vector<const Route*> result;
        if (path.starts_with('/')) collect(path, nearest, result);
        return result;
    }
};

KVOLT_INLINE Router::Router() : root_(std::make_unique<Node>()) {}
KVOLT_INLINE Router::~Router() = default;
KVOLT_INLINE Router::Router(Router&& other) noexcept = default;
KVOLT_INLINE Router& Router::operator=(Router&& other) noexcept = default;

KVOLT_INLINE Router::Route& Router::add(std::string method, std::string pattern, std::size_t group,
                                        detail::Chain chain) {
    auto parsed = detail::PathPattern::parse(pattern);
    Node::Entries& entries = root_->place(parsed);
    auto name = [](const Route& route) { return route.method + ' ' + route.pattern; };
    for (const Node::Entry& entry : entries)
        if (entry.method == method)
            throw std::invalid_argument("kvolt: two routes mean the same: " + name(*entry.route) + " and " + method +
                                        ' ' + pattern);
    Route& route =
        routes_.emplace_back(Route{std::move(method), std::move(pattern), parsed.names(), group, std::move(chain)});
    entries.push_back({route.method, &route});
    return route;
}

KVOLT_INLINE Router::Found Router::find(std::string_view method, std::string_view path) const {
    Found found;
    found.route = find(method, path, found.match, found.neighbour);
    return found;
}

KVOLT_INLINE const Router::Route* Router::find(std::string_view method, std::string_view path, detail::PathMatch& match,
                                               const Route*& neighbour) const {
    const Route* route = nullptr;
    match.size = 0;
    bool found = path.starts_with('/') && root_->search(method, path, match, neighbour, &route);
    match.route = found ? std::string_view(route->pattern) : std::string_view();
    match.names = found ? &route->names : nullptr;
    return route;
}

KVOLT_INLINE std::string Router::allowed(std::string_view path) const { return list_methods(at(path)); }

KVOLT_INLINE std::string Router::allowed_before(std::string_view path, std::string_view pattern) const {
    auto routes = at(path);
    auto the_one = [&](const Route* route) { return route->pattern == pattern; };
    routes.erase(std::find_if(routes.begin(), routes.end(), the_one), routes.end());
    return routes.empty() ? std::string() : list_methods(routes);
}

KVOLT_INLINE std::string Router::list_methods(const std::vector<const Route*>& routes) {
    std::vector<std::string_view> methods;
    auto has = [&](std::string_view method) {
        return std::find(methods.begin(), methods.end(), method) != methods.end();
    };
    for (const Route* route : routes)
        if (!has(route->method)) methods.push_back(route->method);
    if (has("*")) return every_method;
    if (has("GET") && !has("HEAD")) methods.push_back("HEAD");
    if (!has("OPTIONS")) methods.push_back("OPTIONS");
    std::string list;
    for (std::string_view method : methods) (list += list.empty() ? "" : ", ") += method;
    return list;
}

KVOLT_INLINE std::size_t& Router::owner(std::string_view prefix) {
    return root_->descend(detail::PathPattern::parse(prefix)).owner;
}

KVOLT_INLINE std::size_t Router::owner_of(std::string_view path) const noexcept {
    return path.starts_with('/') ? root_->owner_of(path) : nobody;
}

KVOLT_INLINE std::vector<const Router::Route*> Router::at(std::string_view path) const {
    return root_->collect(path, false);
}

KVOLT_INLINE std::vector<const Router::Route*> Router::nearest(std::string_view path) const {
    return root_->collect(path, true);
}

}  // namespace kvolt

#endif
