#ifndef KVOLT_HANDLER_HPP
#define KVOLT_HANDLER_HPP

// What a route can be given: handlers and middleware, plain functions or coroutines.

#include <kvolt/config.hpp>

#include <boost/asio/awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvolt {

/// A coroutine of a handler: Asio's awaitable, so any Asio operation can be awaited in it with `use_awaitable`.
template <class T = void>
using Task = boost::asio::awaitable<T>;

class Context;
class Next;

namespace detail {

template <class F>
concept PlainFunction =
    std::copy_constructible<F> && std::invocable<F&, Context&> && std::is_void_v<std::invoke_result_t<F&, Context&>>;

template <class F>
concept CoroutineFunction = std::copy_constructible<F> && std::invocable<F&, Context&> &&
    std::same_as<std::invoke_result_t<F&, Context&>, Task<>>;

template <class F>
concept AroundFunction = std::copy_constructible<F> && std::invocable<F&, Context&, Next> &&
    std::same_as<std::invoke_result_t<F&, Context&, Next>, Task<>>;

/// One step of what happens to a request: exactly one of the three is set.
struct Step {
    std::function<void(Context&)> plain;
    std::function<Task<>(Context&)> coroutine;
    std::function<Task<>(Context&, Next)> around;
};

/// The middleware that guards a route, outermost first, and its handler at the end.
class Chain {
public:
    void add(Step step) {
        plain_ = plain_ && step.plain;
        steps_.push_back(std::move(step));
    }

    void add(const std::vector<Step>& steps) {
        for (const Step& step : steps) add(step);
    }

    void add(const Chain& chain) {
        add(chain.steps_);
        streams_body_ = streams_body_ || chain.streams_body_;
    }

    void stream_body() noexcept { streams_body_ = true; }

    /// True if the handler reads the request's body part by part: it is called before that has come.
    bool streams_body() const noexcept { return streams_body_; }

    const std::vector<Step>& steps() const noexcept { return steps_; }

    /// True if no step is a coroutine: it can be run by a mere call.
    bool plain() const noexcept { return plain_; }

private:
    std::vector<Step> steps_;
    bool plain_ = true;
    bool streams_body_ = false;
};

void run_plain(const Chain& chain, Context& context);
Task<> run(const Chain& chain, std::size_t first, Context& context);

}  // namespace detail

/// A handler: `void(Context&)`, or a coroutine `Task<>(Context&)`. Called for many requests, so it must not be changed
/// by a call.
template <class F>
concept HandlerFunction = detail::PlainFunction<F> || detail::CoroutineFunction<F>;

/// Middleware: `Task<>(Context&, Next)` runs around the rest of the chain. The two forms of a handler run before it;
/// they end the chain by answering or throwing. What is thrown further in, an HttpError for a 404, say, passes through
/// `co_await next()` as an exception.
template <class F>
concept MiddlewareFunction = HandlerFunction<F> || detail::AroundFunction<F>;

/// Said of a route: its handler takes the request's body, of any size, by `co_await context.read_some()`.
///
///     app.post("/upload", kvolt::stream_body, upload);
struct StreamBody {};
inline constexpr StreamBody stream_body{};

/// The rest of the chain, for middleware to await.
class Next {
public:
    Next(const detail::Chain& chain, std::size_t first, Context& context) noexcept
        : chain_(&chain), first_(first), context_(&context) {}

    /// Run the rest: `co_await next();`. Whoever does not, has to answer the request.
    Task<> operator()() const { return detail::run(*chain_, first_, *context_); }

private:
    const detail::Chain* chain_;
    std::size_t first_;
    Context* context_;
};

namespace detail {

template <MiddlewareFunction F>
Step make_step(F function) {
    Step step;
    if constexpr (AroundFunction<F>)
        step.around = std::move(function);
    else if constexpr (CoroutineFunction<F>)
        step.coroutine = std::move(function);
    else
        step.plain = std::move(function);
    return step;
}

}  // namespace detail

}  // namespace kvolt

#endif
