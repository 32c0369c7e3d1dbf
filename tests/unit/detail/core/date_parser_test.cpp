#include "catch.hpp"
#include <kvolt/detail/core/date.hpp>
#include <kvolt/detail/core/date_parser.hpp>

#include <ctime>
#include <string>
#include <string_view>

using kvolt::detail::http_date;
using kvolt::detail::parse_http_date;

TEST_CASE("the three forms of a date") {
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == 784111777);
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777);
    CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == 784111777);
    CHECK(parse_http_date("Sun Nov 16 08:49:37 1994") == 784111777 + 10 * 86400);
    CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
    CHECK(parse_http_date("Tue, 29 Feb 2000 00:00:00 GMT") == 951782400);
    CHECK(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == 1483228800);  // a leap second
}

TEST_CASE("a year of two digits is never more than 50 years ahead") {
    std::time_t in_2026 = 1780000000, in_1999 = 930000000, in_2080 = 3480000000;
    CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2026) == 784111777);
    CHECK(http_date(*parse_http_date("Friday, 06-Nov-76 08:49:37 GMT", in_2026)) == "Fri, 06 Nov 2076 08:49:37 GMT");
    CHECK(http_date(*parse_http_date("Friday, 06-Nov-77 08:49:37 GMT", in_2026)) == "Sun, 06 Nov 1977 08:49:37 GMT");
    CHECK(http_date(*parse_http_date("Friday, 06-Nov-05 08:49:37 GMT", in_1999)) == "Sun, 06 Nov 2005 08:49:37 GMT");
    CHECK(http_date(*parse_http_date("Friday, 06-Nov-05 08:49:37 GMT", in_2080)) == "Fri, 06 Nov 2105 08:49:37 GMT");
}

TEST_CASE("a date that was written can be read") {
    for (std::time_t time = 0; time < 4200000000; time += 86400 * 13 + 4711)
        CHECK(parse_http_date(http_date(time)) == time);
}

TEST_CASE("what is no date") {
    for (std::string_view bad : {"",
                                 "0",
                                 "now",
                                 "Sun",
                                 "Sun,",
                                 "Sun, ",
                                 "1994-11-06T08:49:37Z",
                                 "Sun, 06 Nov 1994 08:49:37",
                                 "Sun, 06 Nov 1994 08:49:37 UTC",
                                 "Sun, 06 Nov 1994 08:49:37 +0000",
                                 "Sun, 06 Nov 1994 08:49:37 GMT ",
                                 "Sun, 6 Nov 1994 08:49:37 GMT",
                                 "Sun, 31 Nov 1994 08:49:37 GMT",
                                 "Tue, 29 Feb 2001 00:00:00 GMT",
                                 "Sun, 06 Nov 1994 24:00:00 GMT",
                                 "Sun, 06 Nov 1994 08:60:37 GMT",
                                 "Sun, 06 Nov 1994 08:49:61 GMT",
                                 "Sun, 06 nov 1994 08:49:37 GMT",
                                 "Sun, 06 ovD 1994 08:49:37 GMT",
                                 "Sun, 00 Nov 1994 08:49:37 GMT",
                                 "Sun Nov 6 08:49:37 1994",
                                 "Sun Nov 06 08:49:37 94",
                                 "Sunday, 06-Nov-1994 08:49:37 GMT",
                                 "Sunday 06-Nov-94 08:49:37 GMT",
                                 "un, 06 Nov 1994 08:49:37 GMT",
                                 "Sun, 0x Nov 1994 08:49:37 GMT"}) {
        INFO(bad);
        CHECK_FALSE(parse_http_date(bad));
    }
}
