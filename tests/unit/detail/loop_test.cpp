#include "catch.hpp"
#include <kvolt/detail/loop.hpp>

#include <boost/asio/post.hpp>

#include <chrono>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

using kvolt::detail::Deadline;
using kvolt::detail::Loop;
using namespace std::chrono_literals;

namespace {

struct Counter final : Deadline {
    explicit Counter(Loop& of) : loop(of) {}
    void on_deadline() override {
        ++count;
        on_loop = Loop::current() == &loop;
    }

    Loop& loop;
    int count = 0;
    bool on_loop = false;
};

}  // namespace

TEST_CASE("a stopped clock moves only by hand, and deadlines with it") {
    Loop loop;
    loop.stop_clock();
    auto begin = loop.now();
    Counter counter(loop);
    loop.arm(counter, 1s);
    loop.move_clock(1s);
    CHECK(loop.now() == begin + 10);
    CHECK(counter.count == 0);
    loop.move_clock(200ms);
    CHECK(loop.now() == begin + 12);
    CHECK(counter.count == 1);
    CHECK(counter.on_loop);
    CHECK(Loop::current() == nullptr);
    loop.move_clock(1h);
    CHECK(counter.count == 1);
    CHECK(loop.now() == begin + 12 + 36000);
}

TEST_CASE("what is woken comes in this turn, one after the other, whatever leaves one of them") {
    struct Woken final : Deadline {
        explicit Woken(std::function<void()> function) : call(std::move(function)) {}
        void on_deadline() override { call(); }
        std::function<void()> call;
    };
    Loop loop;
    std::string order;
    Woken last([&] { order += 'd'; });
    Woken first([&] {
        order += 'a';
        loop.wake(last);
    });
    Woken starved([&] {
        order += 'b';
        throw std::bad_alloc();
    });
    Woken broken([&] {
        order += 'c';
        throw std::runtime_error("broken");
    });
    Woken late([&] { order += 'e'; }), gone([&] { order += 'x'; });
    for (Deadline* each :
         {static_cast<Deadline*>(&first), static_cast<Deadline*>(&starved), static_cast<Deadline*>(&broken),
          static_cast<Deadline*>(&late), static_cast<Deadline*>(&gone)})
        loop.wake(*each);
    gone.disarm();
    CHECK(order.empty());
    CHECK_THROWS_AS(loop.io().poll(), std::runtime_error);
    CHECK(order == "abc");
    loop.io().poll();
    CHECK(order == "abcde");
    CHECK_FALSE(late.armed());
}

TEST_CASE("a loop goes on when a function on it runs out of memory") {
    Loop loop;
    bool after = false;
    boost::asio::post(loop.io(), [] { throw std::bad_alloc(); });
    boost::asio::post(loop.io(), [&] {
        after = true;
        loop.stop();
    });
    CHECK_NOTHROW(loop.run());
    CHECK(after);
}
