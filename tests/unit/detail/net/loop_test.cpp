#include "catch.hpp"
#include <kvolt/detail/core/prefetch.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/loops.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

using kvolt::detail::Deadline;
using kvolt::detail::Link;
using kvolt::detail::Loop;
using kvolt::detail::Unit;
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

TEST_CASE("what is ready while much is to be sent goes along, and little goes at once") {
    struct Receiver final : Link {
        using Link::Link;
        void flush() override {
            outbox().flush(loop().outgoing(), [&](const auto& buffers) {
                ++sends;
                bytes += boost::asio::buffer_size(buffers);
                return boost::asio::buffer_size(buffers);
            });
        }
        void shut_down() override {}
        void abort() noexcept override {}
        void abandon() override {}
        void shed() override {}

        int sends = 0;
        std::size_t bytes = 0;
    };
    bool much = GENERATE(false, true);
    Loop loop;
    std::list<Receiver> receivers;
    for (int i = 0; i < (much ? 100 : 3); ++i) receivers.emplace_back(loop);
    auto send_to_all = [&] {
        std::size_t begin = loop.begin_append();
        loop.outgoing() += "message";
        for (Receiver& receiver : receivers) receiver.send(begin, loop.outgoing().size(), Unit::frame);
    };
    boost::asio::post(loop.io(), [&] {
        send_to_all();
        boost::asio::post(loop.io(), send_to_all);  // behind the flush, as what Asio finds ready before that
    });
    loop.io().poll();
    for (const Receiver& receiver : receivers) {
        CHECK(receiver.sends == (much ? 1 : 2));
        CHECK(receiver.bytes == 14);
    }
}

TEST_CASE("anything may be prefetched, also nothing") {
    kvolt::detail::prefetch(nullptr, 256);
    SUCCEED();
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

TEST_CASE("the end of a loop's turns waits for work that is on its way, but not without end") {
    Loop loop;
    loop.stop_clock();
    Loop::OnThisThread scope(loop);
    auto run_some = [&] {
        for (int i = 0; i < 10; ++i) loop.io().poll_one();
    };
    bool ended = false;
    std::optional<Loop::Work> work(std::in_place, loop), more(std::in_place, loop);
    CHECK_FALSE(loop.ending());
    loop.end_turns(1s, [&] { ended = true; });
    CHECK(loop.ending());
    run_some();
    CHECK_FALSE(ended);
    Loop::Work moved(std::move(*work));
    work.reset();
    run_some();
    CHECK_FALSE(ended);
    SECTION("until it is gone") {
        more.reset();
        { Loop::Work last(std::move(moved)); }
        run_some();
        CHECK(ended);
    }
    SECTION("or the time is up") {
        loop.move_clock(2s);
        run_some();
        CHECK(ended);
    }
}

TEST_CASE("loops know which are theirs") {
    kvolt::detail::Loops loops, others;
    loops.reserve(2);
    for (int i = 0; i < 2; ++i) loops.push_back(std::make_unique<Loop>());
    others.push_back(std::make_unique<Loop>());
    for (const auto& loop : loops) CHECK(loops.has(*loop));
    CHECK_FALSE(loops.has(*others.front()));
    CHECK(loops.size() == 2);
    CHECK(loops.front() == loops.at(0));
}
