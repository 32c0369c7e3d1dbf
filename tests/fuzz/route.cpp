// A request's way to its handler: the target, the routes and their parameters, the query, the opening handshake.
// The input is a request line without a version and then fields, one a line: `GET /a?b` `Host: h` ...

#include "require.hpp"
#include <kvolt/detail/http/origin_list.hpp>
#include <kvolt/detail/http/request_check.hpp>
#include <kvolt/detail/websocket/handshake.hpp>
#include <kvolt/error.hpp>
#include <kvolt/request.hpp>
#include <kvolt/router.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

using kvolt::Request;

namespace {

const kvolt::Router& router() {
    static const kvolt::Router made = [] {
        kvolt::Router routes;
        for (const char* pattern : {"/", "/users/new", "/users/:id", "/users/:id/posts/:post", "/files/*path", "/a/b/c",
                                    "/a/:x/d", "/:any/b/e", "/caf%C3%A9"}) {
            routes.add("GET", pattern, 0, {});
            routes.add("*", pattern, 0, {});
        }
        routes.add("*", "/a/*rest", 0, {});
        routes.add("POST", "/*rest", 0, {});
        routes.owner("/users/:id") = 1;
        routes.owner("/a") = 2;
        return routes;
    }();
    return made;
}

std::string_view take(std::string_view& text, char separator) {
    std::string_view first = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(text.size(), first.size() + 1));
    return first;
}

void check_urls(const Request& request) {
    if (auto clean = kvolt::remove_dot_segments(request.raw_path().starts_with('/') ? request.raw_path() : "/"))
        require(kvolt::remove_dot_segments(*clean) == *clean && clean->starts_with('/'));
    if (auto origin = kvolt::Origin::parse(request.header("Origin"))) {
        std::string text = origin->scheme + "://" + origin->host;
        bool web = origin->scheme == "http" || origin->scheme == "https";
        if (web || origin->port != 0) text += ':' + std::to_string(origin->port);
        require(kvolt::Origin::parse(text) == origin);
    }
    std::size_t parameters = kvolt::parse_query(request.raw_query()).size();
    require(parameters <= request.raw_query().size());
}

// What may come in is below the name, whole labels of it, and comes by TLS.
void check_origin(std::string_view sent) {
    static const kvolt::detail::OriginList list = [] {
        kvolt::detail::OriginList made;
        made.allow("https://*.example.com");
        return made;
    }();
    if (!list.allows(sent)) return;
    std::string text = kvolt::detail::lowered(sent);
    if (text.ends_with(":443")) text.resize(text.size() - 4);
    if (text.ends_with(':')) text.pop_back();
    std::string_view host = std::string_view(text).substr(8);
    require(text.starts_with("https://") && host.ends_with(".example.com") && host.size() > 12);
    require(host.find("..") == host.npos && host.front() != '.');
    require(host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") == host.npos);
}

void check_route(const Request& request) {
    auto found = router().find(request.method(), request.raw_path());
    router().allowed(request.raw_path());
    require(found.route == nullptr || found.match.size == found.route->names.size());
    auto nearest = router().nearest(request.raw_path());
    bool whatever = found.route && found.route->pattern == "/a/*rest";  // which takes what no other has
    require(!whatever || std::find(nearest.begin(), nearest.end(), found.route) != nearest.end());
    std::size_t owner = router().owner_of(request.raw_path());
    require(owner == kvolt::Router::nobody || owner == 1 || owner == 2);
    require(owner != 2 || request.raw_path().size() >= 2);
    for (std::size_t i = 0; i < found.match.size; ++i) {
        auto value = kvolt::percent_decode(found.match.values[i]);
        require(value && ('/' + *value + '/').find("/../") == std::string::npos);
    }
}

void check_handshake_of(const Request& request) {
    auto options = kvolt::UpgradeOptions().protocols({"chat.v1", "chat.v2"});
    std::string protocol = kvolt::detail::agree_on_protocol(request, options);
    require(protocol.empty() || protocol == "chat.v1" || protocol == "chat.v2");
    try {
        kvolt::detail::check_handshake(request, options, false, request.host());
    } catch (const kvolt::HttpError& error) {
        require(error.status() == 400 || error.status() == 403 || error.status() == 426);
        return;
    }
    require(request.count("Sec-WebSocket-Key") == 1 && request.header("Sec-WebSocket-Key").size() == 24);
    require(request.count("Origin") <= 1 && request.header("Origin") != "null");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size), line = take(bytes, '\n');
    std::string_view method = take(line, ' ');
    Request request;
    request.start(method, line);
    while (!bytes.empty()) {
        std::string_view value = take(bytes, '\n'), name = take(value, ':');
        if (value.starts_with(' ')) value.remove_prefix(1);
        request.add_field(name, value);
    }
    check_urls(request);
    check_origin(request.header("Origin"));
    check_handshake_of(request);
    if (!kvolt::detail::check_target(request)) check_route(request);
    return 0;
}
