#ifndef KVOLT_HANDLER_HPP
#define KVOLT_HANDLER_HPP

// What a route can be given: handlers and middleware, plain functions or coroutines.

#include <kvolt/config.hpp>
#include <kvolt/detail/core/needs.hpp>

#include <boost/asio/awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvolt {

/// A coroutine of a handler: Asio's awaitable, so any Asio operation can be awaited in it with `use_awaitable`.
template <class T = void>
using Task = boost::asio::awaitable<T>;

class Context;
class HttpError;
class Next;

/// What answers a request that ends in an error; see Group::on_error().
using ErrorHandler = std::function<void(Context&, const HttpError&)>;

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
    bool observes = false;  // also what the server refuses by itself
};

/// The middleware that guards a route, outermost first, and its handler at the end.
class Chain {
public:
    void add(Step step) { steps_.push_back(std::move(step)); }

    void add(const std::vector<Step>& steps) {
        for (const Step& step : steps) add(step);
    }

    void add(const Chain& chain) {
        add(chain.steps_);
        if (chain.body_ != Body::whole) body_ = chain.body_;
        if (chain.error_handler_) error_handler_ = chain.error_handler_;
    }

    /// How the last step, the handler, wants the request's body.
    enum class Body {
        whole,     ///< It is called when the body is there.
        in_parts,  ///< It reads the body itself.
        ignored,
    };

    void body(Body body) noexcept { body_ = body; }
    Body body() const noexcept { return body_; }

    /// True for a step that is the handler and wants the body whole.
    bool wants_body(std::size_t step) const noexcept { return body_ == Body::whole && step + 1 == steps_.size(); }

    /// What answers errors; nullptr for the default.
    void error_handler(std::shared_ptr<const ErrorHandler> handler) noexcept { error_handler_ = std::move(handler); }
    const ErrorHandler* error_handler() const noexcept { return error_handler_.get(); }

    const std::vector<Step>& steps() const noexcept { return steps_; }

private:
    std::vector<Step> steps_;
    Body body_ = Body::whole;
    std::shared_ptr<const ErrorHandler> error_handler_;
};

/// Run a chain from one of its steps on.
Task<> run(const Chain& chain, std::size_t first, Context& context);

}  // namespace detail

/// A handler: `void(Context&)`, or a coroutine `Task<>(Context&)`. Called for many requests, so it must not be changed
/// by a call.
template <class F>
concept HandlerFunction = detail::PlainFunction<F> || detail::CoroutineFunction<F>;

/// Middleware: `Task<>(Context&, Next)` runs around the rest of the chain. The two forms of a handler run before it;
/// they end the chain by answering or throwing. What is thrown further in, an HttpError for a 404, say, passes through
/// `co_await next()` as an exception.
///
/// It runs when the request's head is there, before its body: what it refuses costs no more than that. Coroutines that
/// want the body, too, get it by `co_await context.read_body()`.
template <class F>
concept MiddlewareFunction = HandlerFunction<F> || detail::AroundFunction<F>;

/// Plain middleware that sees every answer of the server: it also runs for requests that are refused before they have a
/// route, such as malformed ones. Of those, the context has what was understood; what this answers does not count.
///
///     app.use(kvolt::observer([](Context& c) { c.header("Server", "example"); }));
template <detail::PlainFunction F>
class Observer {
public:
    explicit Observer(F function) : function_(std::move(function)) {}
    void operator()(Context& c) { function_(c); }

private:
    F function_;
};

/// @param function  `void(Context&)`
template <detail::PlainFunction F>
Observer<F> observer(F function) {
    return Observer<F>(std::move(function));
}

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
    template <class T = void, class = detail::NeedsContext<T>>
    Task<> operator()() const {
        return detail::run(*chain_, first_, *context_);
    }

private:
    const detail::Chain* chain_;
    std::size_t first_;
    Context* context_;
};

namespace detail {

template <class F>
inline constexpr bool is_observer = false;
template <class F>
inline constexpr bool is_observer<Observer<F>> = true;

template <MiddlewareFunction F>
Step make_step(F function) {
    Step step;
    step.observes = is_observer<F>;
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
