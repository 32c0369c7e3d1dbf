#include "catch.hpp"
#include <kvolt/detail/core/date.hpp>

using kvolt::detail::http_date;

TEST_CASE("dates as RFC 9110 writes them") {
    CHECK(http_date(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of section 5.6.7
    CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(http_date(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
    CHECK(http_date(4107542399) == "Sun, 28 Feb 2100 23:59:59 GMT");
    CHECK(http_date(4107542400) == "Mon, 01 Mar 2100 00:00:00 GMT");  // no leap year
    CHECK(http_date(2147483648) == "Tue, 19 Jan 2038 03:14:08 GMT");
    CHECK(http_date(1735689599) == "Tue, 31 Dec 2024 23:59:59 GMT");
}
