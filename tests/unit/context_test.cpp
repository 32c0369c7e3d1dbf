#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/context.hpp>
#include <kvolt/error.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::Context;
using kvolt::HttpError;
using kvolt::Next;
using kvolt::Task;
using kvolt::detail::Chain;
using kvolt::detail::make_step;
using test::Fixture;

TEST_CASE("a context shows the request, decoded where people expect it") {
    Fixture f("/caf%C3%A9/a%2Fb?q=two+words&q=2&empty=&x=%41", "POST");
    f.request.add_field("X-Name", "value");
    f.request.body_buffer() = "body";
    Context& c = f.context();
    CHECK(c.method() == "POST");
    CHECK(c.path() == "/caf\xC3\xA9/a/b");
    CHECK(c.target() == "/caf%C3%A9/a%2Fb?q=two+words&q=2&empty=&x=%41");
    CHECK(c.query("q") == "two words");
    CHECK(c.query("x") == "A");
    CHECK(c.query("empty", "fallback").empty());
    CHECK(c.query("absent", "fallback") == "fallback");
    CHECK(c.query("absent").empty());
    CHECK(c.header("x-name") == "value");
    CHECK(c.header("absent").empty());
    CHECK(c.body() == "body");
    CHECK(c.remote_address() == "192.0.2.1:1234");
}

TEST_CASE("parameters are decoded one by one, so an escaped slash stays within its own") {
    Fixture f("/caf%C3%A9/a%2Fb/c");
    std::vector<std::string> names{"x", "y"};
    f.match(names, {"a%2Fb", "c"});
    CHECK(f.context().param("x") == "a/b");
    CHECK(f.context().param("y") == "c");
    CHECK(f.context().param("z").empty());
    CHECK(f.context().param("").empty());
}

TEST_CASE("parameters of a path without escapes are as they were sent") {
    Fixture f("/a+b/c");
    std::vector<std::string> names{"x", "y"};
    f.match(names, {"a+b", "c"});
    CHECK(f.context().param("x") == "a+b");
    CHECK(f.context().param("y") == "c");
}

TEST_CASE("an escape in the query does not confuse the parameters") {
    Fixture f("/a/b?x=%41");
    std::vector<std::string> names{"x"};
    f.match(names, {"b"});
    CHECK(f.context().param("x") == "b");
    CHECK(f.context().path() == "/a/b");
}

