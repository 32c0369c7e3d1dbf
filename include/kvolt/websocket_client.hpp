#ifndef KVOLT_WEBSOCKET_CLIENT_HPP
#define KVOLT_WEBSOCKET_CLIENT_HPP

// WebSockets from the other side: services that talk to services. Not part of kvolt.hpp.

#include <kvolt/connect_error.hpp>
#include <kvolt/connect_options.hpp>
#include <kvolt/detail/client/websocket_url.hpp>
#include <kvolt/detail/core/random.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/websocket.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

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
    /// @tparam Self  Leave it: it is there so that the transport is compiled only where this is called.
    /// @throws ConnectError      that tells why not.
    /// @throws std::bad_alloc    if there is no memory for it.
    /// @throws std::logic_error  outside of a loop of KVolt.
    template <class Self = WebSocketClient>
    Task<WebSocket> connect() const;

    /// Connect, again and again until it succeeds, after the waits that ConnectOptions::backoff() describes; only the
    /// very first try of all comes at once. Call it again when the connection is over. One at a time.
    ///
    /// @throws ConnectError  the last one: when Backoff::attempts have failed in a row, or the app stops. By default it
    ///                       never gives up, not even on a 404: see ConnectOptions::on_failure().
    /// @throws               whatever ConnectOptions::on_failure() throws, and std::bad_alloc; call it again then.
    /// @throws std::logic_error  outside of a loop of KVolt.
    template <class Self = WebSocketClient>
    Task<WebSocket> reconnect();

    /// Where it connects to: `ws://example.com/chat`. With the query, which may hold a secret.
    std::string url() const { return url_.to_string(); }

private:
    using Clock = std::chrono::steady_clock;

    template <class Self>
    Task<WebSocket> attempt() const;

    std::chrono::milliseconds next_delay() { return options_.backoff().delay(steps_++, detail::random_fraction()); }

    const detail::WebSocketUrl url_;
    const ConnectOptions options_;
    std::size_t steps_ = 0;                       // of the backoff, since all was well
    std::optional<Clock::time_point> connected_;  // when; nothing at first, and after a failure
    bool tried_ = false;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/websocket_client.hpp>
#endif

#endif
