#include "catch.hpp"
#include <kvolt/detail/http/error_answer.hpp>

#include <stdexcept>
#include <string>

using kvolt::HttpError;
using kvolt::Response;
using kvolt::detail::answer_error;

TEST_CASE("an error becomes its answer, of what was said before, only what did not describe the body is left") {
    Response response;
    response.status(201);
    response.header("Set-Cookie", "session=1");
    response.header("Content-Security-Policy", "default-src 'self'");
    response.header("Content-Type", "text/csv");
    response.header("Content-Disposition", "attachment");
    response.header("ETag", "\"1\"");
    response.header("Cache-Control", "max-age=60");
    response.body("half a table", "text/plain");
    answer_error(response, HttpError(429, "slow \"down\"").header("Retry-After", "3"));
    CHECK(response.status() == 429);
    CHECK(response.body() == R"({"error":"slow \"down\""})");
    CHECK(response.header("Retry-After") == "3");
    CHECK(response.header("Set-Cookie") == "session=1");
    CHECK(response.header("Content-Security-Policy") == "default-src 'self'");  // guards every page, also of an error
    CHECK(response.header("Content-Disposition").empty());
    CHECK(response.header("ETag").empty());
    CHECK(response.header("Cache-Control").empty());
    std::string out;
    response.append_to(out, {"date"});
    CHECK(out.find("\r\nContent-Type: application/json\r\n") != out.npos);
}

TEST_CASE("a field of an error takes the place of one that was said, and may come twice") {
    Response response;
    response.header("Retry-After", "60");
    response.header("Set-Cookie", "a=1");
    answer_error(response, HttpError(401, "x")
                               .header("WWW-Authenticate", "Basic")
                               .header("Retry-After", "5")
                               .header("www-authenticate", "Bearer")
                               .header("Set-Cookie", "b=2"));
    std::string out;
    response.append_to(out, {"date"});
    CHECK(out.find("Retry-After: 60") == out.npos);
    for (std::string line : {"Retry-After: 5", "Set-Cookie: a=1", "Set-Cookie: b=2", "WWW-Authenticate: Basic",
                             "www-authenticate: Bearer"})
        CHECK(out.find("\r\n" + line + "\r\n") != out.npos);
}

TEST_CASE(
    "an error with a status that cannot be sent, or a field that would split the answer, is reported to the caller") {
    Response response;
    CHECK_THROWS_AS(answer_error(response, HttpError(400, "x").header("X", "a\r\nb")), std::invalid_argument);
    CHECK_THROWS_AS(answer_error(response, HttpError(400, "x").header("X", "a\r\nb")), std::invalid_argument);
}
