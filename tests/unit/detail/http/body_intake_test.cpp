#include "catch.hpp"
#include <kvolt/detail/http/body_intake.hpp>
#include <kvolt/detail/http/request_reader.hpp>
#include <kvolt/detail/net/budget.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>

#include <boost/asio/buffer.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

using kvolt::Limits;
using kvolt::Request;
using kvolt::detail::BodyIntake;
using kvolt::detail::Budget;
using kvolt::detail::Loop;
using kvolt::detail::RequestReader;
using namespace std::chrono_literals;

namespace {

struct Owner : kvolt::detail::Deadline {
    void on_deadline() override { ++woken; }

    int woken = 0;
};

// A connection whose request's head has come.
struct Incoming {
    Incoming(Loop& loop, const Limits& limits, std::size_t size, bool in_parts = false)
        : limits_(limits), reader(request, limits_), body(loop, limits_, reader, request, owner) {
        begin(size, in_parts);
    }

    void begin(std::size_t size, bool in_parts) {
        receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
        REQUIRE_FALSE(reader.parse_head());
        body.begin(in_parts);
    }

    // Another request behind that.
    void next(std::size_t size) {
        body.end();
        reader.next();
        begin(size, false);
    }

    void receive(std::string_view bytes) {
        while (!bytes.empty()) {
            std::size_t size = boost::asio::buffer_copy(reader.prepare(), boost::asio::buffer(bytes));
            reader.commit(size);
            bytes.remove_prefix(size);
            if (reader.stage() == RequestReader::Stage::body && !bytes.empty()) body.parse();
        }
    }

    bool send(std::string_view bytes) {
        receive(bytes);
        return body.parse();
    }

    const Limits limits_;
    Owner owner;
    Request request;
    RequestReader reader;
    BodyIntake body;
};

struct Kept : Loop {
    explicit Kept(std::size_t most) : budget(std::make_shared<Budget>(most)) {
        join(std::make_shared<Budget>(1000), budget);
        stop_clock();
    }

    void wait(std::chrono::milliseconds time) { move_clock(time); }

    std::shared_ptr<Budget> budget;
};

const std::string kilo(1024, 'x');

std::string kilos(std::size_t count) {
    std::string text;
    while (count-- > 0) text += kilo;
    return text;
}

}  // namespace

TEST_CASE("body intake: a body is there when it is whole, or known never to be") {
    Kept loop(100'000);
    Limits limits;
    Incoming one(loop, limits, 5);
    CHECK(one.body.to_come());
    CHECK(one.send("hel"));
    CHECK(one.body.to_come());
    CHECK(one.send("lo"));
    CHECK_FALSE(one.body.to_come());
    CHECK(one.request.body() == "hello");

    limits.body_size = 4;
    Incoming large(loop, limits, 5);
    CHECK(large.body.to_come());
    CHECK_FALSE(large.body.parse());
    CHECK(large.body.failure()->status == 413);

    Incoming in_parts(loop, limits, 5, true);
    CHECK_FALSE(in_parts.body.to_come());
    CHECK(in_parts.send("hello"));
    CHECK_FALSE(Incoming(loop, limits, 0).body.to_come());
}

TEST_CASE("body intake: only the client's time counts") {
    Kept loop(100'000);
    Limits limits;
    limits.body_grace = 1s;
    limits.body_rate = 1024;
    Incoming one(loop, limits, 10'000);
    loop.wait(5s);  // middleware
    one.body.resume();
    CHECK(one.body.due() == loop.now() + Loop::ticks(1s) + Loop::ticks(0s));
    loop.wait(500ms);
    CHECK(one.body.waited() == 5);
    one.body.pause();
    one.send(kilo);
    loop.wait(3s);
    CHECK(one.body.waited() == 5);
    one.body.resume();
    CHECK(one.body.due() == loop.now() + Loop::ticks(1s) + Loop::ticks(1s) - 5);  // what has come is earned
    loop.wait(1s);
    CHECK(one.body.waited() == 15);
}

TEST_CASE("body intake: past the budget the slowest and largest goes, and is told why") {
    Kept loop(54 * 1024);
    Limits limits;
    Incoming large(loop, limits, 20 * 1024), small(loop, limits, 16 * 1024), other(loop, limits, 20 * 1024);
    CHECK(large.send(kilos(15)));
    CHECK(small.send(kilos(6)));
    CHECK(other.send(kilos(15)));
    CHECK(loop.budget->used() <= 54 * 1024);

    SECTION("the largest") {
        CHECK(small.send(kilos(7)));
        CHECK((large.body.failure() || other.body.failure()));
        CHECK_FALSE(small.body.failure());
        Incoming& shed = large.body.failure() ? large : other;
        CHECK(shed.body.failure()->status == 503);
        CHECK(shed.request.body().empty());
        CHECK(shed.body.to_come());
        CHECK(loop.budget->used() <= 54 * 1024);
        loop.wait(1s);
        CHECK(shed.owner.woken == 0);  // which the loop, when it runs, would do
    }
    SECTION("the slowest of two") {
        loop.wait(10s);
        Incoming late(loop, limits, 30 * 1024);
        CHECK(late.send(kilos(16)));
        CHECK_FALSE(late.body.failure());
        CHECK((large.body.failure() || other.body.failure()));
    }
    SECTION("but none that is whole") {
        CHECK(large.send(kilos(5)));
        CHECK(other.send(kilos(5)));
        CHECK_FALSE(small.send(kilos(7)));
        CHECK(small.body.failure()->status == 503);
        CHECK_FALSE(large.body.failure());
        CHECK_FALSE(other.body.failure());
        Incoming one_more(loop, limits, 20 * 1024);
        CHECK_FALSE(one_more.send(kilos(8)));
        large.body.end();
        Incoming then(loop, limits, 20 * 1024);
        CHECK(then.send(kilos(6)));
    }
}

TEST_CASE("body intake: a body counts whatever came before it on its connection") {
    for (std::size_t before : {std::size_t{0}, std::size_t{1}, std::size_t{6 * 1024}}) {
        Kept loop(20 * 1024);
        Incoming one(loop, Limits(), before);
        CHECK(one.send(std::string(before, 'x')));
        one.next(16 * 1024);
        CHECK(one.send(kilos(12)));
        Incoming other(loop, Limits(), 16 * 1024);
        other.send(kilos(10));
        CHECK((one.body.failure() || other.body.failure()));
        CHECK(loop.budget->used() <= 20 * 1024);
        if (one.body.failure()) CHECK_FALSE(other.body.failure());
    }
}

TEST_CASE("body intake: what is kept is given back, also where a connection just goes") {
    Kept loop(100 * 1024);
    Limits limits;
    {
        Incoming one(loop, limits, 20 * 1024), two(loop, limits, 10 * 1024);
        CHECK(one.send(kilos(10)));
        CHECK(two.send(kilos(10)));
        CHECK(loop.budget->used() >= 20 * 1024);
    }
    CHECK(loop.budget->used() == 0);
}
