#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/middleware/body_limit.hpp>

#include <cstddef>
#include <string>

using kvolt::Context;
using kvolt::middleware::body_limit;
using test::Fixture;

TEST_CASE("a body that is too long is refused, by its length or by what it says of that") {
    struct Case {
        std::size_t limit, size;
        std::string announced;
        int status;
    };
    for (const Case& c : {
             Case{4, 4, "", 200},
             Case{4, 5, "", 413},
             Case{4, 4, "4", 200},
             Case{4, 0, "5", 413},
             Case{4, 0, "99999999999999999999999999", 413},
             Case{0, 0, "0", 200},
             Case{0, 1, "1", 413},
             Case{0, 0, "", 200},
         }) {
        Fixture f("/", "POST");
        f.request.body_buffer() = std::string(c.size, 'x');
        if (!c.announced.empty()) f.request.add_field("Content-Length", c.announced);
        bool handled = false;
        f.serve(body_limit(c.limit), [&](Context&) { handled = true; });
        CHECK(f.response.status() == c.status);
        CHECK(handled == (c.status == 200));
    }
}
