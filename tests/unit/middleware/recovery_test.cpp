#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/recovery.hpp>

#include <stdexcept>
#include <string>

using kvolt::Context;
using kvolt::HttpError;
using kvolt::Task;
using kvolt::middleware::recovery;
using kvolt::middleware::RecoveryOptions;
using test::Fixture;

namespace {

void sorry(std::exception_ptr failure, Context& c) {
    c.status(503);
    c.text("sorry: " + kvolt::detail::describe(failure));
}

void fail(Context& c) {
    c.header("ETag", "\"1\"");
    c.text("half an answer");
    throw std::runtime_error("db");
}

}  // namespace

TEST_CASE("recovery answers in place of the 500") {
    Fixture f;
    CHECK(f.serve(recovery(sorry), fail).empty());
    CHECK(f.response.status() == 503);
    CHECK(f.response.body() == "sorry: db");
    CHECK(f.response.header("ETag").empty());
}

TEST_CASE("recovery works for coroutines, and leaves alone what does not fail") {
    Fixture f, fine;
    CHECK(f.serve(recovery(sorry), [](Context&) -> Task<> {
               throw std::runtime_error("co");
               co_return;
           }).empty());
    CHECK(f.response.body() == "sorry: co");
    CHECK(fine.serve(recovery(sorry), [](Context& c) { c.text("fine"); }).empty());
    CHECK(fine.response.body() == "fine");
}

TEST_CASE("a recovery that says nothing answers 500") {
    Fixture f;
    CHECK(f.serve(recovery([](std::exception_ptr, Context&) {}), fail).empty());
    CHECK(f.response.status() == 500);
    CHECK(f.response.body().empty());
}

TEST_CASE("an HttpError passes recovery unless it is asked for") {
    auto handler = [](Context&) { throw HttpError(404, "no such user"); };
    Fixture passed, caught;
    CHECK(passed.serve(recovery(sorry), handler).empty());
    CHECK(passed.response.status() == 404);
    CHECK(passed.response.body() == R"({"error":"no such user"})");
    CHECK(caught.serve(recovery(sorry, RecoveryOptions().http_errors()), handler).empty());
    CHECK(caught.response.body() == "sorry: no such user");
}

TEST_CASE("the inner recovery is asked first, and may throw on") {
    auto rethrow = [](std::exception_ptr failure, Context&) { std::rethrow_exception(failure); };
    auto translate = [](std::exception_ptr, Context&) { throw HttpError(409, "taken"); };
    Fixture outer, server, translated;
    CHECK(outer.serve(recovery(sorry), recovery(rethrow), fail).empty());
    CHECK(outer.response.body() == "sorry: db");
    CHECK(server.serve(recovery(rethrow), fail) == "db");
    CHECK(server.response.status() == 500);
    CHECK(translated.serve(recovery(sorry), recovery(translate), fail).empty());
    CHECK(translated.response.status() == 409);
}

TEST_CASE("after an upgrade recovery can report") {
    Fixture f;
    f.ask_for_websocket();
    std::string reported;
    auto report = [&](std::exception_ptr failure, Context& c) {
        reported = kvolt::detail::describe(failure);
        CHECK(c.upgraded());
    };
    CHECK(f.serve(recovery(report), [](Context& c) -> Task<> {
               co_await c.upgrade();
               throw std::runtime_error("in the socket");
           }).empty());
    CHECK(reported == "in the socket");
}
