#include "catch.hpp"
#include <kvolt/router.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Router;

static std::size_t allocations = 0;

#ifndef __SANITIZE_ADDRESS__  // which brings its own
// Not inlined, or g++ 12 takes them for a pair that does not match.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace {

void add(Router& router, const std::string& method, const std::string& pattern) { router.add(method, pattern, 0, {}); }

Router router_of(const std::vector<std::string>& routes) {
    Router router;
    for (const std::string& route : routes)
        add(router, route.substr(0, route.find(' ')), route.substr(route.find(' ') + 1));
    return router;
}

// What a request gets: the pattern and its values as they were sent, or 405 or 404.
std::string found(const Router& router, std::string_view method, std::string_view path) {
    auto found = router.find(method, path);
    if (found.route == nullptr) return found.neighbour ? "405" : "404";
    std::string result = found.route->method + ' ' + found.route->pattern;
    for (std::size_t i = 0; i < found.match.size; ++i)
        result += ' ' + (*found.match.names)[i] + '=' + std::string(found.match.values[i]);
    return result;
}

struct RouteCase {
    std::string_view path;
    std::string expected;
};

void check_all(const Router& router, const std::vector<RouteCase>& cases) {
    for (const RouteCase& c : cases) {
        CAPTURE(c.path);
        CHECK(found(router, "GET", c.path) == c.expected);
    }
}

}  // namespace

TEST_CASE("paths are matched segment by segment") {
    Router router =
        router_of({"GET /", "GET /users", "GET /users/:id", "GET /auth/:provider/callback", "GET /files/*path"});
    check_all(router, {
                          {"/", "GET /"},
                          {"/users", "GET /users"},
                          {"/users/7", "GET /users/:id id=7"},
                          {"/auth/google/callback", "GET /auth/:provider/callback provider=google"},
                          {"/files/", "GET /files/*path path="},
                          {"/files/a", "GET /files/*path path=a"},
                          {"/files/a/b/", "GET /files/*path path=a/b/"},
                          {"/files//a", "GET /files/*path path=/a"},
                          {"", "404"},
                          {"users", "404"},
                          {"*", "404"},
                          {"/Users", "404"},
                          {"/user", "404"},
                          {"/userss", "404"},
                          {"/users/", "404"},  // a parameter is not empty
                          {"//users", "404"},
                          {"/users//", "404"},
                          {"/users/7/", "404"},
                          {"/users/7/x", "404"},
                          {"/auth/google", "404"},
                          {"/auth//callback", "404"},
                          {"/files", "404"},
                          {"//", "404"},
                      });
}

TEST_CASE("a path that ends in a slash is another one") {
    Router router = router_of({"GET /a/", "GET /b"});
    check_all(router, {{"/a/", "GET /a/"}, {"/a", "404"}, {"/b", "GET /b"}, {"/b/", "404"}});
}

TEST_CASE("text wins over a parameter, which wins over the rest, in whatever order they were added") {
    std::vector<std::string> routes{"GET /users/new", "GET /users/:id", "GET /users/*rest"};
    for (int order = 0; order < 3; ++order) {
        std::rotate(routes.begin(), routes.begin() + 1, routes.end());
        check_all(router_of(routes), {
                                         {"/users/new", "GET /users/new"},
                                         {"/users/news", "GET /users/:id id=news"},
                                         {"/users/7", "GET /users/:id id=7"},
                                         {"/users/7/8", "GET /users/*rest rest=7/8"},
                                         {"/users/new/8", "GET /users/*rest rest=new/8"},
                                         {"/users/", "GET /users/*rest rest="},
                                     });
    }
}

TEST_CASE("a branch that leads nowhere is taken back") {
    check_all(router_of({"GET /a/b/c", "GET /a/:x/d", "GET /:y/b/e", "GET /*rest"}),
              {
                  {"/a/b/c", "GET /a/b/c"},
                  {"/a/b/d", "GET /a/:x/d x=b"},
                  {"/a/b/e", "GET /:y/b/e y=a"},
                  {"/a/b/f", "GET /*rest rest=a/b/f"},
                  {"/a/b", "GET /*rest rest=a/b"},
                  {"/", "GET /*rest rest="},
              });
    check_all(router_of({"GET /:a/:b/:c/x", "GET /:d/*e", "GET /1/:f/3/y"}),
              {
                  {"/1/2/3/x", "GET /:a/:b/:c/x a=1 b=2 c=3"},
                  {"/1/2/3/y", "GET /1/:f/3/y f=2"},
                  {"/1/2/3/z", "GET /:d/*e d=1 e=2/3/z"},
              });
}

// The Go sibling lost /users/:id when the second one was added.
TEST_CASE("routes that go on from a parameter of another name stand beside each other") {
    check_all(router_of({"GET /users/:id", "GET /users/:name/posts", "GET /users/:who/posts/:post"}),
              {
                  {"/users/7", "GET /users/:id id=7"},
                  {"/users/ann/posts", "GET /users/:name/posts name=ann"},
                  {"/users/ann/posts/1", "GET /users/:who/posts/:post who=ann post=1"},
              });
}

