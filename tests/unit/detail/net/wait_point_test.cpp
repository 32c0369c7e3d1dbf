#include "catch.hpp"
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/wait_point.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <string>

using kvolt::Task;
using kvolt::detail::Loop;
using kvolt::detail::WaitPoint;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

struct WaitFixture {
    // What became of the wait: "waits", "woken" or an error's text.
    void wait() {
        boost::asio::co_spawn(loop.executor(), waiting(), [this](std::exception_ptr failure) {
            result = "woken";
            try {
                if (failure) std::rethrow_exception(failure);
            } catch (const boost::system::system_error& error) {
                result = error.code() == boost::asio::error::operation_aborted ? "aborted" : "another error";
            }
        });
        run();
    }

    Task<> waiting() { co_await point->wait(loop, point); }

    void run() {
        loop.io().restart();
        loop.io().poll();
    }

    Loop loop;
    std::shared_ptr<WaitPoint<>> point = std::make_shared<WaitPoint<>>();
    std::string result = "waits";
};

}  // namespace

TEST_CASE("a wait ends when it is woken, now or later, and can be had again") {
    WaitFixture f;
    f.point->wake_now();  // nobody
    f.point->wake_later(f.loop);
    for (bool now : {true, false}) {
        f.result = "waits";
        f.wait();
        CHECK(f.point->waiting());
        CHECK(f.result == "waits");
        now ? f.point->wake_now() : f.point->wake_later(f.loop);
        CHECK_FALSE(f.point->waiting());
        if (!now) CHECK(f.result == "waits");
        f.run();
        CHECK(f.result == "woken");
    }
}

TEST_CASE("a wait can be woken with an error") {
    WaitFixture f;
    f.wait();
    f.point->wake_now(boost::asio::error::operation_aborted);
    f.run();
    CHECK(f.result == "aborted");
}

TEST_CASE("a wait that is cancelled leaves the place for the next one") {
    WaitFixture f;
    boost::asio::steady_timer timer(f.loop.executor(), std::chrono::milliseconds(1));
    boost::asio::co_spawn(
        f.loop.executor(), [&]() -> Task<> { co_await (f.waiting() || timer.async_wait(boost::asio::use_awaitable)); },
        [&](std::exception_ptr) { f.loop.io().stop(); });
    f.loop.io().run();
    CHECK_FALSE(f.point->waiting());
    f.wait();
    f.point->wake_now();
    f.run();
    CHECK(f.result == "woken");
}

TEST_CASE("what waits when its loop has ended is destroyed, not woken") {
    auto witness = std::make_shared<int>();
    Loop loop;
    auto point = std::make_shared<WaitPoint<>>();
    boost::asio::co_spawn(
        loop.executor(), [&, witness]() -> Task<> { co_await point->wait(loop, point); }, [](std::exception_ptr) {});
    loop.io().poll();
    CHECK(witness.use_count() > 1);
    loop.close();
    point->wake_later(loop);
    loop.clear();
    CHECK(witness.use_count() == 1);
}
