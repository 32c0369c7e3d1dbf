#include "catch.hpp"
#include <kvolt/detail/http/vary.hpp>

#include <string>

TEST_CASE("Vary is added once, beside what is there") {
    struct Case {
        std::string before, after;
    };
    for (const Case& c : {Case{"", "Origin"}, Case{"Accept", "Accept;Origin"}, Case{"*", "*"}, Case{"origin", "origin"},
                          Case{"Accept,  ORIGIN ,X", "Accept,  ORIGIN ,X"}, Case{"X-Origin", "X-Origin;Origin"}}) {
        kvolt::Response response;
        if (!c.before.empty()) response.header("Vary", c.before);
        kvolt::detail::add_vary(response, "Origin");
        kvolt::detail::add_vary(response, "Origin");
        std::string all;
        for (const auto& [name, value] : response.fields()) all += (all.empty() ? "" : ";") + value;
        CHECK(all == c.after);
    }
}
