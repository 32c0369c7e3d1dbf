#ifndef KVOLT_SRC_HANDLING_HPP
#define KVOLT_SRC_HANDLING_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/core/cancel.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/detail/server/conclude.hpp>
#include <kvolt/detail/server/handling.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>

#include <boost/asio/cancellation_type.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string>
#include <utility>

namespace kvolt::detail {

KVOLT_INLINE Handling::Need Handling::begin(const Chain& chain, const PathMatch& match) {
    chain_ = &chain;
    step_ = 0;
    context_.emplace(request_, response_, exchange_);
    context_->match(match);
    return go_on();
}

KVOLT_INLINE void Handling::begin_refused(const Chain& chain, const HttpError& refusal) {
    chain_ = &chain;
    context_.emplace(request_, response_, exchange_);
    for (const Step& step : chain.steps()) try {
            if (step.observes) step.plain(*context_);
        } catch (...) {  // the refusal stands
        }
    failure_ = std::make_exception_ptr(refusal);
}

KVOLT_INLINE Handling::Need Handling::go_on() {
    try {
        return run();
    } catch (...) {
        failure_ = std::current_exception();
        return Need::nothing;
    }
}

KVOLT_INLINE Handling::Need Handling::run() {
    const auto& steps = chain_->steps();
    for (; step_ < steps.size(); ++step_) {
        if (chain_->wants_body(step_) && exchange_.body_to_come()) return Need::body;
        if (!steps[step_].plain) {
            coroutine_ = detail::run(*chain_, step_, *context_);  // which may be a function that makes a task
            return Need::coroutine;
        }
        steps[step_].plain(*context_);
        if (context_->answered()) break;
    }
    return Need::nothing;
}

KVOLT_INLINE std::string Handling::disconnect() {
    std::string fault;
    context_->disconnect([&](const std::exception_ptr& thrown) { fault = describe(thrown); });
    if (!context_->upgraded() && !context_->ignores_disconnect())
        cancel(cancelled_, boost::asio::cancellation_type::terminal);
    return fault;
}

// True if what the handler has ended with is an operation that was cancelled: each library has a code of its own.
inline bool is_cancelled(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error&) {
        return true;
    } catch (...) {
        return false;
    }
}

KVOLT_INLINE std::string Handling::conclude(bool begun) {
    bool cancelled = failure_ && !exchange_.connected() && !context_->upgraded() && is_cancelled(failure_);
    if (cancelled) failure_ = begun ? nullptr : std::make_exception_ptr(HttpError(499, "Client Closed Request"));
    return detail::conclude(*context_, failure_, begun, chain_->error_handler());
}

}  // namespace kvolt::detail

#endif
