#ifndef KVOLT_DETAIL_CORE_DATE_HPP
#define KVOLT_DETAIL_CORE_DATE_HPP

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <string>

namespace kvolt::detail {

/// A date as HTTP writes it, whatever the locale: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
inline std::string http_date(std::time_t time) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&time, &utc);
    char text[96];
    int size = std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[utc.tm_wday], utc.tm_mday,
                             months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
    return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace kvolt::detail

#endif
