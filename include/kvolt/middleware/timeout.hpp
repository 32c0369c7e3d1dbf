#ifndef KVOLT_MIDDLEWARE_TIMEOUT_HPP
#define KVOLT_MIDDLEWARE_TIMEOUT_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/core/cancel.hpp>
#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace kvolt::middleware {

namespace detail {

struct TimeoutDeadline final : kvolt::detail::Deadline {
    explicit TimeoutDeadline(Context& of) noexcept : context(of) {}

    void on_deadline() override {
        using kvolt::detail::Loop;
        auto waited = context.body_wait();
        if (waited > granted) {  // that was the client's time
            Loop::current()->arm(*this, waited - granted);
            granted = waited;
            return;
        }
        late = true;
        bool told = Loop::attempt([this] { kvolt::detail::cancel(signal, boost::asio::cancellation_type::terminal); });
        if (!told) Loop::current()->arm(*this, Loop::tick_length);  // try again
    }

    Context& context;
    boost::asio::cancellation_signal signal;
    std::chrono::milliseconds granted{0};  // beyond the limit
    bool late = false;
};

inline Task<> run_with_timeout(std::chrono::milliseconds limit, Context& c, Next next) {
    auto deadline = std::make_shared<TimeoutDeadline>(c);
    kvolt::detail::Loop::current()->arm(*deadline, limit);
    c.follow([deadline](Context&, Phase phase) {
        if (phase == Phase::upgraded || phase == Phase::streaming) deadline->disarm();
    });
    // What cancels this coroutine, such as an outer timeout, has to reach the handler.
    boost::asio::cancellation_state own = co_await boost::asio::this_coro::cancellation_state;
    if (own.slot().is_connected())
        own.slot().assign(
            [deadline](boost::asio::cancellation_type type) { kvolt::detail::cancel(deadline->signal, type); });
    std::exception_ptr failure;
    try {
        Task<> rest = next();
        Task<> bounded = boost::asio::co_spawn(
            c.executor(), std::move(rest),
            boost::asio::bind_cancellation_slot(deadline->signal.slot(), boost::asio::use_awaitable));
        co_await std::move(bounded);
    } catch (...) {
        failure = std::current_exception();
    }
    if (own.slot().is_connected()) own.slot().clear();
    deadline->disarm();
    if (!failure) co_return;
    if (deadline->late && !c.upgraded()) throw HttpError(503, "Service Unavailable");
    std::rethrow_exception(failure);
}

}  // namespace detail

/// Give a handler so much time; then it is cancelled and the request answered with 503. Upgrades have to come in that
/// time, too, and streams have to begin; a WebSocket and a stream have no limit by it.
///
///     app.get("/report", kvolt::middleware::timeout(std::chrono::seconds(5)), handler);
///
/// Cancelling means that what the handler awaits ends with `operation_aborted`, as Asio's operations do: a handler that
/// waits for nothing, or for what cannot be cancelled, goes on. What it answers in the end is sent.
///
/// The time in which the client sends the request's body does not count: Limits has a limit for that.
///
/// @param limit  Holds to within 200 ms.
inline auto timeout(std::chrono::milliseconds limit) {
    return [limit](Context& c, Next next) { return detail::run_with_timeout(limit, c, next); };
}

}  // namespace kvolt::middleware

#endif
