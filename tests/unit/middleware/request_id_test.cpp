#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/request_id.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <vector>

using kvolt::Context;
using kvolt::middleware::request_id;
using kvolt::middleware::RequestId;
using kvolt::middleware::RequestIdOptions;
using test::Fixture;

TEST_CASE("a sane id of the client is taken, any other is replaced") {
    struct Case {
        std::string given;
        bool taken;
    };
    for (const Case& c : std::vector<Case>{
             {"7f3a", true},
             {"Root=1-67891233-abcdef012345678912345678", true},
             {"a/b+c:d_e.f-g=", true},
             {std::string(128, 'x'), true},
             {std::string(129, 'x'), false},
             {"", false},
             {"two words", false},
             {"\"quoted\"", false},
             {"a\tb", false},
             {"\xC3\xA9", false},
         }) {
        Fixture f;
        f.request.add_field("X-Request-ID", c.given);
        std::string seen;
        f.serve(request_id(), [&](Context& context) { seen = context.get<RequestId>()->value; });
        CHECK((seen == c.given) == c.taken);
        CHECK(f.response.header("X-Request-Id") == seen);
        if (!c.taken) CHECK(seen.size() == 32);
    }
}

TEST_CASE("no two ids are the same, and errors carry them, too") {
    std::set<std::string> ids;
    auto middleware = request_id();
    for (int i = 0; i < 1000; ++i) {
        Fixture f;
        f.serve(middleware, [](Context&) { throw kvolt::HttpError(404, "no"); });
        ids.emplace(f.response.header("X-Request-Id"));
    }
    CHECK(ids.size() == 1000);
    for (const std::string& id : ids) CHECK(id.find_first_not_of("0123456789abcdef") == id.npos);
}

TEST_CASE("the field, the trust and the generator can be chosen") {
    Fixture f;
    f.request.add_field("X-Trace", "client");
    f.serve(request_id(RequestIdOptions().field("X-Trace").trust_client(false).generator([] { return "mine"; })));
    CHECK(f.response.header("X-Trace") == "mine");
    CHECK(f.response.header("X-Request-Id").empty());
    CHECK_THROWS_AS(RequestIdOptions().field("no name"), std::invalid_argument);
    CHECK_THROWS_AS(RequestIdOptions().field("Date"), std::invalid_argument);
}
