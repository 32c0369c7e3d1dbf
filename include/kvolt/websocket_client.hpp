#ifndef KVOLT_WEBSOCKET_CLIENT_HPP
#define KVOLT_WEBSOCKET_CLIENT_HPP

// WebSockets from the other side: services that talk to services. Not part of kvolt.hpp.

#include <kvolt/connect_error.hpp>
#include <kvolt/connect_options.hpp>
#include <kvolt/detail/client_connection.hpp>
#include <kvolt/detail/connector.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/perform.hpp>
#include <kvolt/detail/random.hpp>
#include <kvolt/detail/websocket_url.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/local/stream_protocol.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt {

/// Opens WebSockets to a server.
///
///     kvolt::WebSocketClient client("ws://prices.example/live");
///     for (;;) {
///         auto socket = co_await client.reconnect();     // again and again, with a growing delay
///         while (auto message = co_await socket.read()) ...
///     }
///
/// What it opens lives on the loop where it is awaited: that of a handler; the first one of an app, by
/// `co_spawn(app.executor(), ...)`; or one of its own, by `kvolt::run(...)` of kvolt/run.hpp. It is closed with 1000
/// when its last handle is gone, and with 1001 when the app stops.
///
/// The server's answer is checked to the letter of RFC 6455, section 4.1; redirects are not followed.
///
/// Names are looked up by the system's resolver, which nothing interrupts: where it hangs, connect() gives up in time,
/// but App::stop() and kvolt::run() end only when it has.
///
/// @note Thread safety: none. Lifetime: it outlives the tasks that it returns, not the WebSockets.
class WebSocketClient {
public:
    /// @param url  `ws://host:port/path?query` or `wss://...`; without a port that is 80 or 443.
    /// @throws std::invalid_argument  for a bad URL, and for one with a user, a fragment or what should be escaped.
    /// @throws std::logic_error       for `wss://` without ConnectOptions::tls().
    explicit WebSocketClient(std::string_view url, ConnectOptions options = {})
        : url_(detail::WebSocketUrl::parse(url)), options_(std::move(options)) {
        if (url_.secure && !options_.tls())
            throw std::logic_error("kvolt: a client of " + url_.to_string() +
                                   " needs ConnectOptions::tls(): include kvolt/tls_client.hpp");
    }

    /// Connect once, by whichever of the host's addresses answers first.
    ///
    /// Completes with an open WebSocket. Cancelling gives up. Several may be under way.
    ///
    /// @tparam Stream  Leave it: it is there so that the transport is compiled only where this is called.
    /// @throws ConnectError      that tells why not.
    /// @throws std::bad_alloc    if there is no memory for it.
    /// @throws std::logic_error  outside of a loop of KVolt.
    template <class Stream = detail::PlainStream>
    Task<WebSocket> connect() const {
        std::exception_ptr failure;
        try {
            co_return co_await attempt<Stream>();
        } catch (const ConnectError& error) {
            failure = std::make_exception_ptr(ConnectError(
                error.reason(), "kvolt: " + url_.to_string() + ": " + error.what(), error.status(), error.body()));
        }
        std::rethrow_exception(failure);
    }

    /// Connect, again and again until it succeeds, after the waits that ConnectOptions::backoff() describes; only the
    /// very first try of all comes at once. Call it again when the connection is over. One at a time.
    ///
    /// @throws ConnectError  the last one: when Backoff::attempts have failed in a row, or the app stops. By default it
    ///                       never gives up, not even on a 404: see ConnectOptions::on_failure().
    /// @throws               whatever ConnectOptions::on_failure() throws, and std::bad_alloc; call it again then.
    /// @throws std::logic_error  outside of a loop of KVolt.
    template <class Stream = detail::PlainStream>
    Task<WebSocket> reconnect() {
        const Backoff& backoff = options_.backoff();
        if (connected_ && Clock::now() - *connected_ >= backoff.stable) steps_ = 0;
        connected_.reset();
        if (std::exchange(tried_, true)) co_await wait(next_delay());
        for (std::size_t failures = 1;; ++failures) {
            std::optional<ConnectError> failure;
            try {
                WebSocket socket = co_await connect<Stream>();
                connected_ = Clock::now();
                co_return socket;
            } catch (const ConnectError& error) {
                failure = error;
            }
            bool last = failures == backoff.attempts || failure->reason() == ConnectError::Reason::stopped;
            if (last) throw ConnectError(*failure);
            auto delay = next_delay();
            if (options_.on_failure()) options_.on_failure()(*failure, delay);
            co_await wait(delay);
        }
    }

    /// Where it connects to: `ws://example.com/chat`. With the query, which may hold a secret.
    std::string url() const { return url_.to_string(); }

private:
    using Clock = std::chrono::steady_clock;

    static detail::Loop& this_loop() {
        detail::Loop* loop = detail::Loop::current();
        if (loop == nullptr)
            throw std::logic_error(
                "kvolt: a WebSocketClient outside of a loop: await it in a handler, in what runs on "
                "App::executor(), or in kvolt::run()");
        return *loop;
    }

    template <class Stream>
    Task<WebSocket> attempt() const {
        detail::Loop& loop = this_loop();
        if (loop.draining()) throw ConnectError(ConnectError::Reason::stopped, "the app stops");
        constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);
        auto due = Clock::now() + std::min(options_.connect_timeout(), longest);
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

    std::chrono::milliseconds next_delay() { return options_.backoff().delay(steps_++, detail::random_fraction()); }

    // Does not end where the app stops meanwhile: then the loop lets go of whoever waits.
    static Task<> wait(std::chrono::milliseconds delay) {
        detail::Loop& loop = this_loop();
        if (loop.draining()) co_return;  // the next try tells that
        detail::Loop::Timer timer(loop.io(), delay);
        co_await detail::perform(loop, [&](auto done) { timer.async_wait(std::move(done)); });
    }

    const detail::WebSocketUrl url_;
    const ConnectOptions options_;
    std::size_t steps_ = 0;                       // of the backoff, since all was well
    std::optional<Clock::time_point> connected_;  // when; nothing at first, and after a failure
    bool tried_ = false;
};

}  // namespace kvolt

#endif
