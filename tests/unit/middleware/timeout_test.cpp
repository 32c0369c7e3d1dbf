#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/timeout.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <stdexcept>
#include <string>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::timeout;
using test::Fixture;
using namespace std::chrono_literals;

namespace {

Task<> wait(Context& c, std::chrono::milliseconds time) {
    boost::asio::steady_timer timer(c.executor(), time);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace

TEST_CASE("a handler that takes too long is cancelled, and the answer is 503") {
    Fixture f;
    bool went_on = false;
    f.serve(timeout(100ms), [&](Context& c) -> Task<> {
        c.text("half");
        co_await wait(c, 1h);
        went_on = true;
    });
    CHECK(f.response.status() == 503);
    CHECK(f.response.body() == R"({"error":"Service Unavailable"})");
    CHECK_FALSE(went_on);
}

TEST_CASE("a handler in time is left alone, whatever comes of it") {
    Fixture plain, coroutine, error;
    plain.serve(timeout(1h), [](Context& c) { c.text("plain"); });
    coroutine.serve(timeout(1h), [](Context& c) -> Task<> {
        co_await wait(c, 1ms);
        c.text("coroutine");
    });
    CHECK(error.serve(timeout(1h), [](Context&) { throw std::runtime_error("oops"); }) == "oops");
    CHECK(plain.response.body() == "plain");
    CHECK(coroutine.response.body() == "coroutine");
    CHECK(error.response.status() == 500);
}

TEST_CASE("a handler that gets over its cancellation may still answer") {
    Fixture f;
    f.serve(timeout(100ms), [](Context& c) -> Task<> {
        try {
            co_await wait(c, 1h);
        } catch (const boost::system::system_error&) {
            c.text("what I have so far");
        }
    });
    CHECK(f.response.status() == 200);
    CHECK(f.response.body() == "what I have so far");
}

TEST_CASE("of two timeouts, the shorter one counts, inside or outside") {
    auto handler = [](Context& c) -> Task<> { co_await wait(c, 1h); };
    Fixture inner, outer;
    inner.serve(timeout(1h), timeout(100ms), handler);
    outer.serve(timeout(100ms), timeout(1h), handler);
    CHECK(inner.response.status() == 503);
    CHECK(outer.response.status() == 503);
}

TEST_CASE("an upgraded connection has no limit by it") {
    Fixture f;
    f.ask_for_websocket();
    bool went_on = false;
    CHECK(f.serve(timeout(100ms), [&](Context& c) -> Task<> {
               co_await c.upgrade();
               co_await wait(c, 500ms);
               went_on = true;
           }).empty());
    CHECK(went_on);
}
