#include "catch.hpp"
#include "client_of.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>

#include <cstddef>
#include <string>

using kvolt::Context;
using kvolt::Task;

namespace {

// What one client has got done when another one, who comes after it with a single message, has its answer.
std::size_t done_before(std::size_t count, const std::string& message) {
    kvolt::App app;
    std::size_t done = 0, then = 0;
    app.limits({.message_size = 1024 * 1024});
    app.get("/flood", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (co_await socket.read()) ++done;
    });
    app.get("/calm", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (auto asked = co_await socket.read()) {
            then = done;
            socket.send(*asked);
        }
    });
    auto client = test::client_of(app);
    auto flood = client.websocket("/flood").connect(), calm = client.websocket("/calm").connect();
    for (std::size_t i = 0; i < count; ++i) flood.send(message);
    calm.send("me, too");
    REQUIRE(calm.read_text() == "me, too");
    client.settle();
    CHECK(done == count);
    return then;
}

}  // namespace

TEST_CASE("fairness: a flood of tiny messages takes turns with others") { CHECK(done_before(100000, "x") < 10000); }

TEST_CASE("fairness: a flood of empty messages does") { CHECK(done_before(100000, "") < 10000); }

TEST_CASE("fairness: so do large messages") { CHECK(done_before(20, std::string(1024 * 1024, 'x')) < 2); }