TEST_CASE("a method that a more special path lacks is found at a more general one") {
    Router router =
        router_of({"GET /users/new", "POST /users/:id", "* /users/*rest", "DELETE /other/x", "PUT /other/:y"});
    CHECK(found(router, "GET", "/users/new") == "GET /users/new");
    CHECK(found(router, "POST", "/users/new") == "POST /users/:id id=new");
    CHECK(found(router, "PUT", "/users/new") == "405");
    CHECK(found(router, "BREW", "/users/new") == "405");
    CHECK(found(router, "PUT", "/users/") == "* /users/*rest rest=");
    CHECK(found(router, "GET", "/other/x") == "405");
    CHECK(router.allowed("/other/x") == "DELETE, PUT, OPTIONS");
}

TEST_CASE("a rest for every method takes no path that a more special route has") {
    Router router = router_of({"GET /api/items", "POST /api/items", "* /api/*rest", "GET /api/*rest", "DELETE /*rest",
                               "* /users/:id", "GET /users/new", "* /deep/*rest", "* /deep/er/*rest"});
    CHECK(found(router, "GET", "/api/items") == "GET /api/items");
    CHECK(found(router, "HEAD", "/api/items") == "GET /api/items");
    CHECK(found(router, "PUT", "/api/items") == "405");
    CHECK(found(router, "OPTIONS", "/api/items") == "405");
    CHECK(found(router, "DELETE", "/api/items") == "DELETE /*rest rest=api/items");  // which names its method
    CHECK(found(router, "PUT", "/api/other") == "* /api/*rest rest=other");
    CHECK(found(router, "GET", "/api/other") == "GET /api/*rest rest=other");
    CHECK(found(router, "PUT", "/users/new") == "* /users/:id id=new");  // which is a resource of its own
    CHECK(found(router, "PUT", "/deep/er/x") == "* /deep/er/*rest rest=x");
    CHECK(found(router, "PUT", "/deep/est") == "* /deep/*rest rest=est");
    CHECK(router.allowed("/api/items") == "GET, POST, DELETE, HEAD, OPTIONS");
    CHECK(router.allowed("/api/other") == Router::every_method);
    CHECK(router.allowed("/users/new") == Router::every_method);
}

TEST_CASE("a path lies under the longest prefix that somebody owns") {
    Router router = router_of({"GET /api/items", "GET /other/x"});
    router.owner("/api") = 1;
    router.owner("/api/users/:id") = 2;
    router.owner("/api/users/new/x") = 3;
    router.owner("/caf%C3%A9") = 4;
    router.owner("/files/*rest") = 5;
    CHECK(router.owner("/api") == 1);
    CHECK(router.owner("/api/users/:name") == 2);
    CHECK(router.owner("/new") == Router::nobody);
    CHECK_THROWS_AS(router.owner("/a/*b/c"), std::invalid_argument);
    struct Case {
        std::string_view path;
        std::size_t owner;
    };
    for (const Case& c : {
             Case{"/api", 1},
             Case{"/api/", 1},
             Case{"/api/items/7", 1},
             Case{"/%61pi/x", 1},
             Case{"/api/users", 1},
             Case{"/api/users/", 1},
             Case{"/api/users/7", 2},
             Case{"/api/users/7/x/y", 2},
             Case{"/api/users/new", 2},
             Case{"/api/users/new/x", 3},
             Case{"/api/users/new/xy", 2},
             Case{"/caf%c3%a9/x", 4},
             Case{"/files", 5},
             Case{"/files/a/b", 5},
             Case{"/apis", Router::nobody},
             Case{"/", Router::nobody},
             Case{"//api", Router::nobody},
             Case{"", Router::nobody},
             Case{"*", Router::nobody},
             Case{"/other/x", Router::nobody},
         }) {
        CAPTURE(c.path);
        CHECK(router.owner_of(c.path) == c.owner);
    }
    CHECK(found(router, "GET", "/api/users/7") == "404");
}

TEST_CASE("HEAD is answered by its own route, by GET, or by a route for every method") {
    Router router =
        router_of({"GET /get", "GET /both", "HEAD /both", "* /any", "GET /mixed", "* /mixed", "POST /post"});
    CHECK(found(router, "HEAD", "/get") == "GET /get");
    CHECK(found(router, "HEAD", "/both") == "HEAD /both");
    CHECK(found(router, "HEAD", "/any") == "* /any");
    CHECK(found(router, "HEAD", "/mixed") == "GET /mixed");
    CHECK(found(router, "POST", "/mixed") == "* /mixed");
    CHECK(found(router, "HEAD", "/post") == "405");
    CHECK(found(router, "get", "/get") == "405");  // methods are compared with case
}

