#include "catch.hpp"
#include <kvolt/app.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::App;
using kvolt::Context;
using kvolt::Next;
using kvolt::Task;

namespace {

void nothing(Context&) {}
Task<> later(Context&) { co_return; }
Task<> around(Context&, Next next) { co_await next(); }

std::vector<std::string> listed(const App& app) {
    std::vector<std::string> result;
    for (const auto& route : app.routes()) result.push_back(route.method + ' ' + route.pattern);
    return result;
}

}  // namespace

TEST_CASE("routes of every method and form, listed in their order") {
    App app;
    app.get("/g", nothing);
    app.post("/p", later);
    app.put("/p", around, nothing);
    app.patch("/p", nothing, later, around, nothing);
    app.del("/p", nothing);
    app.head("/p", nothing);
    app.options("/p", nothing);
    app.any("/p", nothing);
    CHECK(listed(app) == std::vector<std::string>{"GET /g", "POST /p", "PUT /p", "PATCH /p", "DELETE /p", "HEAD /p",
                                                  "OPTIONS /p", "* /p"});
}

TEST_CASE("groups put their prefixes in front, nested, and siblings share nothing") {
    App app;
    auto api = app.group("/api");
    auto users = api.group("/users/:id");
    auto copy = api;
    users.get("/posts", nothing);
    copy.get("/rooms", nothing);
    app.group("/other").get("/rooms", nothing);
    app.get("/last", nothing);
    CHECK(listed(app) ==
          std::vector<std::string>{"GET /api/users/:id/posts", "GET /api/rooms", "GET /other/rooms", "GET /last"});
}

TEST_CASE("a group's own path is the empty pattern") {
    App app;
    app.group("/api").get("", nothing);
    CHECK(listed(app) == std::vector<std::string>{"GET /api"});
}

TEST_CASE("two routes that mean the same are refused across groups") {
    App app;
    app.get("/api/users/:id", nothing);
    CHECK_THROWS_AS(app.group("/api").get("/users/:name", nothing), std::invalid_argument);
    CHECK(app.routes().size() == 1);
}

TEST_CASE("setup mistakes throw at setup") {
    App app;
    for (const char* prefix : {"/", "api", "/api/", "api/"}) {
        CAPTURE(prefix);
        CHECK_THROWS_AS(app.group(prefix), std::invalid_argument);
    }
    for (const char* prefix : {"/a/*rest/b", "/:", "/a?b", "/%", "/:a/:a"}) {
        CAPTURE(prefix);
        CHECK_THROWS_AS(app.group(prefix), std::invalid_argument);
    }
    CHECK_THROWS_AS(app.get("users", nothing), std::invalid_argument);
    CHECK_THROWS_AS(app.get("/*rest/more", nothing), std::invalid_argument);
    CHECK_THROWS_AS(app.threads(0), std::invalid_argument);
    CHECK_THROWS_AS(app.threads(1025), std::invalid_argument);
    CHECK(app.threads() == 1);
}

TEST_CASE("a pattern of a group begins with a slash, too, or /api and users would become /apiusers") {
    App app;
    auto api = app.group("/api");
    CHECK_THROWS_AS(api.get("users", nothing), std::invalid_argument);
}

TEST_CASE("an app that never ran has no port, has an executor, and stops twice") {
    App app;
    CHECK(app.port() == 0);
    CHECK(app.executor() == app.executor());
    app.stop();
    app.stop();
}

TEST_CASE("settings are kept") {
    App app;
    kvolt::Limits limits;
    limits.body_size = 7;
    app.threads(4).limits(limits);
    CHECK(app.threads() == 4);
    CHECK(app.limits().body_size == 7);
    std::string logged;
    app.logger([&](std::string_view line) { logged += line; });
    app.core()->log("a line");
    CHECK(logged == "a line");
}
