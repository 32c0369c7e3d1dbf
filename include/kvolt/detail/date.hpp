#ifndef KVOLT_DETAIL_DATE_HPP
#define KVOLT_DETAIL_DATE_HPP

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>

namespace kvolt::detail {

/// A date as HTTP writes it, whatever the locale: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, section 5.6.7).
inline std::string http_date(std::time_t time) {
    static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    namespace chrono = std::chrono;
    auto seconds = chrono::sys_seconds(chrono::seconds(time));
    auto midnight = chrono::floor<chrono::days>(seconds);
    chrono::year_month_day date(midnight);
    chrono::hh_mm_ss clock(seconds - midnight);
    char text[64];
    int size = std::snprintf(text, sizeof text, "%s, %02u %s %04d %02d:%02d:%02d GMT",
                             days[chrono::weekday(midnight).c_encoding()], static_cast<unsigned>(date.day()),
                             months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                             static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                             static_cast<int>(clock.seconds().count()));
    return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace kvolt::detail

#endif
