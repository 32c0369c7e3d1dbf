#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/context.hpp>
#include <kvolt/error.hpp>

#include <functional>
#include <stdexcept>
#include <string>

using kvolt::Context;
using kvolt::Phase;
using kvolt::Task;
using test::Fixture;

TEST_CASE("followers see the answer as it is sent, the last one first, and may still change it") {
    struct Case {
        std::function<void(Context&)> handler;
        int status;
        std::string body, log;
    };
    for (const Case& c : {
             Case{[](Context& c) { c.text("hi"); }, 200, "hi", ""},
             Case{[](Context&) {}, 200, "", ""},
             Case{[](Context&) { throw kvolt::HttpError(404, "no such user"); }, 404, R"({"error":"no such user"})",
                  ""},
             Case{[](Context&) { throw std::runtime_error("db"); }, 500, R"({"error":"Internal Server Error"})", "db"},
             Case{[](Context&) { throw 1; }, 500, R"({"error":"Internal Server Error"})",
                  "an exception that is no std::exception"},
         }) {
        std::string trace;
        auto follow = [&trace](std::string name) {
            return [&trace, name](Context& context) {
                context.follow([&trace, name](Context& of, Phase phase) {
                    CHECK(phase == Phase::answered);
                    trace += name + std::to_string(of.response().status()) + ' ';
                    of.header("X-Seen", "yes");
                });
            };
        };
        Fixture f;
        CHECK(f.serve(follow("outer "), follow("inner "), c.handler) == c.log);
        CHECK(trace == "inner " + std::to_string(c.status) + " outer " + std::to_string(c.status) + ' ');
        CHECK(f.response.body() == c.body);
        CHECK(f.response.header("X-Seen") == "yes");
    }
}

TEST_CASE("a follower that throws makes the answer a 500") {
    Fixture f;
    auto bad = [](Context& c) { c.follow([](Context&, Phase) { throw std::runtime_error("follower"); }); };
    CHECK(f.serve(bad, [](Context& c) { c.text("hi"); }) == "follower");
    CHECK(f.response.status() == 500);
    CHECK(f.response.body() == R"({"error":"Internal Server Error"})");
}

TEST_CASE("a follower that throws keeps nothing from those who asked before it") {
    Fixture f;
    int seen = 0;
    auto outer = [&](Context& c) { c.follow([&](Context& of, Phase) { seen = of.response().status(); }); };
    auto bad = [](Context& c) { c.follow([](Context&, Phase) { throw std::runtime_error("follower"); }); };
    CHECK(f.serve(outer, bad, [](Context& c) { c.text("hi"); }) == "follower");
    CHECK(seen == 500);
}

TEST_CASE("an upgrade is followed to its end") {
    for (bool fails : {false, true}) {
        std::string trace;
        Fixture f;
        f.ask_for_websocket();
        auto follow = [&](Context& c) {
            CHECK(c.socket() == nullptr);
            c.follow([&](Context& of, Phase phase) {
                trace += phase == Phase::upgraded ? "upgraded " : phase == Phase::ended ? "ended " : "answered ";
                REQUIRE(of.socket() != nullptr);
                trace += std::to_string(of.socket()->close_code()) + ' ';
            });
        };
        auto handler = [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            trace += "handler ";
            if (fails) throw std::runtime_error("oops");
        };
        CHECK(f.serve(follow, handler) == (fails ? "oops" : ""));
        CHECK(trace == (fails ? "upgraded 0 handler ended 1011 " : "upgraded 0 handler ended 1000 "));
    }
}

TEST_CASE("a refused handshake is an answer like others") {
    std::string trace;
    Fixture f;
    auto follow = [&](Context& c) {
        c.follow([&](Context& of, Phase phase) {
            CHECK(phase == Phase::answered);
            trace += std::to_string(of.response().status());
        });
    };
    f.serve(follow, [](Context& c) -> Task<> { co_await c.upgrade(); });
    CHECK(trace == "426");
}

TEST_CASE("a stream that was not begun may still become an error, one that was may not") {
    for (bool begun : {false, true}) {
        Fixture f;
        std::string trace;
        f.context().follow(
            [&](Context&, Phase phase) { trace += phase == Phase::streaming ? "streaming " : "answered "; });
        f.context().stream("text/csv");
        auto failure = std::make_exception_ptr(std::runtime_error("db"));
        CHECK(kvolt::detail::conclude(f.context(), failure, begun) == "db");
        CHECK(f.response.status() == (begun ? 200 : 500));
        CHECK(trace == "streaming answered ");
    }
}

TEST_CASE("what cannot be answered any more is logged as it was thrown") {
    Fixture f;
    f.context().on_failure([](Context&, const std::exception_ptr&) -> bool { throw std::logic_error("too late"); });
    f.context().stream();
    CHECK(kvolt::detail::conclude(f.context(), std::make_exception_ptr(std::runtime_error("db")), true) == "db");
}
