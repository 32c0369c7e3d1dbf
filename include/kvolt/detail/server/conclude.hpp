#ifndef KVOLT_DETAIL_SERVER_CONCLUDE_HPP
#define KVOLT_DETAIL_SERVER_CONCLUDE_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/http/error_answer.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>

#include <exception>
#include <string>

namespace kvolt::detail {

/// Make the answer that of an exception which left a handler; see Group::on_error().
///
/// @param shape  nullptr for the default.
/// @returns  what is to be logged; empty for an HttpError.
inline std::string answer_failure(Context& context, const std::exception_ptr& failure, const ErrorHandler* shape) {
    if (!shape) return answer_failure(context.response(), failure);
    HttpError error(500, "Internal Server Error");
    std::string fault = answer_failure(context.response(), failure, &error);
    try {
        (*shape)(context, error);
    } catch (...) {
        if (!fault.empty()) fault += "; ";
        fault += "on_error(): " + describe(std::current_exception());
        answer_error(context.response(), 500, "Internal Server Error");
    }
    return fault;
}

/// What follows once the handler has ended: its exception, if any, becomes an answer, and middleware has its last word.
/// Then the answer can be sent.
///
/// @param begun  A part of the answer, a stream, has been sent: it cannot be another one any more.
/// @param shape  Makes the answer to an error; nullptr for the default.
/// @returns  what is to be logged; empty if nothing.
inline std::string conclude(Context& context, const std::exception_ptr& failure, bool begun = false,
                            const ErrorHandler* shape = nullptr) {
    std::string fault;
    bool open = !context.upgraded() && !begun;  // to an answer
    if (failure && open) context.forget_stream();
    std::exception_ptr rest = failure;
    if (failure && !context.rescue(rest)) fault = open ? answer_failure(context, rest, shape) : describe(failure);
    context.announce(context.upgraded() ? Phase::ended : Phase::answered, [&](const std::exception_ptr& thrown) {
        fault = describe(thrown);
        if (open) answer_failure(context, thrown, shape);
    });
    return fault;
}

}  // namespace kvolt::detail

#endif
