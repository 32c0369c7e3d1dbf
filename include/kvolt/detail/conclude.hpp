#ifndef KVOLT_DETAIL_CONCLUDE_HPP
#define KVOLT_DETAIL_CONCLUDE_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/error_answer.hpp>

#include <exception>
#include <string>

namespace kvolt::detail {

/// What follows once the handler has ended: its exception, if any, becomes an answer, and middleware has its last word.
/// Then the answer can be sent.
///
/// @param begun  A part of the answer, a stream, has been sent: it cannot be another one any more.
/// @returns  what is to be logged; empty if nothing.
inline std::string conclude(Context& context, const std::exception_ptr& failure, bool begun = false) {
    std::string fault;
    bool open = !context.upgraded() && !begun;  // to an answer
    if (failure && open) context.forget_stream();
    std::exception_ptr rest = failure;
    if (failure && !context.rescue(rest)) fault = open ? answer_failure(context.response(), rest) : describe(failure);
    context.announce(context.upgraded() ? Phase::ended : Phase::answered, [&](const std::exception_ptr& thrown) {
        fault = describe(thrown);
        if (open) answer_failure(context.response(), thrown);
    });
    return fault;
}

}  // namespace kvolt::detail

#endif
