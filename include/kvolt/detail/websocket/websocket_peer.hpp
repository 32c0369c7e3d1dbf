#ifndef KVOLT_DETAIL_WEBSOCKET_WEBSOCKET_PEER_HPP
#define KVOLT_DETAIL_WEBSOCKET_WEBSOCKET_PEER_HPP

#include <kvolt/detail/core/charge.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/mask.hpp>
#include <kvolt/detail/core/random.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/wait_point.hpp>
#include <kvolt/detail/websocket/client_frame.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

template <class Stream>
class WebSocketSession;

/// The handler's side of a WebSocket: a message that waits to be read, and the coroutines that wait.
template <class Stream>
class WebSocketPeer final : public Peer, public std::enable_shared_from_this<WebSocketPeer<Stream>> {
public:
    using Session = WebSocketSession<Stream>;

    WebSocketPeer(Session& session, Link& link, const Backlog& limit, std::string protocol, Role role,
                  std::unique_ptr<Deflater> deflater)
        : Peer(link, std::move(protocol), role, std::move(deflater)), session_(&session), terms_{limit} {}

    // For handles

    SendResult send(MessageView message) override {
        if (!message.is_valid()) return SendResult::invalid;
        if (on_loop()) return send_here(message);
        if (over() || under_way_.load(std::memory_order_relaxed) > terms_.limit.bytes) return SendResult::dropped;
        Charge charge(under_way_, message.payload.size() + overhead);
        bool posted = mailbox()->post(
            [self = this->shared_from_this(), charge = std::move(charge),
             message = Message{std::string(message.payload), message.binary}] { self->send_here(message); });
        return posted ? SendResult::queued : SendResult::dropped;
    }

    void close(std::uint16_t code, std::string_view reason) override {
        if (on_loop()) return close_here(code, reason);
        mailbox()->post(
            [self = this->shared_from_this(), code, reason = std::string(reason)] { self->close_here(code, reason); });
    }

    Task<std::optional<Message>> read() override {
        auto self = this->shared_from_this();
        if (!on_loop())
            throw std::logic_error("kvolt: WebSocket::read() off its loop; await it where the connection was made");
        if (!message_ && !over()) {
            if (reader_.waiting()) throw std::logic_error("kvolt: WebSocket::read() while another read of it waits");
            co_await reader_.wait(loop(), self);
        }
        std::optional<Message> message = std::exchange(message_, std::nullopt);
        if (message && session_) session_->read_more();
        co_return message;
    }

    Task<> drained() override {
        auto self = this->shared_from_this();
        if (!on_loop())
            throw std::logic_error("kvolt: WebSocket::drained() off its loop; await it where the connection was made");
        if (link()) link()->flush();
        if (!link() || link()->outbox().backlog() == 0) co_return;
        if (drainer_.waiting())
            throw std::logic_error("kvolt: WebSocket::drained() while another wait for it is under way");
        co_await drainer_.wait(loop(), self);
    }

    // For the session

    /// Append a frame as this side has to write it.
    void append(std::string& out, Opcode opcode, std::string_view payload) const {
        std::size_t begin = out.size();
        append_frame(out, opcode, payload);
        mask(out, begin);
    }

    bool has_message() const noexcept { return message_.has_value(); }

    /// A message has come; a handler that waits for it runs at once.
    void deliver(Message message) {
        message_ = std::move(message);
        reader_.wake_now();
    }

    /// No more messages, for this reason; only the first one counts. The handler runs on later, not within this call.
    void end(std::uint16_t code, std::string_view reason) {
        if (over()) return;
        set_over(code, reason);
        reader_.wake_later(loop());
    }

    void on_drained() {
        drainer_.wake_later(loop());
        this->tell_drained();
    }

    /// The connection is lost.
    void on_lost() noexcept {
        end(close_code::abnormal, {});
        drainer_.wake_later(loop());
        this->forget_drained();
    }

    /// The session is gone.
    void detach() noexcept {
        unlink();
        session_ = nullptr;
        on_lost();
    }

private:
    SendResult send_here(MessageView message) {
        if (!link() || link()->outbox().finished()) return SendResult::dropped;
        auto added = Outbox::Added::dropped;
        link()->attempt([&] {
            std::size_t begin = loop().begin_append();
            append(message);
            added = link()->send(begin, loop().outgoing().size(), Unit::frame, terms_);
        });
        switch (added) {
            case Outbox::Added::queued: return SendResult::queued;
            case Outbox::Added::backpressure: return SendResult::backpressure;
            default:
                if (deflater()) deflater()->forget();
                return SendResult::dropped;
        }
    }

    void append(MessageView message) {
        std::string& out = loop().outgoing();
        std::size_t begin = out.size();
        Opcode opcode = message.binary ? Opcode::binary : Opcode::text;
        bool compressed = deflater() && append_compressed(out, opcode, [&](std::string& payload) {
                              return deflater()->deflate(message.payload, payload);
                          });
        if (!compressed) append_frame(out, opcode, message.payload);
        mask(out, begin);
    }

    // A client masks what it sends.
    void mask(std::string& out, std::size_t begin) const {
        if (role() == Role::client) mask_frame(out, begin, random_value<Mask>());
    }

    // What the peer sent and nobody has read is dropped.
    void close_here(std::uint16_t code, std::string_view reason) {
        if (!session_ || over()) return;
        message_.reset();
        link()->attempt([&] {
            session_->start_close(code, reason);
            end(code, reason);
        });
    }

    static constexpr std::size_t overhead = 128;  // bytes of a post, about

    Session* session_;
    const Terms terms_;
    std::atomic<std::size_t> under_way_{0};  // bytes from other threads to the loop
    std::optional<Message> message_;
    WaitPoint<> reader_;
    WaitPoint<> drainer_;
};

}  // namespace kvolt::detail

#endif
