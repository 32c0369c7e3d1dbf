#include "catch.hpp"
#include <kvolt/detail/core/deadline_wheel.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

using kvolt::detail::Deadline;
using kvolt::detail::DeadlineWheel;
using kvolt::detail::Tick;

namespace {

struct Alarm final : Deadline {
    explicit Alarm(DeadlineWheel& of) : wheel(of) {}

    DeadlineWheel& wheel;
    std::vector<Tick> fired;
    std::function<void()> then = [] {};

private:
    void on_deadline() override {
        fired.push_back(wheel.now());
        then();
    }
};

using Ticks = std::vector<Tick>;

void tick_to(DeadlineWheel& wheel, Tick end) {
    for (Tick now = wheel.now(); now < end;) wheel.advance(++now);
}

}  // namespace

TEST_CASE("a deadline fires once, in its tick") {
    for (Tick due :
         {Tick(1), Tick(2), Tick(511), Tick(512), Tick(513), Tick(1023), Tick(1024), Tick(1025), Tick(5000)}) {
        CAPTURE(due);
        DeadlineWheel wheel;
        Alarm alarm(wheel);
        wheel.arm(alarm, due);
        CHECK(alarm.armed());
        tick_to(wheel, due - 1);
        CHECK(alarm.fired.empty());
        tick_to(wheel, due + 2000);
        CHECK(alarm.fired == Ticks{due});
        CHECK_FALSE(alarm.armed());
    }
}

TEST_CASE("a deadline in the past fires in the next tick") {
    DeadlineWheel wheel;
    wheel.advance(1000);
    Alarm past(wheel), now(wheel);
    wheel.arm(past, 3);
    wheel.arm(now, 1000);
    CHECK(past.fired.empty());
    wheel.advance(1001);
    CHECK(past.fired == Ticks{1001});
    CHECK(now.fired == Ticks{1001});
}

TEST_CASE("a deadline that is moved fires only at its last place") {
    DeadlineWheel wheel;
    Alarm later(wheel), sooner(wheel), often(wheel);
    wheel.arm(later, 10);
    wheel.arm(later, 20);
    wheel.arm(sooner, 20);
    wheel.arm(sooner, 10);
    for (Tick now = 0; now < 2000; ++now) {
        wheel.arm(often, wheel.now() + 100);
        wheel.advance(now + 1);
    }
    CHECK(later.fired == Ticks{20});
    CHECK(sooner.fired == Ticks{10});
    CHECK(often.fired.empty());
    tick_to(wheel, 3000);
    CHECK(often.fired == Ticks{2099});
}

TEST_CASE("a deadline that is disarmed or destroyed does not fire") {
    DeadlineWheel wheel;
    Alarm disarmed(wheel);
    auto destroyed = std::make_unique<Alarm>(wheel);
    Alarm stays(wheel);
    bool fired = false;
    destroyed->then = [&] { fired = true; };
    for (Alarm* alarm : {&disarmed, destroyed.get(), &stays}) wheel.arm(*alarm, 5);
    disarmed.disarm();
    CHECK_FALSE(disarmed.armed());
    disarmed.disarm();
    destroyed.reset();
    tick_to(wheel, 1000);
    CHECK(disarmed.fired.empty());
    CHECK_FALSE(fired);
    CHECK(stays.fired == Ticks{5});
}

TEST_CASE("a deadline may arm itself again when it fires") {
    DeadlineWheel wheel;
    Alarm alarm(wheel);
    alarm.then = [&] { wheel.arm(alarm, wheel.now() + (alarm.fired.size() == 1 ? 0 : 512)); };
    wheel.arm(alarm, 1);
    tick_to(wheel, 1100);
    CHECK(alarm.fired == Ticks{1, 2, 514, 1026});
}

TEST_CASE("a deadline that fires may arm, disarm and destroy others of its tick, and itself") {
    DeadlineWheel wheel;
    Alarm first(wheel), disarmed(wheel), moved(wheel), last(wheel);
    auto destroyed = std::make_unique<Alarm>(wheel);
    bool destroyed_fired = false;
    destroyed->then = [&] { destroyed_fired = true; };
    auto self = std::make_unique<Alarm>(wheel);
    self->then = [&] { self.reset(); };
    first.then = [&] {
        disarmed.disarm();
        destroyed.reset();
        wheel.arm(moved, 9);
    };
    for (Alarm* alarm : {&first, &disarmed, destroyed.get(), &moved, self.get(), &last}) wheel.arm(*alarm, 5);
    tick_to(wheel, 100);
    CHECK(first.fired == Ticks{5});
    CHECK(disarmed.fired.empty());
    CHECK_FALSE(destroyed_fired);
    CHECK(moved.fired == Ticks{9});
    CHECK(self == nullptr);
    CHECK(last.fired == Ticks{5});
}

TEST_CASE("after a pause all that became due fires at once, and nothing else") {
    DeadlineWheel wheel;
    Alarm due(wheel), due_now(wheel), not_yet(wheel), much_later(wheel);
    wheel.arm(due, 100);
    wheel.arm(due_now, 1000000);
    wheel.arm(not_yet, 1000001);
    wheel.arm(much_later, 1000600);
    wheel.advance(1000000);
    CHECK(due.fired.size() == 1);
    CHECK(due_now.fired == Ticks{1000000});
    CHECK(not_yet.fired.empty());
    CHECK(much_later.fired.empty());
    CHECK(wheel.now() == 1000000);
    tick_to(wheel, 1001000);
    CHECK(not_yet.fired == Ticks{1000001});
    CHECK(much_later.fired == Ticks{1000600});
}

TEST_CASE("time does not go back") {
    DeadlineWheel wheel;
    Alarm alarm(wheel);
    wheel.advance(100);
    wheel.arm(alarm, 101);
    wheel.advance(50);
    wheel.advance(100);
    CHECK(wheel.now() == 100);
    CHECK(alarm.fired.empty());
}

TEST_CASE("a deadline may outlive its wheel") {
    auto wheel = std::make_unique<DeadlineWheel>();
    Alarm one(*wheel), two(*wheel);
    wheel->arm(one, 5);
    wheel->arm(two, 5);
    wheel.reset();
    one.disarm();
    two.disarm();
    CHECK(one.fired.empty());
}

// Against a model that is too simple to be wrong.
TEST_CASE("a wheel does the same as a map of deadlines") {
    for (unsigned seed = 0; seed < 50; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        auto below = [&](unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(random); };
        DeadlineWheel wheel;
        std::deque<Alarm> alarms;
        for (int i = 0; i < 20; ++i) alarms.emplace_back(wheel);
        std::map<Alarm*, Tick> model;
        for (int step = 0; step < 1000; ++step) {
            Alarm& alarm = alarms[below(20)];
            if (below(10) == 0) {
                alarm.disarm();
                model.erase(&alarm);
            } else if (below(2)) {
                Tick due = wheel.now() + below(below(5) ? 100 : 3000);
                wheel.arm(alarm, due);
                model[&alarm] = std::max(due, wheel.now() + 1);
            } else {
                Tick now = wheel.now() + below(below(10) ? 20 : 2000);
                wheel.advance(now);
                for (Alarm& each : alarms) {
                    auto armed = model.find(&each);
                    bool due = armed != model.end() && armed->second <= now;
                    REQUIRE(each.fired.size() == (due ? 1u : 0u));
                    if (due) model.erase(armed);
                    each.fired.clear();
                }
            }
            REQUIRE(alarm.armed() == model.contains(&alarm));
        }
    }
}
