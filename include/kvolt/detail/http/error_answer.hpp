#ifndef KVOLT_DETAIL_HTTP_ERROR_ANSWER_HPP
#define KVOLT_DETAIL_HTTP_ERROR_ANSWER_HPP

#include <kvolt/detail/core/escape.hpp>
#include <kvolt/error.hpp>
#include <kvolt/response.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Make `response` the answer to an error: `{"error":"..."}`. What middleware has said in the header stays.
inline void answer_error(Response& response, int status, std::string_view message) {
    response.clear_body();
    response.status(status);
    response.body("{\"error\":" + json_string(message) + '}', "application/json");
}

inline void answer_error(Response& response, const HttpError& error) {
    answer_error(response, error.status(), error.what());
    const HttpError::Fields& fields = error.headers();
    for (auto field = fields.begin(); field != fields.end(); ++field) {
        auto same = [&](const auto& other) { return iequals(other.first, field->first); };
        if (std::any_of(fields.begin(), field, same))
            response.add_header(field->first, field->second);  // two challenges, say
        else
            response.header(field->first, field->second);
    }
}

/// What an exception says.
inline std::string describe(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception that is no std::exception";
    }
}

/// Make `response` the answer to an exception that left a handler.
///
/// @param answered  Unless it is nullptr, becomes the error that it is the answer to, if that is an HttpError.
/// @returns  what is to be logged; empty for an HttpError.
inline std::string answer_failure(Response& response, const std::exception_ptr& failure,
                                  HttpError* answered = nullptr) {
    std::string fault;
    try {
        std::rethrow_exception(failure);
    } catch (const HttpError& error) {
        try {
            answer_error(response, error);
            if (answered) *answered = error;
            return {};
        } catch (const std::exception& bad_field) {
            fault = bad_field.what();
        }
    } catch (...) {
        fault = describe(failure);
    }
    answer_error(response, 500, "Internal Server Error");
    return fault;
}

}  // namespace kvolt::detail

#endif
