#ifndef KVOLT_WEBSOCKET_HPP
#define KVOLT_WEBSOCKET_HPP

#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/message.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

namespace detail {

/// @throws std::invalid_argument  for a code that must not be sent (RFC 6455, section 7.4), and for a reason that is
///                                not UTF-8 (section 5.5.1).
void check_close(std::uint16_t code, std::string_view reason);

}  // namespace detail

/// A WebSocket connection (RFC 6455), made by `co_await context.upgrade()`, or on the other side by a WebSocketClient.
///
/// A cheap handle: copies mean the same connection. It never dangles: when the connection is gone, sending and closing
/// do nothing. When the handler that upgraded returns, the connection is closed with 1000, with 1011 if it threw; a
/// client's is closed when its last handle goes.
///
/// Pings, pongs, dead peers and the closing handshake are taken care of.
///
/// @note Thread safety: `send`, `close` and the plain getters may be called from any thread, also on the same
///       connection. `read` and `drained` are for the connection's own loop, where its handler runs.
class WebSocket {
public:
    explicit WebSocket(std::shared_ptr<detail::Peer> peer) noexcept : peer_(std::move(peer)) {}

    /// Wait for the next message.
    ///
    /// Completes with nothing when the connection is over, which close_code() explains; from then on always at once.
    /// While nobody reads, at most one message is read ahead and the peer is slowed down by TCP.
    /// Cancelling the wait loses no message: `co_await (socket.read() || timer.async_wait(use_awaitable))` works. Mind
    /// that Asio's `||` waits for one that succeeds: what the other throws before that is lost.
    ///
    /// @throws std::logic_error  if another read of this connection is waiting.
    Task<std::optional<Message>> read() const { return peer_->read(); }

    /// Send a message: queued at once, sent when the loop's turn ends, in order with all else on this connection.
    ///
    /// @param message  Text must be UTF-8: it is checked, once. Copied: the caller may reuse it on return.
    /// @returns  what became of it. From a thread that is not the connection's loop, `queued` means handed to that
    ///           loop, and `dropped` also that more than `Limits::backlog` is on its way there.
    SendResult send(MessageView message) const { return peer_->send(message); }

    /// Wait until everything that was sent has been taken by the network, or the connection is gone.
    ///
    /// For whoever sends much: after `backpressure`, await this before more.
    ///
    /// @throws std::logic_error  if another wait of this kind is under way.
    Task<> drained() const { return peer_->drained(); }

    /// Close: what was sent goes out, then the close frame. `read` ends at once, with this code.
    ///
    /// @param code    1000 to 1014 as far as RFC 6455 allows them to be sent, or 3000 to 4999.
    /// @param reason  UTF-8, cut to 123 bytes.
    /// @throws std::invalid_argument  for a code that must not be sent, and for a reason that is not UTF-8.
    void close(std::uint16_t code = close_code::normal, std::string_view reason = {}) const;

    /// True until `read` has no more to come.
    bool is_open() const noexcept { return !peer_->over(); }

    /// Why the connection is over: the peer's code or ours, 1005 if the peer gave none, 1006 if it vanished; 0 while it
    /// is open.
    std::uint16_t close_code() const noexcept { return peer_->over() ? peer_->close_code() : std::uint16_t{0}; }

    std::string close_reason() const { return peer_->over() ? peer_->close_reason() : std::string(); }

    /// How long the last ping took to be answered; nothing before the first answer. The server sends one every
    /// `Limits::ping_interval` (RFC 6455, section 5.5.2).
    std::optional<std::chrono::microseconds> round_trip_time() const noexcept {
        auto time = peer_->round_trip_time();
        return time.count() < 0 ? std::nullopt : std::optional(time);
    }

    /// The subprotocol that was agreed on; empty if none.
    const std::string& protocol() const noexcept { return peer_->protocol(); }

    const std::shared_ptr<detail::Peer>& peer() const noexcept { return peer_; }

private:
    std::shared_ptr<detail::Peer> peer_;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/websocket.hpp>
#endif

#endif
