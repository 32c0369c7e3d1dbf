#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/middleware/basic_auth.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::basic_auth;
using kvolt::middleware::BasicUser;
using test::Fixture;

namespace {

bool plain(std::string_view user, std::string_view password) {
    return user == "Aladdin" && kvolt::constant_time_equal("open sesame", password);
}

Task<bool> coroutine(std::string_view user, std::string_view password) { co_return plain(user, password); }

void handler(Context& c) { c.text("hello " + c.get<BasicUser>()->name); }

}  // namespace

TEST_CASE("basic_auth lets in who knows the password") {
    struct Case {
        std::string field;
        bool good;
    };
    for (const Case& c : {
             Case{"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true},
             Case{"Basic QWxhZGRpbjpvcGVu", false},
             Case{"Basic !", false},
             Case{"Bearer abc", false},
             Case{"", false},
         })
        for (bool as_coroutine : {false, true}) {
            Fixture f;
            f.request.add_field("Authorization", c.field);
            as_coroutine ? f.serve(basic_auth(coroutine), handler) : f.serve(basic_auth(plain), handler);
            CHECK(f.response.status() == (c.good ? 200 : 401));
            CHECK(f.response.body() == (c.good ? "hello Aladdin" : R"({"error":"Unauthorized"})"));
            CHECK(f.response.header("WWW-Authenticate") ==
                  (c.good ? "" : R"(Basic realm="restricted", charset="UTF-8")"));
        }
}

TEST_CASE("basic_auth guards an upgrade") {
    Fixture f;
    f.ask_for_websocket();
    f.serve(basic_auth(plain), [](Context& c) -> Task<> { co_await c.upgrade(); });
    CHECK(f.response.status() == 401);
    CHECK(f.exchange.upgrades.empty());
}

TEST_CASE("the realm is quoted, and checked at setup") {
    Fixture f;
    f.serve(basic_auth(plain, "the \"vault\""));
    CHECK(f.response.header("WWW-Authenticate") == R"(Basic realm="the \"vault\"", charset="UTF-8")");
    CHECK_THROWS_AS(basic_auth(plain, "a\r\nb"), std::invalid_argument);
}