TEST_CASE("Allow lists the methods of every route of a path, each once") {
    Router router =
        router_of({"GET /a/x", "POST /a/:id", "GET /a/:id", "DELETE /a/*rest", "OPTIONS /o", "HEAD /h", "GET /h"});
    CHECK(router.allowed("/a/x") == "GET, POST, DELETE, HEAD, OPTIONS");
    CHECK(router.allowed("/a/y") == "POST, GET, DELETE, HEAD, OPTIONS");
    CHECK(router.allowed("/a/y/z") == "DELETE, OPTIONS");
    CHECK(router.allowed("/o") == "OPTIONS");
    CHECK(router.allowed("/h") == "HEAD, GET, OPTIONS");
    CHECK(router.allowed_before("/a/x", "/a/*rest") == "GET, POST, HEAD, OPTIONS");
    CHECK(router.allowed_before("/a/y/z", "/a/*rest").empty());
    CHECK(router.allowed_before("/a/x", "/a/x").empty());
    CHECK(router.allowed_before("/nowhere", "/a/*rest").empty());
}

TEST_CASE("escapes are compared decoded, but separate nothing") {
    check_all(router_of({"GET /caf\xC3\xA9", "GET /a/b", "GET /x/:id"}), {
                                                                             {"/caf%C3%A9", "GET /caf\xC3\xA9"},
                                                                             {"/caf%c3%a9", "GET /caf\xC3\xA9"},
                                                                             {"/%61/%62", "GET /a/b"},
                                                                             {"/a%2Fb", "404"},
                                                                             {"/x/a%2Fb", "GET /x/:id id=a%2Fb"},
                                                                             {"/x/%2e%2e", "GET /x/:id id=%2e%2e"},
                                                                             {"/x/..", "GET /x/:id id=.."},
                                                                         });
}

TEST_CASE("two routes that mean the same are refused, and both are named") {
    struct Pair {
        std::string first, second;
    };
    for (const Pair& pair : {
             Pair{"GET /a", "GET /a"},
             Pair{"GET /users/:id", "GET /users/:name"},
             Pair{"GET /files/*path", "GET /files/*rest"},
             Pair{"* /a", "* /a"},
             Pair{"GET /:a/x/:b", "GET /:c/x/:d"},
         }) {
        CAPTURE(pair.first, pair.second);
        try {
            router_of({pair.first, pair.second});
            FAIL_CHECK("they were accepted");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find(pair.first) != std::string::npos);
            CHECK(std::string(error.what()).find(pair.second) != std::string::npos);
        }
    }
    CHECK_NOTHROW(router_of({"GET /a", "POST /a", "* /a", "GET /a/", "GET /:a", "GET /*a", "GET /A"}));
}

TEST_CASE("a route that is refused leaves nothing behind") {
    Router router = router_of({"GET /a"});
    CHECK_THROWS_AS(add(router, "GET", "/a"), std::invalid_argument);
    CHECK_THROWS_AS(add(router, "POST", "/b/*c/d"), std::invalid_argument);
    CHECK_THROWS_AS(add(router, "POST", "b"), std::invalid_argument);
    CHECK(router.routes().size() == 1);
    CHECK(found(router, "POST", "/b/x/d") == "404");
    CHECK(found(router, "GET", "/a") == "GET /a");
}

TEST_CASE("as many parameters as a pattern can have") {
    std::string pattern, path;
    for (int i = 0; i < 15; ++i) {
        pattern += "/:p" + std::to_string(i);
        path += "/" + std::to_string(i);
    }
    Router router;
    add(router, "GET", pattern + "/*rest");
    add(router, "GET", pattern + "/:last");
    const std::string longer = path + "/15/16";  // which the match refers to
    auto match = router.find("GET", longer).match;
    CHECK(match.size == 16);
    CHECK(match.values[15] == "15/16");
    CHECK(router.find("GET", path + "/15").route->pattern == pattern + "/:last");
}

TEST_CASE("a look-up allocates nothing") {
    Router router = router_of({"GET /users/:id/posts/:post", "GET /users/:id/*rest", "POST /users/caf\xC3\xA9"});
    std::size_t before = allocations;
    std::size_t values = 0;
    for (std::string_view path : {"/users/a-user-with-a-long-name/posts/a-post-with-a-long-name",
                                  "/users/7/files/a/b/c/d/e/f/g", "/users/caf%C3%A9", "/nowhere/to/be/found"})
        values += router.find("GET", path).match.size;
    CHECK(allocations == before);
    CHECK(values == 4);
}

TEST_CASE("a path without end is no trouble") {
    Router router = router_of({"GET /:a/:b", "GET /x/*rest"});
    std::string deep;
    for (int i = 0; i < 100000; ++i) deep += "/x";
    CHECK(found(router, "GET", deep).starts_with("GET /x/*rest"));
    CHECK(found(router, "GET", "/y" + deep) == "404");
}

TEST_CASE("TRACE needs a route of its own") {
    Router router;
    router.add("*", "/any", 0, {});
    router.add("TRACE", "/own", 0, {});
    CHECK(router.find("TRACE", "/any").route == nullptr);
    CHECK(router.find("TRACE", "/any").neighbour != nullptr);
    CHECK(router.allowed("/any") == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    CHECK(router.find("TRACE", "/own").route != nullptr);
}
