#ifndef KVOLT_DETAIL_ERROR_ANSWER_HPP
#define KVOLT_DETAIL_ERROR_ANSWER_HPP

#include <kvolt/error.hpp>
#include <kvolt/response.hpp>

#include <string>
#include <string_view>

namespace kvolt::detail {

/// A JSON string (RFC 8259, section 7).
inline std::string json_string(std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    std::string result = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (byte < 0x20) {
            result += "\\u00";
            result += digits[byte >> 4];
            result += digits[byte & 15];
        } else {
            result += c;
        }
    }
    return result += '"';
}

/// Make `response` the answer to an error: `{"error":"..."}`. What middleware has said in the header stays.
inline void answer_error(Response& response, int status, std::string_view message) {
    response.clear_body();
    response.status(status);
    response.body("{\"error\":" + json_string(message) + '}', "application/json");
}

inline void answer_error(Response& response, const HttpError& error) {
    answer_error(response, error.status(), error.what());
    for (const auto& [name, value] : error.headers()) response.add_header(name, value);
}

}  // namespace kvolt::detail

#endif
