#ifndef KVOLT_SRC_WEBSOCKET_CLIENT_HPP
#define KVOLT_SRC_WEBSOCKET_CLIENT_HPP

#include <kvolt/connect_error.hpp>
#include <kvolt/detail/client/connection.hpp>
#include <kvolt/detail/client/connector.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/perform.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/net/timer.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/websocket.hpp>
#include <kvolt/websocket_client.hpp>

#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvolt {

namespace detail {

inline Loop& client_loop() {
    Loop* loop = Loop::current();
    if (loop == nullptr)
        throw std::logic_error(
            "kvolt: a WebSocketClient outside of a loop: await it in a handler, in what runs on App::executor(), or in "
            "kvolt::run()");
    return *loop;
}

// Does not end where the app stops meanwhile: then the loop lets go of whoever waits.
inline Task<> wait_to_connect(std::chrono::milliseconds delay) {
    Loop& loop = client_loop();
    if (loop.draining()) co_return;  // the next try tells that
    Timer timer(loop.io(), delay);
    co_await perform(loop, [&](auto done) { timer.async_wait(std::move(done)); });
}

}  // namespace detail

template <class Self>
Task<WebSocket> WebSocketClient::attempt() const {
    using Stream = std::enable_if_t<std::is_same_v<Self, WebSocketClient>, detail::PlainStream>;
    detail::Loop& loop = detail::client_loop();
    if (loop.draining()) throw ConnectError(ConnectError::Reason::stopped, "the app stops");
    constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);
    auto due = Clock::now() + (std::min)(options_.connect_timeout(), longest);
    std::vector<detail::Endpoint> endpoints;
    if (!options_.unix_path().empty())
        endpoints.push_back(boost::asio::local::stream_protocol::endpoint(options_.unix_path()));
    else
        endpoints = co_await detail::resolve(loop, url_.bare_host(), static_cast<unsigned short>(url_.port), due);
    endpoints = detail::interleave(endpoints);
    Stream socket = co_await detail::connect_to_first(loop, std::move(endpoints), due);
    detail::Handshake handshake{url_, options_, loop.now() + detail::Loop::ticks(options_.handshake_timeout())};
    if (url_.secure) co_return co_await options_.tls()->open(loop, std::move(socket), handshake);
    co_return co_await detail::open_websocket(loop, std::move(socket), handshake);
}

template <class Self>
Task<WebSocket> WebSocketClient::connect() const {
    std::exception_ptr failure;
    try {
        co_return co_await attempt<Self>();
    } catch (const ConnectError& error) {
        failure = std::make_exception_ptr(ConnectError(
            error.reason(), "kvolt: " + url_.to_string() + ": " + error.what(), error.status(), error.body()));
    }
    std::rethrow_exception(failure);
}

template <class Self>
Task<WebSocket> WebSocketClient::reconnect() {
    const Backoff& backoff = options_.backoff();
    if (connected_ && Clock::now() - *connected_ >= backoff.stable) steps_ = 0;
    connected_.reset();
    if (std::exchange(tried_, true)) co_await detail::wait_to_connect(next_delay());
    for (std::size_t failures = 1;; ++failures) {
        std::optional<ConnectError> failure;
        try {
            WebSocket socket = co_await connect<Self>();
            connected_ = Clock::now();
            co_return socket;
        } catch (const ConnectError& error) {
            failure = error;
        }
        bool last = failures == backoff.attempts || failure->reason() == ConnectError::Reason::stopped;
        if (last) throw ConnectError(*failure);
        auto delay = next_delay();
        if (options_.on_failure()) options_.on_failure()(*failure, delay);
        co_await detail::wait_to_connect(delay);
    }
}

}  // namespace kvolt

#endif
