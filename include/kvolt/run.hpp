#ifndef KVOLT_RUN_HPP
#define KVOLT_RUN_HPP

// A loop without a server: for programs that are clients only.

#include <kvolt/detail/net/loop.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/limits.hpp>

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

namespace kvolt {

namespace detail {

/// Part of what a coroutine ends with: ends its loop, also if Asio destroys the coroutine for lack of memory.
class Drain {
public:
    explicit Drain(Loop& loop) noexcept : loop_(&loop) {}
    Drain(Drain&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)) {}
    ~Drain() {
        if (loop_ && !loop_->cleared()) loop_->drain(Limits().drain_timeout, [loop = loop_] { loop->stop(); });
    }

private:
    Loop* loop_;
};

/// Lets run() have results that cannot be made without a value, which Asio asks for.
template <class T>
Task<> keep(Task<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
}

}  // namespace detail

/// Run a coroutine in this thread, on a loop of its own, until it ends: `kvolt::run(talk());`. What it has spawned on
/// its executor ends with it. WebSockets that are still open then are closed with 1001, within 5 s.
///
/// Signals are left to the caller. What closes a WebSocket also ends the `read()` of whoever waits there:
///
///     boost::asio::signal_set signals(co_await boost::asio::this_coro::executor, SIGINT, SIGTERM);
///     signals.async_wait([socket](auto error, int) mutable {
///         if (!error) socket.close(kvolt::close_code::going_away);
///     });
///     while (auto message = co_await socket.read()) ...
///
/// @returns  what the coroutine returns.
/// @throws   what the coroutine throws.
/// @throws std::bad_alloc  also where Asio has destroyed the coroutine for lack of memory.
template <class T>
T run(Task<T> task) {
    if constexpr (std::is_void_v<T>) {
        detail::Loop loop;
        std::exception_ptr failure = std::make_exception_ptr(std::bad_alloc());
        boost::asio::co_spawn(
            loop.executor(), std::move(task),
            [&, drain = detail::Drain(loop)](std::exception_ptr thrown) { failure = std::move(thrown); });
        loop.run();
        if (failure) std::rethrow_exception(failure);
    } else {
        std::optional<T> result;
        run(detail::keep(std::move(task), result));
        return std::move(*result);
    }
}

}  // namespace kvolt

#endif
