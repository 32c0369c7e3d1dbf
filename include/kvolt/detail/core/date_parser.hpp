#ifndef KVOLT_DETAIL_CORE_DATE_PARSER_HPP
#define KVOLT_DETAIL_CORE_DATE_PARSER_HPP

#include <cstddef>
#include <ctime>
#include <optional>
#include <string_view>

namespace kvolt::detail {

/// Reads the parts of a date from left to right; once one does not fit, none does.
class DateParser {
public:
    explicit DateParser(std::string_view text) noexcept : text_(text) {}

    bool good() const noexcept { return good_ && text_.empty(); }

    void literal(std::string_view expected) noexcept {
        good_ = good_ && text_.starts_with(expected);
        if (good_) text_.remove_prefix(expected.size());
    }

    /// Exactly so many digits; a first one may be a space in the form of asctime.
    unsigned number(std::size_t digits, bool padded = false) noexcept {
        good_ = good_ && text_.size() >= digits;
        unsigned result = 0;
        for (std::size_t i = 0; good_ && i < digits; ++i) {
            char c = padded && i == 0 && text_[i] == ' ' ? '0' : text_[i];
            good_ = c >= '0' && c <= '9';
            result = result * 10 + static_cast<unsigned>(c - '0');
        }
        if (good_) text_.remove_prefix(digits);
        return result;
    }

    /// One of a list of names of three letters, counted from 1.
    unsigned name(std::string_view names) noexcept {
        std::size_t at = text_.size() < 3 ? names.npos : names.find(text_.substr(0, 3));
        good_ = good_ && at != names.npos && at % 3 == 0;
        if (!good_) return 1;
        text_.remove_prefix(3);
        return static_cast<unsigned>(at / 3) + 1;
    }

    /// Go on behind this character.
    void skip_to(char end) noexcept {
        std::size_t at = text_.find(end);
        good_ = good_ && at != text_.npos;
        if (good_) text_.remove_prefix(at + 1);
    }

private:
    std::string_view text_;
    bool good_ = true;
};

/// Any of the three forms of a date (RFC 9110, section 5.6.7); nothing if it is none.
///
/// @param now  The years of two digits are those that are at most 50 years ahead of it.
inline std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now = std::time(nullptr)) {
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec", days = "SunMonTueWedThuFriSat";
    DateParser parser(text);
    unsigned year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    auto clock = [&] {
        hour = parser.number(2);
        parser.literal(":");
        minute = parser.number(2);
        parser.literal(":");
        second = parser.number(2);
    };
    parser.name(days);
    if (text.size() > 3 && text[3] == ',') {  // Sun, 06 Nov 1994 08:49:37 GMT
        parser.literal(", ");
        day = parser.number(2);
        parser.literal(" ");
        month = parser.name(months);
        parser.literal(" ");
        year = parser.number(4);
        parser.literal(" ");
        clock();
        parser.literal(" GMT");
    } else if (text.size() > 3 && text[3] == ' ') {  // Sun Nov  6 08:49:37 1994
        parser.literal(" ");
        month = parser.name(months);
        parser.literal(" ");
        day = parser.number(2, true);
        parser.literal(" ");
        clock();
        parser.literal(" ");
        year = parser.number(4);
    } else {  // Sunday, 06-Nov-94 08:49:37 GMT
        parser.skip_to(',');
        parser.literal(" ");
        day = parser.number(2);
        parser.literal("-");
        month = parser.name(months);
        parser.literal("-");
        year = parser.number(2);
        parser.literal(" ");
        clock();
        parser.literal(" GMT");
        std::tm today{};
        gmtime_r(&now, &today);
        int this_year = today.tm_year + 1900;
        year += static_cast<unsigned>(this_year - this_year % 100);
        if (static_cast<int>(year) > this_year + 50) year -= 100;
        if (static_cast<int>(year) <= this_year - 50) year += 100;
    }
    std::tm date{};
    date.tm_year = static_cast<int>(year) - 1900;
    date.tm_mon = static_cast<int>(month) - 1;
    date.tm_mday = static_cast<int>(day);
    std::time_t midnight = timegm(&date);  // which makes 1 March of 30 February
    bool real = date.tm_mon == static_cast<int>(month) - 1 && date.tm_mday == static_cast<int>(day);
    if (!parser.good() || !real || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return midnight + static_cast<std::time_t>(hour * 3600 + minute * 60 + second);
}

}  // namespace kvolt::detail

#endif
