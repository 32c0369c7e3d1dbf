#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/middleware/rate_limit.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::rate_limit;
using kvolt::middleware::RateLimitOptions;
using test::Fixture;
using namespace std::chrono_literals;

TEST_CASE("who asks too often gets 429, and is told when to come back") {
    RateLimitOptions::Clock::time_point now{};
    auto limit = rate_limit(RateLimitOptions().rate(60, 1min).burst(2).clock([&] { return now; }));
    auto ask = [&](std::string address = "192.0.2.1:1234") {
        auto f = std::make_unique<Fixture>();
        f->exchange.address = std::move(address);
        f->serve(limit, [](Context& c) { c.text("ok"); });
        return f;
    };
    auto first = ask();
    CHECK(first->response.body() == "ok");
    CHECK(first->response.header("RateLimit-Limit") == "2");
    CHECK(first->response.header("RateLimit-Remaining") == "1");
    CHECK(first->response.header("RateLimit-Reset") == "1");
    CHECK(ask("192.0.2.1:9999")->response.header("RateLimit-Remaining") == "0");
    auto refused = ask();
    CHECK(refused->response.status() == 429);
    CHECK(refused->response.body() == R"({"error":"Too Many Requests"})");
    CHECK(refused->response.header("Retry-After") == "1");
    CHECK(refused->response.header("RateLimit-Remaining") == "0");
    CHECK(refused->response.header("RateLimit-Reset") == "2");
    CHECK(ask("192.0.2.2:1234")->response.status() == 200);
    now += 1s;
    CHECK(ask()->response.status() == 200);
    CHECK(ask()->response.status() == 429);
}

TEST_CASE("a client is its address without the port, and of IPv6 its network") {
    struct Case {
        std::string address, client, network;
    };
    for (const Case& c : {
             Case{"192.0.2.1:1234", "192.0.2.1", ""},
             Case{"192.0.2.1", "192.0.2.1", ""},
             Case{"[::ffff:192.0.2.1]:80", "192.0.2.1", ""},
             Case{"[2001:db8:1:2:3:4:5:6]:80", "2001:db8:1:2::/64", "2001:db8:1::/48"},
             Case{"[2001:db8:1:2::]:80", "2001:db8:1:2::/64", "2001:db8:1::/48"},
             Case{"2001:db8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"},
             Case{"[fe80::1%eth0]:80", "fe80::/64", "fe80::/48"},
             Case{"fe80::1%eth0", "fe80::/64", "fe80::/48"},
             Case{"[::1]:80", "::/64", "::/48"},
             Case{"unix", "unix", ""},
             Case{"%", "%", ""},
             Case{"", "", ""},
         }) {
        INFO(c.address);
        auto key = kvolt::middleware::detail::rate_limit_key(c.address);
        CHECK(key.client == c.client);
        CHECK(key.network == c.network);
    }
}

TEST_CASE("the limit cannot be washed out by many networks") {
    // Each /64 of them once and once again: those of one /48, and one of many /48s.
    for (bool one_network : {true, false}) {
        RateLimitOptions::Clock::time_point now{};
        auto limit = rate_limit(RateLimitOptions().rate(1, 1h).clients(100).clock([&] { return now; }));
        int allowed = 0;
        for (int round = 0; round < 2; ++round)
            for (int i = 0; i < 101; ++i) {
                Fixture f;
                std::string number = std::to_string(i + 1000);
                f.exchange.address =
                    one_network ? "[2001:db8:1:" + number + "::1]:80" : "[2001:db8:" + number + "::1]:80";
                f.serve(limit);
                allowed += f.response.status() == 200;
            }
        CHECK(allowed == (one_network ? 25 + 1 : 100 + 1));
        // IPv4 clients find room beside a /48, but then share what all newcomers have.
        Fixture f;
        f.serve(limit);
        CHECK(f.response.status() == (one_network ? 200 : 429));
    }
    CHECK(RateLimitOptions().networks() == 256);
    CHECK(RateLimitOptions().clients(1000).networks(300).networks() == 250);
    CHECK(RateLimitOptions().clients(1).networks() == 1);
}

TEST_CASE("a function may choose the key, and leave clients without limit") {
    auto limit = rate_limit(
        RateLimitOptions().rate(1, 1h).key([](Context& c) { return std::string(c.header("X-User")); }).fields(false));
    auto ask = [&](std::string_view user) {
        Fixture f;
        f.request.add_field("X-User", user);
        f.serve(limit);
        CHECK(f.response.header("RateLimit-Limit").empty());
        return f.response.status();
    };
    CHECK(ask("ann") == 200);
    CHECK(ask("ann") == 429);
    CHECK(ask("bob") == 200);
    CHECK(ask("") == 200);
    CHECK(ask("") == 200);
}

TEST_CASE("rate_limit guards an upgrade") {
    auto limit = rate_limit(RateLimitOptions().rate(1, 1h));
    for (int status : {200, 429}) {
        Fixture f;
        f.ask_for_websocket();
        f.serve(limit, [](Context& c) -> Task<> { co_await c.upgrade(); });
        CHECK(f.response.status() == status);
        CHECK(f.context().upgraded() == (status == 200));
    }
}

TEST_CASE("a rate of nothing is refused at setup") {
    CHECK_THROWS_AS(RateLimitOptions().rate(0, 1s), std::invalid_argument);
    CHECK_THROWS_AS(RateLimitOptions().rate(1, 0s), std::invalid_argument);
    CHECK_THROWS_AS(RateLimitOptions().burst(0), std::invalid_argument);
    CHECK_THROWS_AS(RateLimitOptions().clients(0), std::invalid_argument);
    CHECK_THROWS_AS(RateLimitOptions().networks(0), std::invalid_argument);
}
