#include "catch.hpp"
#include <kvolt/detail/loop.hpp>

#include <chrono>

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
