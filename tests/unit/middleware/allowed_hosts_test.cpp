#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/middleware/allowed_hosts.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::allowed_hosts;
using test::Fixture;

TEST_CASE("only who calls the server by an allowed name is answered, upgrades included") {
    const std::vector<std::string> hosts = {"Example.com", "*.example.com", "localhost:8080",
                                            "127.0.0.1",   "[::1]",         "secure.example:443"};
    struct Case {
        std::string host;
        bool tls, allowed;
    };
    for (const Case& c : {
             Case{"example.com", false, true},
             Case{"example.com:8080", false, true},
             Case{"EXAMPLE.COM.", false, true},
             Case{"www.example.com:1", true, true},
             Case{"localhost:8080", false, true},
             Case{"127.0.0.1", false, true},
             Case{"[::1]:8080", false, true},
             Case{"secure.example", true, true},
             Case{"secure.example", false, false},
             Case{"localhost", false, false},
             Case{"localhost:80", false, false},
             Case{"evil.example", false, false},
             Case{"example.com.evil.example", false, false},
             Case{"evilexample.com", false, false},
             Case{"127.0.0.2", false, false},
             Case{"", false, false},
             Case{"a b", false, false},
         }) {
        INFO(c.host);
        Fixture plain, upgrade;
        for (Fixture* f : {&plain, &upgrade}) {
            f->exchange.name = c.host;
            f->exchange.tls = c.tls;
        }
        upgrade.ask_for_websocket();
        plain.serve(allowed_hosts(hosts), [](Context& of) { of.text("here"); });
        CHECK(plain.response.status() == (c.allowed ? 200 : 421));
        CHECK(plain.response.body() == (c.allowed ? "here" : R"({"error":"Misdirected Request"})"));
        upgrade.serve(allowed_hosts(hosts), [](Context& of) -> Task<> { co_await of.upgrade(); });
        CHECK(upgrade.context().upgraded() == c.allowed);
        CHECK(upgrade.response.status() == (c.allowed ? 200 : 421));
    }
}

TEST_CASE("what is no host is refused at setup") {
    CHECK_THROWS_AS(allowed_hosts({}), std::invalid_argument);
    for (std::string bad : {"", "*", "*.com", "http://example.com", "example.com/", "a b", "example.com:x", "::1"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(allowed_hosts({bad}), std::invalid_argument);
    }
}
