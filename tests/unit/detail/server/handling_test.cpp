#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/detail/server/handling.hpp>
#include <kvolt/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using kvolt::Context;
using kvolt::HttpError;
using kvolt::Phase;
using kvolt::Task;
using kvolt::detail::Chain;
using kvolt::detail::Handling;
using kvolt::detail::make_step;
using kvolt::detail::PathMatch;
using Need = Handling::Need;

namespace {

struct Handled : test::Fixture {
    explicit Handled(std::string_view method = "POST") : Fixture("/", method) {}

    Need begin() { return handling.begin(chain, PathMatch::none); }

    std::string trace;
    Chain chain;
    Handling handling{request, response, exchange};
};

auto say(std::string& trace, std::string what) {
    return [&trace, what](Context&) { trace += what; };
}

}  // namespace

TEST_CASE("handling: what comes next, by what the chain is made of and whether the body has come") {
    enum Kind { plain, answers, throws, coroutine, around };
    struct Case {
        std::vector<Kind> steps;
        bool to_come;
        Need need;
        std::string trace;
        Chain::Body body = Chain::Body::whole;
    };
    for (const Case& c : {
             Case{{plain}, false, Need::nothing, "0"},
             Case{{plain, plain}, false, Need::nothing, "01"},
             Case{{plain, answers, plain}, false, Need::nothing, "01"},
             Case{{plain, throws, plain}, false, Need::nothing, "01"},
             Case{{coroutine}, false, Need::coroutine, ""},
             Case{{plain, coroutine}, false, Need::coroutine, "0"},
             Case{{plain, around, plain}, false, Need::coroutine, "0"},
             // The handler waits for the body, and nothing else does.
             Case{{plain}, true, Need::body, ""},
             Case{{plain, plain}, true, Need::body, "0"},
             Case{{coroutine}, true, Need::body, ""},
             Case{{plain, coroutine}, true, Need::body, "0"},
             Case{{answers, plain}, true, Need::nothing, "0"},
             Case{{plain, throws, coroutine}, true, Need::nothing, "01"},
             Case{{around, plain}, true, Need::coroutine, ""},
             Case{{plain, coroutine, plain}, true, Need::coroutine, "0"},
             // It reads the body itself, or does not want it.
             Case{{plain, plain}, true, Need::nothing, "01", Chain::Body::in_parts},
             Case{{plain, coroutine}, true, Need::coroutine, "0", Chain::Body::in_parts},
             Case{{plain, throws}, true, Need::nothing, "01", Chain::Body::ignored},
         }) {
        Handled t;
        t.exchange.to_come = c.to_come;
        t.chain.body(c.body);
        for (std::size_t i = 0; i < c.steps.size(); ++i) {
            std::string name = std::to_string(i);
            switch (c.steps[i]) {
                case plain: t.chain.add(make_step(say(t.trace, name))); break;
                case answers:
                    t.chain.add(make_step([&t, name](Context& context) {
                        t.trace += name;
                        context.status(204);
                    }));
                    break;
                case throws:
                    t.chain.add(make_step([&t, name](Context&) {
                        t.trace += name;
                        throw HttpError(403, "no");
                    }));
                    break;
                case coroutine: t.chain.add(make_step([](Context&) -> Task<> { co_return; })); break;
                case around:
                    t.chain.add(make_step([](Context&, kvolt::Next next) -> Task<> { co_await next(); }));
                    break;
            }
        }
        CHECK(t.begin() == c.need);
        CHECK(t.trace == c.trace);
        if (c.need == Need::coroutine) (void)t.handling.take_coroutine();
    }
}

TEST_CASE("handling: the handler runs when the body is whole, and not if it fails") {
    Handled t;
    t.exchange.to_come = true;
    t.chain.add(make_step(say(t.trace, "middleware ")));
    t.chain.add(make_step(say(t.trace, "handler ")));
    REQUIRE(t.begin() == Need::body);
    SECTION("whole") {
        t.exchange.to_come = false;
        CHECK(t.handling.go_on() == Need::nothing);
        CHECK(t.handling.conclude(false).empty());
        CHECK(t.trace == "middleware handler ");
        CHECK(t.response.status() == 200);
    }
    SECTION("failed") {
        t.handling.fail(std::make_exception_ptr(HttpError(408, "late")));
        CHECK(t.handling.conclude(false).empty());
        CHECK(t.trace == "middleware ");
        CHECK(t.response.status() == 408);
    }
}

TEST_CASE("handling: of a request that is refused, only observers see anything, and they cannot change that") {
    Handled t;
    t.chain.add(make_step(kvolt::observer([&](Context& c) {
        t.trace += "first ";
        c.header("X-Seen", "yes");
        c.follow([&](Context& of, Phase) { t.trace += "told " + std::to_string(of.response().status()) + ' '; });
    })));
    t.chain.add(make_step(say(t.trace, "never ")));
    t.chain.add(make_step(kvolt::observer([&](Context& c) {
        t.trace += "second ";
        c.text("fine");
        throw std::runtime_error("ignored");
    })));
    t.chain.add(make_step(kvolt::observer([&](Context&) { t.trace += "third "; })));
    t.handling.begin_refused(t.chain, HttpError(431, "too large"));
    CHECK(t.handling.conclude(false).empty());
    CHECK(t.trace == "first second third told 431 ");
    CHECK(t.response.status() == 431);
    CHECK(t.response.body() == R"({"error":"too large"})");
    CHECK(t.response.header("X-Seen") == "yes");
}

TEST_CASE("handling: what a handler ends with when its client has gone") {
    auto aborted = std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
    auto fault = std::make_exception_ptr(std::runtime_error("fault"));
    struct Case {
        std::exception_ptr failure;
        bool here, begun;
        int status;
        std::string log;
    };
    for (const Case& c : {
             Case{nullptr, false, false, 200, ""},
             Case{aborted, false, false, 499, ""},
             Case{aborted, false, true, 200, ""},
             Case{aborted, true, false, 500, "Operation canceled"},
             Case{fault, false, false, 500, "fault"},
         }) {
        Handled t;
        t.chain.add(make_step([](Context&) -> Task<> { co_return; }));
        REQUIRE(t.begin() == Need::coroutine);
        (void)t.handling.take_coroutine();
        t.exchange.here = c.here;
        t.handling.end(c.failure);
        std::string log = t.handling.conclude(c.begun);
        CHECK(log.substr(0, c.log.size()) == c.log);
        CHECK(log.empty() == c.log.empty());
        CHECK(t.response.status() == c.status);
    }
}

TEST_CASE("handling: who asks is told that the client has gone, the others too where one throws") {
    Handled t;
    t.chain.add(make_step([&](Context& c) {
        c.on_disconnect([&] { t.trace += "one "; });
        c.on_disconnect([] { throw std::runtime_error("fault"); });
        c.on_disconnect([&] { t.trace += "three "; });
    }));
    t.chain.add(make_step([&](Context& c) -> Task<> {
        c.on_disconnect([&] { t.trace += "at once "; });
        co_return;
    }));
    REQUIRE(t.begin() == Need::coroutine);
    t.exchange.here = false;
    CHECK(t.handling.disconnect() == "fault");
    CHECK(t.trace == "three one ");
    CHECK(t.handling.disconnect().empty());
    (void)t.handling.take_coroutine();
}
