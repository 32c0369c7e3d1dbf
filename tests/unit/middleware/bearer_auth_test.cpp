#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/middleware/bearer_auth.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::bearer_auth;
using kvolt::middleware::BearerAuthOptions;
using kvolt::middleware::BearerToken;
using test::Fixture;

namespace {

struct Claims {
    std::string name;
};

bool by_key(std::string_view token) { return kvolt::constant_time_equal("key", token); }
Task<bool> by_key_later(std::string_view token) { co_return by_key(token); }
std::optional<Claims> by_claims(std::string_view token) {
    return by_key(token) ? std::optional(Claims{"ann"}) : std::nullopt;
}
Task<std::optional<Claims>> by_claims_later(std::string_view token) { co_return by_claims(token); }

void who(Context& c) { c.text(c.get<Claims>() ? c.get<Claims>()->name : c.get<BearerToken>()->value); }

}  // namespace

TEST_CASE("bearer_auth lets in who brings a good token, by plain functions and coroutines") {
    const std::string missing = R"(Bearer realm="restricted")", wrong = missing + R"(, error="invalid_token")";
    struct Case {
        std::string field, challenge;
    };
    for (const Case& c :
         {Case{"Bearer key", ""}, Case{"Bearer other", wrong}, Case{"Basic key", missing}, Case{"", missing}}) {
        Fixture f[4];
        for (Fixture& each : f)
            if (!c.field.empty()) each.request.add_field("Authorization", c.field);
        f[0].serve(bearer_auth(by_key), who);
        f[1].serve(bearer_auth(by_key_later), who);
        f[2].serve(bearer_auth(by_claims), who);
        f[3].serve(bearer_auth(by_claims_later), who);
        for (int i = 0; i < 4; ++i) {
            CHECK(f[i].response.status() == (c.challenge.empty() ? 200 : 401));
            CHECK(f[i].response.header("WWW-Authenticate") == c.challenge);
            if (c.challenge.empty()) CHECK(f[i].response.body() == (i < 2 ? "key" : "ann"));
        }
    }
}

TEST_CASE("a token may be looked for elsewhere, but a field that is there counts") {
    auto options = BearerAuthOptions().realm("api").fallback([](Context& c) { return std::string(c.query("token")); });
    Fixture query("/?token=key"), none("/"), both("/?token=key");
    both.request.add_field("Authorization", "Bearer other");
    query.serve(bearer_auth(by_key, options), who);
    none.serve(bearer_auth(by_key, options), who);
    both.serve(bearer_auth(by_key, options), who);
    CHECK(query.response.body() == "key");
    CHECK(none.response.header("WWW-Authenticate") == R"(Bearer realm="api")");
    CHECK(both.response.status() == 401);
    CHECK_THROWS_AS(BearerAuthOptions().realm("a\nb"), std::invalid_argument);
}
