#ifndef KVOLT_DETAIL_PEER_HPP
#define KVOLT_DETAIL_PEER_HPP

// What WebSocket handles share with their connection, and outlive it with.

#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/waiter.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// The connection behind a Peer.
class PeerLink {
public:
    /// The last message was taken: read on.
    virtual void read_more() = 0;

    /// Send a close frame and see the closing handshake through.
    virtual void start_close(std::uint16_t code, std::string_view reason) = 0;

protected:
    ~PeerLink() = default;
};

/// One WebSocket connection, seen from its handler.
///
/// What the handles call is virtual, so that files which only define handlers need not compile it.
class Peer : public std::enable_shared_from_this<Peer> {
public:
    Peer(Loop& loop, Link& link, PeerLink& connection, const Backlog& limit, std::string protocol)
        : loop_(loop),
          mailbox_(loop.mailbox()),
          link_(&link),
          connection_(&connection),
          limit_(limit),
          protocol_(std::move(protocol)) {}

    virtual ~Peer() = default;

    // For handles, from any thread

    bool on_loop() const noexcept { return Loop::current() == &loop_; }

    virtual SendResult send(MessageView message) {
        if (on_loop()) return send_here(message);
        if (over()) return SendResult::dropped;
        bool posted = mailbox_->post(
            [self = shared_from_this(), message = Message{std::string(message.payload), message.binary}] {
                self->send_here(message);
            });
        return posted ? SendResult::queued : SendResult::dropped;
    }

    virtual void close(std::uint16_t code, std::string_view reason) {
        if (on_loop()) return close_here(code, reason);
        mailbox_->post(
            [self = shared_from_this(), code, reason = std::string(reason)] { self->close_here(code, reason); });
    }

    /// True once no message will come any more.
    bool over() const noexcept { return over_.load(std::memory_order_acquire); }

    /// Why; only after over().
    std::uint16_t close_code() const noexcept { return close_code_; }
    const std::string& close_reason() const noexcept { return close_reason_; }

    const std::string& protocol() const noexcept { return protocol_; }

    // For handles, on the loop

    virtual Task<std::optional<Message>> read() {
        auto self = shared_from_this();
        if (!on_loop())
            throw std::logic_error("kvolt: WebSocket::read() off its loop; await it in the handler that upgraded");
        if (!message_ && !over()) {
            if (reader_) throw std::logic_error("kvolt: WebSocket::read() while another read of it waits");
            co_await wait(&Peer::reader_);
        }
        std::optional<Message> message = std::exchange(message_, std::nullopt);
        if (message && connection_) connection_->read_more();
        co_return message;
    }

    virtual Task<> drained() {
        auto self = shared_from_this();
        if (!on_loop())
            throw std::logic_error("kvolt: WebSocket::drained() off its loop; await it in the handler that upgraded");
        if (link_) link_->flush();
        if (!backlogged()) co_return;
        if (drainer_) throw std::logic_error("kvolt: WebSocket::drained() while another wait for it is under way");
        co_await wait(&Peer::drainer_);
    }

    // For hubs, on the loop

    Loop& loop() const noexcept { return loop_; }
    const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }

    /// The connection; nullptr once it is gone.
    Link* link() const noexcept { return link_; }

    // For the connection, on the loop

    bool has_message() const noexcept { return message_.has_value(); }

    /// A message has come; a handler that waits for it runs at once.
    void deliver(Message message) {
        message_ = std::move(message);
        if (reader_) reader_(Error());
    }

    /// No more messages, for this reason; only the first one counts. The handler runs on later, not within this call.
    void end(std::uint16_t code, std::string_view reason) {
        if (over()) return;
        close_code_ = code;
        close_reason_ = reason;
        over_.store(true, std::memory_order_release);
        resume_later(reader_);
    }

    void on_drained() { resume_later(drainer_); }

    /// The connection is gone.
    void detach() {
        end(close_code::abnormal, {});
        link_ = nullptr;
        connection_ = nullptr;
        on_drained();
    }

private:
    using Error = boost::system::error_code;

    bool backlogged() const noexcept { return link_ && link_->outbox().backlog() > 0; }

    SendResult send_here(MessageView message) {
        if (link_ == nullptr || link_->outbox().finished()) return SendResult::dropped;
        std::size_t begin = loop_.begin_append();
        append_frame(loop_.outgoing(), message.binary ? Opcode::binary : Opcode::text, message.payload);
        switch (link_->send(begin, loop_.outgoing().size(), Unit::frame, limit_)) {
            case Outbox::Added::queued: return SendResult::queued;
            case Outbox::Added::backpressure: return SendResult::backpressure;
            default: return SendResult::dropped;
        }
    }

    // What the peer sent and nobody has read is dropped.
    void close_here(std::uint16_t code, std::string_view reason) {
        if (connection_ == nullptr || over()) return;
        message_.reset();
        connection_->start_close(code, reason);
        end(code, reason);
    }

    // Suspend until `place` is called; when the wait is cancelled, with an error.
    Task<> wait(Waiter<Error> Peer::*place) {
        auto initiate = [](auto handler, Peer* self, Waiter<Error> Peer::*place) {
            auto cancellation = boost::asio::get_associated_cancellation_slot(handler);
            self->*place = Waiter<Error>(std::move(handler));
            if (!cancellation.is_connected()) return;
            cancellation.assign([weak = self->weak_from_this(), place](boost::asio::cancellation_type) {
                if (auto peer = weak.lock()) peer->resume_later((*peer).*place, boost::asio::error::operation_aborted);
            });
        };
        return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Error)>(
            initiate, boost::asio::use_awaitable, this, place);
    }

    void resume_later(Waiter<Error>& waiter, Error error = {}) {
        if (!waiter) return;
        Waiter<Error> taken = std::move(waiter);
        if (loop_.cleared()) return;  // nothing will run any more: the waiting coroutine is destroyed here
        loop_.post([taken = std::move(taken), error]() mutable { taken(error); });
    }

    Loop& loop_;
    std::shared_ptr<Mailbox> mailbox_;
    Link* link_;
    PeerLink* connection_;
    const Backlog limit_;
    const std::string protocol_;
    std::optional<Message> message_;
    Waiter<Error> reader_;
    Waiter<Error> drainer_;
    std::atomic<bool> over_{false};
    std::uint16_t close_code_ = 0;
    std::string close_reason_;
};

}  // namespace kvolt::detail

#endif
