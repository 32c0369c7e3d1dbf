#ifndef KVOLT_RUN_HPP
#define KVOLT_RUN_HPP

// A loop without a server: for programs that are clients only.

#include <kvolt/detail/loop.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/limits.hpp>

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace kvolt {

/// Run a coroutine in this thread, on a loop of its own, until it ends: `kvolt::run(talk());`. What it has spawned on
/// its executor ends with it. WebSockets that are still open then are closed with 1001, within 5 s.
///
/// @returns  what the coroutine returns.
/// @throws   what the coroutine throws.
template <class T>
T run(Task<T> task) {
    detail::Loop loop;
    std::exception_ptr failure;
    auto drain = [&loop] { loop.drain(Limits().drain_timeout, [&loop] { loop.stop(); }); };
    if constexpr (std::is_void_v<T>) {
        boost::asio::co_spawn(loop.executor(), std::move(task), [&](std::exception_ptr thrown) {
            failure = std::move(thrown);
            drain();
        });
        loop.run();
        if (failure) std::rethrow_exception(failure);
    } else {
        std::optional<T> result;
        boost::asio::co_spawn(loop.executor(), std::move(task), [&](std::exception_ptr thrown, T value) {
            failure = std::move(thrown);
            if (!failure) result.emplace(std::move(value));
            drain();
        });
        loop.run();
        if (failure) std::rethrow_exception(failure);
        return std::move(*result);
    }
}

}  // namespace kvolt

#endif
