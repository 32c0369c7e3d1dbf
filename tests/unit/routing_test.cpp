#include "catch.hpp"
#include "client_of.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/error.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::Context;
using kvolt::HttpError;
using kvolt::Next;
using kvolt::Task;
using TestClient = kvolt::testing::Client;
using test::client_of;

namespace {

Task<> pause(Context& c) {
    boost::asio::steady_timer timer(c.executor(), std::chrono::milliseconds(1));
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace

TEST_CASE("a request reaches the route that fits it best, with its parameters") {
    struct Case {
        std::string target;
        int status;
        std::string body;
    };
    const std::vector<Case> cases = {
        {"/", 200, "/"},
        {"/?a=1", 200, "/"},
        {"/users/new", 200, "/users/new"},
        {"/users/%6Eew", 200, "/users/new"},
        {"/users/7", 200, "/users/:id id=7"},
        {"/users/7?full=1", 200, "/users/:id id=7"},
        {"/users/caf%C3%A9", 200, "/users/:id id=café"},
        {"/users/a%2Fb", 200, "/users/:id id=a/b"},
        {"/users/7/posts/9", 200, "/users/:id/posts/:post id=7 post=9"},
        {"/users/new/posts/9", 200, "/users/:id/posts/:post id=new post=9"},
        {"/files/", 200, "/files/*path"},
        {"/files/a/b%20c.txt", 200, "/files/*path path=a/b c.txt"},
        {"/a/b/c", 200, "/a/b/c"},
        {"/a/b/d", 200, "/a/:x/d x=b"},
        {"/a/b/e", 200, "/:any/b/e any=a"},
        {"http://localhost/users/7", 200, "/users/:id id=7"},
        {"http://localhost", 200, "/"},
        {"HTTP://localhost:80/users/7?a=1", 200, "/users/:id id=7"},
        {"/users", 404, R"({"error":"Not Found"})"},
        {"/users/", 404, R"({"error":"Not Found"})"},
        {"/users/7/", 404, R"({"error":"Not Found"})"},
        {"/Users/7", 404, R"({"error":"Not Found"})"},
        {"//users/7", 404, R"({"error":"Not Found"})"},
    };
    kvolt::App app;
    for (std::string pattern :
         {"/", "/users/new", "/users/:id", "/users/:id/posts/:post", "/files/*path", "/a/b/c", "/a/:x/d", "/:any/b/e"})
        app.get(pattern, [pattern](Context& c) {
            std::string body = pattern;
            for (std::string name : {"id", "post", "path", "x", "any"})
                if (!c.param(name).empty()) body += ' ' + name + '=' + std::string(c.param(name));
            c.text(body);
        });
    TestClient client = client_of(app);
    for (const Case& expected : cases) {
        INFO(expected.target);
        auto response = client.get(expected.target).send();
        CHECK(response.status() == expected.status);
        CHECK(response.body() == expected.body);
    }
}

TEST_CASE("methods: routes of their own, HEAD, OPTIONS, 405 and 501") {
    struct Case {
        std::string method, target;
        int status;
        std::string allow, length, body;
    };
    const std::string not_allowed = R"({"error":"Method Not Allowed"})", size = std::to_string(not_allowed.size());
    const std::vector<Case> cases = {
        {"GET", "/users/new", 200, "", "3", "new"},
        {"POST", "/users/new", 200, "", "8", "post new"},
        {"HEAD", "/users/new", 200, "", "3", ""},
        {"HEAD", "/head", 200, "", "4", ""},
        {"HEAD", "/nowhere", 404, "", "21", ""},
        {"HEAD", "/put", 405, "PUT, OPTIONS", size, ""},
        {"DELETE", "/users/new", 405, "GET, POST, HEAD, OPTIONS", size, not_allowed},
        {"GET", "/users/7", 405, "POST, OPTIONS", size, not_allowed},
        {"TRACE", "/put", 405, "PUT, OPTIONS", size, not_allowed},
        {"OPTIONS", "/users/new", 204, "GET, POST, HEAD, OPTIONS", "", ""},
        {"OPTIONS", "/own", 200, "", "3", "own"},
        {"OPTIONS", "*", 204, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", "", ""},
        {"OPTIONS", "/nowhere", 404, "", "21", R"({"error":"Not Found"})"},
        {"PATCH", "/patch", 200, "", "5", "patch"},
        {"DELETE", "/del", 200, "", "3", "del"},
        {"PUT", "/any", 200, "", "3", "PUT"},
        {"HEAD", "/any", 200, "", "4", ""},
        {"BREW", "/any", 200, "", "4", "BREW"},
        {"TRACE", "/any", 405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", size, not_allowed},
        {"BREW", "/put", 501, "", "27", R"({"error":"Not Implemented"})"},
        {"get", "/users/new", 501, "", "27", R"({"error":"Not Implemented"})"},
    };
    kvolt::App app;
    app.get("/users/new", [](Context& c) { c.text("new"); });
    app.post("/users/:id", [](Context& c) { c.text("post " + std::string(c.param("id"))); });
    app.put("/put", [](Context& c) { c.text("put"); });
    app.head("/head", [](Context& c) { c.text("head"); });
    app.get("/head", [](Context& c) { c.text("not head"); });
    app.options("/own", [](Context& c) { c.text("own"); });
    app.patch("/patch", [](Context& c) { c.text("patch"); });
    app.del("/del", [](Context& c) { c.text("del"); });
    app.any("/any", [](Context& c) { c.text(std::string(c.method())); });
    TestClient client = client_of(app);
    for (const Case& expected : cases) {
        INFO(expected.method << ' ' << expected.target);
        auto response = client.request(expected.method, expected.target).send();
        CHECK(response.status() == expected.status);
        CHECK(response.header("allow") == expected.allow);
        CHECK(response.header("content-length") == expected.length);
        CHECK(response.body() == expected.body);
    }
}

TEST_CASE("middleware runs from the outermost group inwards, whatever comes first in the code") {
    auto around = [](std::string name) {
        return [name](Context& c, Next next) -> Task<> {
            c.set((c.get<std::string>() ? *c.get<std::string>() : std::string()) + name + '>');
            co_await next();
            c.text(name + '(' + c.response().body() + ')');
        };
    };
    auto handler = [](Context& c) {
        c.text((c.get<std::string>() ? *c.get<std::string>() : std::string()) + "handler");
    };
    kvolt::App app;
    auto outer = app.group("/outer"), sibling = app.group("/sibling");
    auto inner = outer.group("/inner");
    app.get("/top", handler);
    outer.get("/", handler);
    inner.get("/deep", around("route"), around("route2"), handler);
    inner.get(
        "/later", [](Context& c) -> Task<> { co_await pause(c); }, handler);
    sibling.get("/", handler);
    inner.use(around("inner"));
    outer.use(around("outer"));
    app.use(around("app"));
    TestClient client = client_of(app);
    CHECK(client.get("/top").send().body() == "app(app>handler)");
    CHECK(client.get("/outer/").send().body() == "app(outer(app>outer>handler))");
    CHECK(client.get("/sibling/").send().body() == "app(app>handler)");
    CHECK(client.get("/outer/inner/deep").send().body() ==
          "app(outer(inner(route(route2(app>outer>inner>route>route2>handler)))))");
    CHECK(client.get("/outer/inner/later").send().body() == "app(outer(inner(app>outer>inner>handler)))");
}

TEST_CASE("middleware sees what no route matches") {
    kvolt::App app;
    app.use([](Context& c, Next next) -> Task<> {
        c.header("X-Seen", c.path());
        try {
            co_await next();
        } catch (const HttpError& error) {
            c.status(error.status()).text("instead of " + std::string(error.what()));
        }
    });
    app.get("/here", [](Context& c) { c.text("here"); });
    TestClient client = client_of(app);
    auto missing = client.get("/nowhere").send();
    CHECK(missing.status() == 404);
    CHECK(missing.body() == "instead of Not Found");
    CHECK(missing.header("x-seen") == "/nowhere");
    CHECK(client.request("PUT", "/here").send().body() == "instead of Method Not Allowed");
}

TEST_CASE("middleware that answers or throws keeps the request from the handler, also from an upgrade") {
    kvolt::App app;
    auto plain = app.group("/plain");
    plain.use([](Context& c) {
        if (c.header("Authorization").empty()) c.status(401).text("who?");
    });
    auto later = app.group("/later");
    later.use([](Context& c) -> Task<> {
        co_await pause(c);
        if (c.header("Authorization").empty()) c.status(401).text("who?");
    });
    auto around = app.group("/around");
    around.use([](Context& c, Next next) -> Task<> {
        if (c.header("Authorization").empty()) co_return c.status(401).text("who?");
        co_await next();
    });
    auto throwing = app.group("/throwing");
    throwing.use([](Context& c) {
        if (c.header("Authorization").empty()) throw HttpError(401, "who?").header("WWW-Authenticate", "Basic");
    });
    for (const auto& group : {plain, later, around, throwing}) {
        group.get("/page", [](Context& c) { c.text("page"); });
        group.get("/socket", [](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) socket.send(*message);
        });
    }
    TestClient client = client_of(app);
    for (std::string prefix : {"/plain", "/later", "/around", "/throwing"}) {
        INFO(prefix);
        for (auto& refused : {client.get(prefix + "/page").send(), client.websocket(prefix + "/socket").refusal()}) {
            CHECK(refused.status() == 401);
            CHECK(refused.body() == (prefix == "/throwing" ? R"({"error":"who?"})" : "who?"));
            CHECK(refused.header("www-authenticate") == (prefix == "/throwing" ? "Basic" : ""));
        }
        CHECK(client.get(prefix + "/page").header("Authorization", "me").send().body() == "page");
        auto socket = client.websocket(prefix + "/socket").header("Authorization", "me").connect();
        socket.send("hello");
        CHECK(socket.read_text() == "hello");
    }
}

TEST_CASE("an error that nobody answers is a 500 and is logged, wherever it comes from") {
    struct Case {
        std::string target;
        int status;
        std::string body, log;
    };
    const std::string internal = R"({"error":"Internal Server Error"})";
    const std::vector<Case> cases = {
        {"/plain", 500, internal, "kvolt: GET /plain: secret"},
        {"/at-once", 500, internal, "kvolt: GET /at-once: secret"},
        {"/no-coroutine", 500, internal, "kvolt: GET /no-coroutine: secret"},
        {"/later", 500, internal, "kvolt: GET /later: secret"},
        {"/nested", 500, internal, "kvolt: GET /nested: secret"},
        {"/answered", 500, internal, "kvolt: GET /answered: secret"},
        {"/no-exception", 500, internal, "kvolt: GET /no-exception: an exception that is no std::exception"},
        {"/before/page", 500, internal, "kvolt: GET /before/page: secret"},
        {"/behind/page", 500, internal, "kvolt: GET /behind/page: secret"},
        {"/gone", 410, R"({"error":"\"gone\""})", ""},
        {"/gone-later", 410, R"({"error":"gone"})", ""},
        {"/bad-status", 500, internal,
         "kvolt: GET /bad-status: kvolt: the status of an HttpError is 400 to 599, not 42"},
        {"/fine", 200, "fine", ""},
    };
    std::vector<std::string> log;
    kvolt::App app;
    app.logger([&](std::string_view line) {
        log.emplace_back(line);
        throw std::runtime_error("a logger that fails");
    });
    auto fail = [](Context& c) -> Task<> {
        co_await pause(c);
        throw std::runtime_error("secret");
    };
    app.get("/plain", [](Context&) { throw std::runtime_error("secret"); });
    app.get("/no-coroutine", [](Context&) -> Task<> { throw std::runtime_error("secret"); });
    app.get("/at-once", [](Context& c) -> Task<> {
        if (c.method() == "GET") throw std::runtime_error("secret");
        co_return;
    });
    app.get("/later", fail);
    app.get("/nested", [fail](Context& c) -> Task<> {
        co_await pause(c);
        co_await fail(c);
    });
    app.get("/answered", [fail](Context& c) -> Task<> {
        c.header("X-Kept", "yes").header("Content-Language", "secret").status(201).text("secret");
        co_await fail(c);
    });
    app.get("/no-exception", [](Context&) { throw 7; });
    auto before = app.group("/before"), behind = app.group("/behind");
    before.use([fail](Context& c, Next next) -> Task<> {
        co_await fail(c);
        co_await next();
    });
    behind.use([fail](Context& c, Next next) -> Task<> {
        co_await next();
        co_await fail(c);
    });
    before.get("/page", [](Context& c) { c.text("page"); });
    behind.get("/page", [](Context& c) { c.text("page"); });
    app.get("/gone", [](Context&) { throw HttpError(410, "\"gone\"").header("X-Why", "moved"); });
    app.get("/gone-later", [](Context& c) -> Task<> {
        co_await pause(c);
        throw HttpError(410, "gone").header("X-Why", "moved");
    });
    app.get("/bad-status", [](Context&) { throw HttpError(42, "what"); });
    app.get("/fine", [](Context& c) { c.text("fine"); });
    TestClient client = client_of(app);
    for (const Case& expected : cases) {
        INFO(expected.target);
        auto response = client.get(expected.target).send();
        CHECK(response.status() == expected.status);
        CHECK(response.body() == expected.body);
        CHECK(response.header("x-kept") == (expected.target == "/answered" ? "yes" : ""));
        CHECK(response.header("content-language") == "");
        CHECK(response.header("x-why") == (expected.status == 410 ? "moved" : ""));
        CHECK(response.header("connection") == "");
        CHECK(client.get("/fine").send().body() == "fine");
    }
    std::vector<std::string> expected_log;
    for (const Case& expected : cases)
        if (!expected.log.empty()) expected_log.push_back(expected.log);
    CHECK(log == expected_log);
}

TEST_CASE("what a client sends cannot forge a line of the log") {
    std::vector<std::string> log;
    kvolt::App app;
    app.logger([&](std::string_view line) { log.emplace_back(line); });
    app.any("/*rest", [](Context& c) { throw std::runtime_error("cannot store " + std::string(c.body())); });
    TestClient client = client_of(app);
    const std::string sent = "a\r\nkvolt: \"all\" is well\x1b[2K\\ \xFF";
    CHECK(client.post("/\"").body(sent).send().status() == 500);
    CHECK(log ==
          std::vector<std::string>{R"(kvolt: POST /\": cannot store a\x0d\x0akvolt: \"all\" is well\x1b[2K\\ \xff)"});
}

TEST_CASE("a handler sees the request and shapes the answer") {
    struct User {
        std::string name;
    };
    kvolt::App app;
    app.use([](Context& c) {
        c.set(User{"Ann"});
        c.set(7);
        c.set(User{"Bob"});
    });
    app.get("/values", [](Context& c) {
        c.text(c.get<User>()->name + std::to_string(*c.get<int>()) + (c.get<double>() ? "?" : ""));
    });
    app.get("/request/:p", [](Context& c) {
        c.text(std::string(c.path()) + '|' + std::string(c.target()) + '|' + std::string(c.query("q", "none")) + '|' +
               std::string(c.header("x-field")));
    });
    app.get("/from", [](Context& c) { c.text(c.remote_address()); });
    app.get("/html", [](Context& c) { c.html("<p>"); });
    app.get("/json", [](Context& c) { c.json("{}"); });
    app.get("/blob", [](Context& c) { c.blob(std::string("\0\xFF", 2), "image/png"); });
    app.get("/status", [](Context& c) { c.status(202); });
    app.get("/empty", [](Context& c) { c.status(204).text("no body"); });
    app.get("/silent", [](Context&) {});
    app.get("/cookies", [](Context& c) {
        c.response().add_header("Set-Cookie", "a=1");
        c.response().add_header("Set-Cookie", "b=2");
    });
    app.get("/redirect", [](Context& c) { c.redirect("/there"); });
    app.get("/redirect/:status", [](Context& c) { c.redirect("/there", std::stoi(std::string(c.param("status")))); });
    app.logger([](std::string_view) {});
    TestClient client = client_of(app);
    CHECK(client.get("/values").send().body() == "Bob7");
    CHECK(client.get("/request/caf%C3%A9?q=a+b%21").header("X-Field", " value ").send().body() ==
          "/request/café|/request/caf%C3%A9?q=a+b%21|a b!|value");
    CHECK(client.get("/request/x").send().body() == "/request/x|/request/x|none|");
    CHECK(client.get("/from").send().body().starts_with("127.0.0.1:"));
    CHECK(client.get("/html").send().header("content-type") == "text/html; charset=utf-8");
    CHECK(client.get("/json").send().header("content-type") == "application/json");
    CHECK(client.get("/blob").send().header("content-type") == "image/png");
    CHECK(client.get("/blob").send().body() == std::string("\0\xFF", 2));
    CHECK(client.get("/status").send().status() == 202);
    CHECK(client.get("/empty").send().status() == 204);
    CHECK(client.get("/empty").send().header("content-length") == "");
    CHECK(client.get("/silent").send().status() == 200);
    CHECK(client.get("/silent").send().header("content-length") == "0");
    CHECK(client.get("/silent").send().header("date").ends_with(" GMT"));
    auto cookies = client.get("/cookies").send();
    CHECK(cookies.fields().at(1) == std::pair<std::string, std::string>("Set-Cookie", "a=1"));
    CHECK(cookies.fields().at(2) == std::pair<std::string, std::string>("Set-Cookie", "b=2"));
    CHECK(client.get("/redirect").send().status() == 302);
    CHECK(client.get("/redirect/308").send().status() == 308);
    CHECK(client.get("/redirect/308").send().header("location") == "/there");
    CHECK(client.get("/redirect/200").send().status() == 500);
}

TEST_CASE("what no route of a path takes is guarded by what guards them all, whichever came first") {
    auto guard = [](std::string name) {
        return [name](Context& c) {
            if (c.header("Authorization") != name) throw kvolt::HttpError(401, name);
        };
    };
    auto handler = [](Context& c) { c.text(std::string(c.method())); };
    for (bool guarded_first : {true, false}) {
        kvolt::App app;
        auto api = app.group("/api"), pub = api.group(""), admin = api.group("");
        admin.use(guard("admin"));
        if (guarded_first) admin.del("/items", handler);
        pub.get("/items", handler);
        if (!guarded_first) admin.del("/items", handler);
        admin.get("/secret", handler);
        admin.post("/secret", handler);
        app.get("/*rest", handler);  // whatever is further away counts for nothing
        TestClient client = client_of(app);
        auto status = [&](std::string_view method, std::string_view target) {
            return client.request(method, target).send().status();
        };
        CHECK(status("GET", "/api/items") == 200);
        CHECK(status("DELETE", "/api/items") == 401);
        CHECK(status("PUT", "/api/items") == 405);
        CHECK(status("OPTIONS", "/api/items") == 204);
        CHECK(status("PUT", "/api/secret") == 401);
        CHECK(status("PUT", "/api/none") == 405);
    }
}

TEST_CASE("a group's middleware guards what is below its prefix, also where no route is") {
    auto mark = [](std::string name) { return [name](Context& c) { c.add_header("X-Guard", name); }; };
    kvolt::App app;
    app.use(mark("app"));
    auto api = app.group("/api"), users = api.group("/users/:id"), twice = app.group("/twice"),
         again = app.group("/twice"), once_more = app.group("/twice"), shared = api.group("");
    api.use(mark("api"));
    users.use(mark("users"));
    twice.use(mark("twice"));
    again.use(mark("again"));
    once_more.use(mark("once more"));
    shared.use(mark("shared"));
    auto handler = [](Context& c) { c.text("here"); };
    api.get("/items", handler);
    users.get("/posts", handler);
    app.get("/api/outside", handler);
    TestClient client = client_of(app);
    auto guards = [&](std::string_view method, std::string_view target) {
        auto response = client.request(method, target).send();
        std::string result = std::to_string(response.status());
        for (const auto& [name, value] : response.fields())
            if (name == "X-Guard") result += ' ' + value;
        return result;
    };
    CHECK(guards("GET", "/api/items") == "200 app api");
    CHECK(guards("PUT", "/api/items") == "405 app api");
    CHECK(guards("GET", "/api") == "404 app api");
    CHECK(guards("GET", "/api/") == "404 app api");
    CHECK(guards("OPTIONS", "/api/nothing/here") == "404 app api");
    CHECK(guards("GET", "/%61pi/x") == "404 app api");
    CHECK(guards("GET", "/api/users/7") == "404 app api users");
    CHECK(guards("GET", "/api/users/7/x") == "404 app api users");
    CHECK(guards("BREW", "/api/users/7/x") == "501 app api users");
    CHECK(guards("GET", "/api/users") == "404 app api");
    CHECK(guards("GET", "/apis") == "404 app");
    CHECK(guards("GET", "/twice/x") == "404 app");  // which of them?
    CHECK(guards("OPTIONS", "*") == "204 app");
    CHECK(guards("PUT", "/api/outside") == "405 app");
}

TEST_CASE("a page for what a group lacks costs no 405") {
    kvolt::App app;
    auto api = app.group("/api");
    api.get("/items", [](Context& c) { c.text("items"); });
    api.any("/*rest", [](Context&) { throw HttpError(404, "no such thing"); });
    TestClient client = client_of(app);
    auto refused = client.request("DELETE", "/api/items").send();
    CHECK(refused.status() == 405);
    CHECK(refused.header("Allow") == "GET, HEAD, OPTIONS");
    auto asked = client.request("OPTIONS", "/api/items").send();
    CHECK(asked.status() == 204);
    CHECK(asked.header("Allow") == "GET, HEAD, OPTIONS");
    CHECK(client.request("DELETE", "/api/other").send().body() == R"({"error":"no such thing"})");
}

TEST_CASE("a header field that would split the response is a 500") {
    kvolt::App app;
    app.get("/value", [](Context& c) { c.header("X", c.query("x")).text("sent"); });
    app.get("/name", [](Context& c) { c.header(c.query("x"), "value").text("sent"); });
    app.get("/blob", [](Context& c) { c.blob("sent", c.query("x")); });
    app.get("/redirect", [](Context& c) { c.redirect(c.query("x")); });
    app.get("/error", [](Context& c) { throw HttpError(400, "bad").header("X", std::string(c.query("x"))); });
    app.get("/nul", [](Context& c) { c.header("X", std::string_view("a\0b", 3)).text("sent"); });
    app.get("/newline", [](Context& c) { c.header("X", "a\r\nEvil: 1").text("sent"); });
    app.get("/newline-error", [](Context&) { throw HttpError(400, "bad").header("X", "a\nEvil: 1"); });
    app.get("/newline-redirect", [](Context& c) { c.redirect("/\r\nEvil: 1"); });
    app.get("/newline-blob", [](Context& c) { c.blob("sent", "image/png\r\nEvil: 1"); });
    app.logger([](std::string_view) {});
    TestClient client = client_of(app);
    for (std::string target :
         {"/name?x=Content-Length", "/name?x=transfer-encoding", "/name?x=Connection", "/name?x=Date", "/name?x=a+b",
          "/name?x=a:", "/name", "/nul", "/newline", "/newline-error", "/newline-redirect", "/newline-blob"}) {
        INFO(target);
        auto response = client.get(target).send();
        CHECK(response.status() == 500);
        CHECK(response.body() == R"({"error":"Internal Server Error"})");
        CHECK(response.header("evil") == "");
        CHECK(response.header("x") == "");
    }
    for (std::string target : {"/value", "/blob", "/redirect", "/error"}) {
        INFO(target);
        auto response = client.get(target + "?x=a%0D%0AEvil:%201").send();
        CHECK(response.header("evil") == "");
        CHECK(client.get("/value?x=fine").send().body() == "sent");
    }
}
