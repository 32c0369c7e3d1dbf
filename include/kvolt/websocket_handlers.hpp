#ifndef KVOLT_WEBSOCKET_HANDLERS_HPP
#define KVOLT_WEBSOCKET_HANDLERS_HPP

// WebSockets by callbacks, for those who prefer them to a coroutine with a loop around read().

#include <kvolt/context.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/message.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/websocket.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace kvolt {

namespace detail {

/// A function that the user gives: plain, or a coroutine.
template <class Result, class... Arguments>
struct Callback {
    std::function<Result(Arguments...)> plain;
    std::function<Task<Result>(Arguments...)> coroutine;

    template <class F>
    static constexpr bool accepts() {
        if constexpr (std::copy_constructible<F> && std::invocable<F&, Arguments...>)
            return std::same_as<std::invoke_result_t<F&, Arguments...>, Result> ||
                   std::same_as<std::invoke_result_t<F&, Arguments...>, Task<Result>>;
        else
            return false;
    }

    explicit operator bool() const noexcept { return plain || coroutine; }

    template <class F>
    void set(F function) {
        plain = nullptr;
        coroutine = nullptr;
        if constexpr (std::same_as<std::invoke_result_t<F&, Arguments...>, Result>)
            plain = std::move(function);
        else
            coroutine = std::move(function);
    }
};

}  // namespace detail

/// A handler that upgrades and then calls back: `app.websocket("/ws", WebSocketHandlers().on_message(...))`.
///
///     struct Player { std::string name; int score = 0; };
///
///     app.websocket("/ws", kvolt::WebSocketHandlers<Player>()
///         .on_open([](kvolt::Context& c, kvolt::WebSocket&) { return Player{std::string(c.query("name"))}; })
///         .on_message([](kvolt::WebSocket& socket, Player& player, kvolt::Message& message) { ... })
///         .on_close([](kvolt::WebSocket& socket, Player& player) { ... }));
///
/// Callbacks are plain functions or coroutines. Those of one connection run on its loop, one after the other: while one
/// waits, the next message does, too. What one throws ends the connection with 1011 and is logged.
///
/// @tparam State  What a connection has of its own: made by on_open, handed to the others, destroyed behind on_close.
///                A hub's Seat, say, which then leaves by itself. `void`: nothing.
template <class State = void>
class WebSocketHandlers {
    static constexpr bool stateful = !std::is_void_v<State>;

    struct Nothing {};
    using Held = std::conditional_t<stateful, State, Nothing>;
    using Open = detail::Callback<State, Context&, WebSocket&>;
    using OnMessage = std::conditional_t<stateful, detail::Callback<void, WebSocket&, Held&, Message&>,
                                         detail::Callback<void, WebSocket&, Message&>>;
    using Close =
        std::conditional_t<stateful, detail::Callback<void, WebSocket&, Held&>, detail::Callback<void, WebSocket&>>;

public:
    /// Who may connect, the subprotocols, and compression; by default the same origin, none and none.
    WebSocketHandlers& options(UpgradeOptions options) {
        options_ = std::move(options);
        return *this;
    }

    /// Called first: `State(Context&, WebSocket&)`. Its request can be looked at for as long as the connection lasts.
    /// Without it, the state is `State()`.
    template <class F>
    WebSocketHandlers& on_open(F function) {
        static_assert(Open::template accepts<F>(),
                      "on_open is State(kvolt::Context&, kvolt::WebSocket&) or kvolt::Task<State> of the same, where "
                      "State is that of WebSocketHandlers<State>, or void");
        if constexpr (Open::template accepts<F>()) open_.set(std::move(function));
        return *this;
    }

    /// Called for each message: `void(WebSocket&, State&, Message&)`, without `State&` if there is none. The message
    /// may be moved from. Without it, messages are read and dropped.
    template <class F>
    WebSocketHandlers& on_message(F function) {
        static_assert(OnMessage::template accepts<F>(),
                      "on_message is void(kvolt::WebSocket&, State&, kvolt::Message&) or kvolt::Task<> of the same, "
                      "without State& for WebSocketHandlers<>");
        if constexpr (OnMessage::template accepts<F>()) message_.set(std::move(function));
        return *this;
    }

    /// Called once for each connection whose on_open has succeeded, also where on_message threw: `void(WebSocket&,
    /// State&)`, without `State&` if there is none. `socket.close_code()` tells why.
    template <class F>
    WebSocketHandlers& on_close(F function) {
        static_assert(Close::template accepts<F>(),
                      "on_close is void(kvolt::WebSocket&, State&) or kvolt::Task<> of the same, without State& for "
                      "WebSocketHandlers<>");
        if constexpr (Close::template accepts<F>()) close_.set(std::move(function));
        return *this;
    }

    /// @throws std::logic_error  if nothing makes the state.
    void check() const {
        if (!open_ && !std::default_initializable<Held>)
            throw std::logic_error("kvolt: WebSocketHandlers needs an on_open() for a state without a default");
    }

    /// The handler that it is.
    Task<> operator()(Context& c) const {
        check();
        WebSocket socket = co_await c.upgrade(options_);
        if constexpr (!stateful) {
            Nothing none;
            if (open_.plain) open_.plain(c, socket);
            if (open_.coroutine) co_await open_.coroutine(c, socket);
            co_await talk(socket, none);
        } else if (open_.plain) {
            State state = open_.plain(c, socket);
            co_await talk(socket, state);
        } else if (open_.coroutine) {
            State state = co_await open_.coroutine(c, socket);
            co_await talk(socket, state);
        } else if constexpr (std::default_initializable<State>) {
            State state{};
            co_await talk(socket, state);
        }
    }

private:
    Task<> talk(WebSocket& socket, Held& state) const {
        std::exception_ptr failure;
        try {
            while (auto message = co_await socket.read()) {
                if (message_.plain) call(message_.plain, socket, state, *message);
                if (message_.coroutine) co_await call(message_.coroutine, socket, state, *message);
            }
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) socket.close(close_code::internal_error);
        try {
            if (close_.plain) call(close_.plain, socket, state);
            if (close_.coroutine) co_await call(close_.coroutine, socket, state);
        } catch (...) {
            if (!failure) failure = std::current_exception();
        }
        if (failure) std::rethrow_exception(failure);
    }

    template <class F, class... More>
    static auto call(const F& function, WebSocket& socket, Held& state, More&... more) {
        if constexpr (stateful)
            return function(socket, state, more...);
        else
            return function(socket, more...);
    }

    UpgradeOptions options_;
    Open open_;
    OnMessage message_;
    Close close_;
};

}  // namespace kvolt

#endif