TEST_CASE("answers have the type that they are named after") {
    struct Case {
        void (*answer)(Context&);
        std::string body, type;
    };
    for (const Case& c : {
             Case{[](Context& c) { c.text("t"); }, "t", "text/plain; charset=utf-8"},
             Case{[](Context& c) { c.html("h"); }, "h", "text/html; charset=utf-8"},
             Case{[](Context& c) { c.json("{}"); }, "{}", "application/json"},
             Case{[](Context& c) { c.blob("b", std::string("image/") + "png"); }, "b", "image/png"},
         }) {
        Fixture f;
        CHECK_FALSE(f.context().answered());
        c.answer(f.context());
        CHECK(f.context().answered());
        std::string out;
        f.response.append_to(out, {"date"});
        CHECK(out.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(out.find("\r\nContent-Type: " + c.type + "\r\n") != out.npos);
        CHECK(out.ends_with("\r\n\r\n" + c.body));
    }
}

TEST_CASE("what is said last counts") {
    Fixture f;
    Context& c = f.context();
    c.status(201).header("X", "1").header("x", "2");
    c.text("first");
    c.status(202);
    c.json("{}");
    CHECK(f.response.status() == 202);
    CHECK(f.response.header("X") == "2");
    CHECK(f.response.body() == "{}");
    std::string out;
    f.response.append_to(out, {"date"});
    CHECK(out.find("text/plain") == out.npos);
}

TEST_CASE("the type of a blob does not outlive it") {
    Fixture f;
    f.context().blob("png", "image/png");
    f.context().text("or rather not");
    std::string out;
    f.response.append_to(out, {"date"});
    CHECK(out.find("image/png") == out.npos);
}

TEST_CASE("a redirect has a place to go to, and no other status than that of a redirect") {
    Fixture f;
    f.context().redirect("/login?next=%2F", 303);
    CHECK(f.response.status() == 303);
    CHECK(f.response.header("Location") == "/login?next=%2F");
    CHECK(f.context().answered());
    for (int status : {200, 300, 304, 305, 306, 309, 400})
        CHECK_THROWS_AS(f.context().redirect("/", status), std::invalid_argument);
    CHECK_THROWS_AS(f.context().redirect("/a\r\nSet-Cookie: x=1"), std::invalid_argument);
    CHECK(f.response.header("Location") == "/login?next=%2F");
}

TEST_CASE("a redirect leads where it says, whatever its parts are made of") {
    for (auto [location, sent] : {
             std::pair("/a%20b?c=d&e=%2F#f", "/a%20b?c=d&e=%2F#f"),
             std::pair("https://[::1]:8080/a;b,c(d)!*'~", "https://[::1]:8080/a;b,c(d)!*'~"),
             std::pair("/caf\xC3\xA9 \"x\"", "/caf%C3%A9%20%22x%22"),
             std::pair("/\\evil.example", "/%5Cevil.example"),  // which browsers take for "//evil.example"
             std::pair("/a\xFF<b>{c}|^`", "/a%FF%3Cb%3E%7Bc%7D%7C%5E%60"),
         }) {
        Fixture f;
        f.context().redirect(location);
        CHECK(f.response.header("Location") == sent);
    }
}

TEST_CASE("a redirect that is refused answers nothing") {
    Fixture f;
    CHECK_THROWS(f.context().redirect("/a\r\nb"));
    CHECK_THROWS(f.context().status(99));
    CHECK_THROWS(f.context().header("Content-Length", "5"));
    CHECK_FALSE(f.context().answered());
}

TEST_CASE("values of a request are kept one of a type") {
    struct User {
        std::string name;
    };
    Fixture f;
    Context& c = f.context();
    CHECK(c.get<User>() == nullptr);
    c.set(User{"ann"}).name += "!";
    c.set(7);
    c.set(std::string("text"));
    REQUIRE(c.get<User>() != nullptr);
    CHECK(c.get<User>()->name == "ann!");
    CHECK(*c.get<int>() == 7);
    CHECK(c.get<long>() == nullptr);
    c.set(User{"bob"});
    CHECK(c.get<User>()->name == "bob");
    CHECK(*c.get<std::string>() == "text");
}

TEST_CASE("a value stays where it is when others are set") {
    Fixture f;
    int& first = f.context().set(1);
    f.context().set(2L);
    f.context().set('3');
    f.context().set(4.0);
    f.context().set(std::string("5"));
    CHECK(&first == f.context().get<int>());
    first = 6;
    CHECK(*f.context().get<int>() == 6);
}

namespace {

Task<> note(std::string& trace, std::string name, Next next) {
    trace += name + '<';
    co_await next();
    trace += name + '>';
}

}  // namespace

TEST_CASE("middleware runs around the rest, outermost first, plain and coroutine alike") {
    std::string trace;
    Chain chain;
    chain.add(make_step([&](Context&, Next next) { return note(trace, "a", next); }));
    chain.add(make_step([&](Context&) { trace += "plain "; }));
    chain.add(make_step([&](Context&) -> Task<> {
        trace += "coroutine ";
        co_return;
    }));
    chain.add(make_step([&](Context&, Next next) { return note(trace, "b", next); }));
    chain.add(make_step([&](Context& c) { c.text(trace += "handler "); }));
    Fixture f;
    CHECK(f.run(chain).empty());
    CHECK(trace == "a<plain coroutine b<handler b>a>");
    CHECK(f.response.body() == "a<plain coroutine b<handler ");
}

TEST_CASE("whoever answers first ends the chain") {
    for (int kind = 0; kind < 3; ++kind) {
        bool handled = false;
        Chain chain;
        if (kind == 0) chain.add(make_step([](Context& c) { c.status(401); }));
        if (kind == 1)
            chain.add(make_step([](Context& c) -> Task<> {
                c.text("no");
                co_return;
            }));
        if (kind == 2)
            chain.add(make_step([](Context& c, Next) -> Task<> {
                c.redirect("/login");
                co_return;
            }));
        chain.add(make_step([&](Context&) { handled = true; }));
        Fixture f;
        CHECK(f.run(chain).empty());
        CHECK_FALSE(handled);
        CHECK(f.context().answered());
    }
}

TEST_CASE("a header that middleware sets does not end the chain") {
    bool handled = false;
    Chain chain;
    chain.add(make_step([](Context& c) { c.header("X-Frame-Options", "DENY"); }));
    chain.add(make_step([&](Context&) { handled = true; }));
    Fixture f;
    CHECK(f.run(chain).empty());
    CHECK(handled);
}

TEST_CASE("an exception goes outwards through the middleware, which may answer it") {
    Chain chain, caught;
    chain.add(make_step([](Context&) { throw HttpError(404, "no such user"); }));
    CHECK(Fixture().run(chain) == "no such user");

    caught.add(make_step([](Context& c, Next next) -> Task<> {
        std::string what;
        try {
            co_await next();
        } catch (const HttpError& error) {
            what = error.what();
        }
        c.text("caught: " + what);
    }));
    caught.add(chain.steps());
    Fixture f;
    CHECK(f.run(caught).empty());
    CHECK(f.response.body() == "caught: no such user");
}

TEST_CASE("upgrade checks the handshake, agrees on a protocol, and happens once") {
    auto upgrade_twice = [](Context& c) -> Task<> {
        auto options = kvolt::UpgradeOptions().protocols({"chat.v2"});
        co_await c.upgrade(options);
        co_await c.upgrade(options);
    };
    Chain chain;
    chain.add(make_step(upgrade_twice));

    Fixture refused;
    CHECK(refused.run(chain) == "this resource is a WebSocket");
    CHECK(refused.exchange.upgrades.empty());
    CHECK_FALSE(refused.context().answered());

    Fixture f;
    f.request.add_field("Host", "h");
    f.request.add_field("Upgrade", "websocket");
    f.request.add_field("Connection", "Upgrade");
    f.request.add_field("Sec-WebSocket-Version", "13");
    f.request.add_field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    f.request.add_field("Sec-WebSocket-Protocol", "other, chat.v2");
    CHECK(f.run(chain) == "kvolt: upgrade() of a request that was answered already");
    CHECK(f.exchange.upgrades == std::vector<std::string>{"chat.v2"});
    CHECK(f.context().upgraded());
}

TEST_CASE("a request that was answered cannot be upgraded any more") {
    Chain chain;
    chain.add(make_step([](Context& c) -> Task<> {
        c.text("answer");
        co_await c.upgrade();
    }));
    Fixture f;
    CHECK(f.run(chain) == "kvolt: upgrade() of a request that was answered already");
    CHECK(f.exchange.upgrades.empty());
}
