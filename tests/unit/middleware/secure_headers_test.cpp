#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/secure_headers.hpp>

#include <chrono>
#include <stdexcept>

using kvolt::Context;
using kvolt::middleware::secure_headers;
using kvolt::middleware::SecureHeadersOptions;
using test::Fixture;

TEST_CASE("secure_headers sets its defaults, on errors too") {
    for (bool fails : {false, true}) {
        Fixture f;
        f.serve(secure_headers(), [&](Context& c) {
            if (fails) throw kvolt::HttpError(404, "no");
            c.text("ok");
        });
        CHECK(f.response.fields().size() == 6);
        CHECK(f.response.header("X-Content-Type-Options") == "nosniff");
        CHECK(f.response.header("X-Frame-Options") == "SAMEORIGIN");
        CHECK(f.response.header("Content-Security-Policy") ==
              "base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'");
        CHECK(f.response.header("Referrer-Policy") == "same-origin");
        CHECK(f.response.header("Cross-Origin-Opener-Policy") == "same-origin");
        CHECK(f.response.header("Cross-Origin-Resource-Policy") == "same-origin");
    }
}

TEST_CASE("HSTS is said over TLS only") {
    struct Case {
        SecureHeadersOptions options;
        std::string value;
    };
    for (const Case& c : {
             Case{SecureHeadersOptions(), "max-age=15552000"},
             Case{SecureHeadersOptions().hsts(std::chrono::hours(24), true), "max-age=86400; includeSubDomains"},
             Case{SecureHeadersOptions().no_hsts(), ""},
             Case{SecureHeadersOptions().set("strict-transport-security", "max-age=0"), "max-age=0"},
             Case{SecureHeadersOptions().remove("Strict-Transport-Security"), ""},
         }) {
        Fixture plain, tls;
        tls.exchange.tls = true;
        plain.serve(secure_headers(c.options));
        tls.serve(secure_headers(c.options));
        CHECK(plain.response.header("Strict-Transport-Security").empty());
        CHECK(tls.response.header("Strict-Transport-Security") == c.value);
    }
}

TEST_CASE("each field can be changed, switched off, added, and overruled by a handler") {
    Fixture f;
    auto options = SecureHeadersOptions()
                       .set("x-frame-options", "DENY")
                       .remove("content-security-policy")
                       .set("Permissions-Policy", "camera=()");
    f.serve(secure_headers(options), [](Context& c) { c.header("Referrer-Policy", "no-referrer"); });
    CHECK(f.response.header("X-Frame-Options") == "DENY");
    CHECK(f.response.header("Content-Security-Policy").empty());
    CHECK(f.response.header("Permissions-Policy") == "camera=()");
    CHECK(f.response.header("Referrer-Policy") == "no-referrer");
    CHECK(f.response.fields().size() == 6);
    CHECK_THROWS_AS(SecureHeadersOptions().set("X", "a\r\nb"), std::invalid_argument);
}
