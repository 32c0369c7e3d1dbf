#include "catch.hpp"
#include <kvolt/error.hpp>

#include <exception>
#include <stdexcept>
#include <string>

using kvolt::HttpError;

TEST_CASE("an HttpError carries status, message and header fields") {
    HttpError error = HttpError(429, "slow down").header("Retry-After", "3").header("X-Why", "rate");
    CHECK(error.status() == 429);
    CHECK(std::string(error.what()) == "slow down");
    CHECK(error.headers() == HttpError::Fields{{"Retry-After", "3"}, {"X-Why", "rate"}});
}

TEST_CASE("an HttpError with fields can be thrown in one expression and keeps them") {
    try {
        throw HttpError(405, "no").header("Allow", "GET");
    } catch (const std::exception& caught) {
        const auto* error = dynamic_cast<const HttpError*>(&caught);
        REQUIRE(error != nullptr);
        CHECK(error->headers() == HttpError::Fields{{"Allow", "GET"}});
    }
}

TEST_CASE("a status that is no error's is refused where it is thrown") {
    for (int status : {-1, 0, 100, 200, 302, 399, 600, 1000})
        CHECK_THROWS_AS(HttpError(status, "x"), std::invalid_argument);
    for (int status : {400, 404, 599}) CHECK(HttpError(status, "x").status() == status);
}
