#include "catch.hpp"
#include <kvolt/detail/core/date.hpp>
#include <kvolt/detail/files/preconditions.hpp>

#include <ctime>
#include <string>
#include <utility>
#include <vector>

using namespace kvolt::detail;
using kvolt::Request;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::time_t modified = 784111777;
const std::string before = http_date(modified - 1), same = http_date(modified), after = http_date(modified + 1);
const Validators now{"\"a\"", modified};

Request request(const std::string& method, const Fields& fields) {
    Request result;
    result.start(method, "/");
    for (const auto& [name, value] : fields) result.add_field(name, value);
    return result;
}

}  // namespace

TEST_CASE("preconditions in the order of RFC 9110, section 13.2.2") {
    constexpr auto holds = Precondition::holds, not_modified = Precondition::not_modified,
                   failed = Precondition::failed;
    struct Case {
        Fields fields;
        Precondition get, put;
    };
    const std::vector<Case> cases = {
        {{}, holds, holds},
        {{{"If-Match", "\"a\""}}, holds, holds},
        {{{"If-Match", "\"b\", \"a\""}}, holds, holds},
        {{{"If-Match", "\"b\""}, {"if-match", "\"a\""}}, holds, holds},
        {{{"If-Match", "*"}}, holds, holds},
        {{{"If-Match", "\"b\""}}, failed, failed},
        {{{"If-Match", "W/\"a\""}}, failed, failed},
        {{{"If-Match", ""}}, failed, failed},
        {{{"If-Match", "\"a\""}, {"If-Unmodified-Since", before}}, holds, holds},  // the date is not looked at
        {{{"If-Match", "\"b\""}, {"If-None-Match", "\"a\""}}, failed, failed},
        {{{"If-Unmodified-Since", before}}, failed, failed},
        {{{"If-Unmodified-Since", same}}, holds, holds},
        {{{"If-Unmodified-Since", after}}, holds, holds},
        {{{"If-Unmodified-Since", "yesterday"}}, holds, holds},
        {{{"If-None-Match", "\"a\""}}, not_modified, failed},
        {{{"If-None-Match", "W/\"a\""}}, not_modified, failed},
        {{{"If-None-Match", "*"}}, not_modified, failed},
        {{{"If-None-Match", "\"b\""}}, holds, holds},
        {{{"If-None-Match", "\"b\""}, {"If-None-Match", "\"a\""}}, not_modified, failed},
        {{{"If-None-Match", "\"b\""}, {"If-Modified-Since", after}}, holds, holds},  // the date is not looked at
        {{{"If-None-Match", "\"a\""}, {"If-Modified-Since", before}}, not_modified, failed},
        {{{"If-Match", "\"a\""}, {"If-None-Match", "\"a\""}}, not_modified, failed},
        {{{"If-Modified-Since", before}}, holds, holds},
        {{{"If-Modified-Since", same}}, not_modified, holds},
        {{{"If-Modified-Since", after}}, not_modified, holds},
        {{{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}, not_modified, holds},
        {{{"If-Modified-Since", "0"}}, holds, holds},
        {{{"If-Modified-Since", after}, {"If-Modified-Since", after}}, holds, holds},
        {{{"If-Unmodified-Since", same}, {"If-Modified-Since", same}}, not_modified, holds},
    };
    for (const Case& expected : cases) {
        std::string fields;
        for (const auto& [name, value] : expected.fields) fields += name + ": " + value + "\n";
        INFO(fields);
        CHECK(evaluate_preconditions(request("GET", expected.fields), now) == expected.get);
        CHECK(evaluate_preconditions(request("HEAD", expected.fields), now) == expected.get);
        CHECK(evaluate_preconditions(request("PUT", expected.fields), now) == expected.put);
    }
}

TEST_CASE("a range is only given of what the client has the rest of") {
    std::time_t later = modified + 100;
    auto holds = [](const Fields& fields, std::time_t date) {
        return if_range_holds(request("GET", fields), now, date);
    };
    CHECK(holds({}, later));
    CHECK(holds({{"If-Range", "\"a\""}}, later));
    CHECK_FALSE(holds({{"If-Range", "W/\"a\""}}, later));
    CHECK_FALSE(holds({{"If-Range", "\"b\""}}, later));
    CHECK_FALSE(holds({{"If-Range", "\"b\", \"a\""}}, later));
    CHECK_FALSE(holds({{"If-Range", "*"}}, later));
    CHECK(holds({{"If-Range", same}}, later));
    CHECK_FALSE(holds({{"If-Range", before}}, later));
    CHECK_FALSE(holds({{"If-Range", after}}, later));  // not the same, though not older either
    CHECK_FALSE(holds({{"If-Range", same}}, modified));
    CHECK_FALSE(holds({{"If-Range", "\"a\""}, {"If-Range", "\"a\""}}, later));
    CHECK_FALSE(holds({{"If-Range", ""}}, later));
}
