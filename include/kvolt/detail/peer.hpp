#ifndef KVOLT_DETAIL_PEER_HPP
#define KVOLT_DETAIL_PEER_HPP

// What WebSocket handles share with their connection, and outlive it with.

#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/waiter.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// The connection behind a Peer, which tells it what to do.
class PeerLink {
public:
    /// The last message was taken: read on.
    virtual void read_more() = 0;

    /// Send a close frame and see the closing handshake through.
    virtual void start_close(std::uint16_t code, std::string_view reason) = 0;

protected:
    ~PeerLink() = default;
};

/// All but post_*() and over() belong to the loop's thread.
class Peer : public std::enable_shared_from_this<Peer> {
public:
    using Error = boost::system::error_code;

    Peer(Loop& loop, Link& link, PeerLink& session, const Backlog& limit, std::string protocol)
        : loop_(&loop), mailbox_(loop.mailbox()), link_(&link), session_(&session), limit_(limit), protocol_(std::move(protocol)) {}

    bool on_loop() const noexcept { return Loop::current() == loop_; }

    /// Run `function` on the loop, if that still exists.
    template <class Function>
    bool post(Function&& function) {
        return mailbox_->post(std::forward<Function>(function));
    }

    /// The connection; nullptr once it is gone.
    Link* link() const noexcept { return link_; }

    Loop& loop() const noexcept { return *loop_; }

    const std::string& protocol() const noexcept { return protocol_; }

    // Reading

    /// True once no message will come any more. Any thread.
    bool over() const noexcept { return over_.load(std::memory_order_acquire); }

    /// Why; only after over().
    std::uint16_t close_code() const noexcept { return close_code_; }
    const std::string& close_reason() const noexcept { return close_reason_; }

    bool has_message() const noexcept { return message_.has_value(); }

    std::optional<Message> take() {
        std::optional<Message> message = std::exchange(message_, std::nullopt);
        if (message && session_) session_->read_more();
        return message;
    }

    /// True while somebody waits for a message.
    bool awaited() const noexcept { return static_cast<bool>(reader_); }

    /// Call `handler` when there is a message, or none will come; or with an error when its wait is cancelled.
    template <class Handler>
    void wait(Handler handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        reader_ = Waiter<Error>::of(std::move(handler));
        if (slot.is_connected())
            slot.assign([self = weak_from_this()](boost::asio::cancellation_type) {
                if (auto peer = self.lock(); peer && peer->reader_) peer->resume_later(std::move(peer->reader_), boost::asio::error::operation_aborted);
            });
    }

    /// The connection has a message for the handler, which runs at once if it waits.
    void deliver(Message message) {
        message_ = std::move(message);
        if (reader_) reader_(Error());
    }

    // Sending

    SendResult send(MessageView message) {
        if (link_ == nullptr || link_->outbox().finished()) return SendResult::dropped;
        std::size_t begin = loop_->begin_append();
        append_frame(loop_->outgoing(), message.binary ? Opcode::binary : Opcode::text, message.payload);
        switch (link_->send(begin, loop_->outgoing().size(), Unit::frame, limit_)) {
            case Outbox::Added::queued: return SendResult::queued;
            case Outbox::Added::backpressure: return SendResult::backpressure;
            default: return SendResult::dropped;
        }
    }

    /// Offer what was sent to the socket, and tell whether it took it all.
    bool drained() {
        if (link_ != nullptr) link_->flush();
        return link_ == nullptr || link_->outbox().backlog() == 0;
    }

    /// Call `handler` when the backlog is empty or the connection is gone.
    template <class Handler>
    void wait_drained(Handler handler) {
        drain_waiters_.push_back(Waiter<Error>::of(std::move(handler)));
    }

    void on_drained() {
        for (auto& waiter : std::exchange(drain_waiters_, {})) resume_later(std::move(waiter), {});
    }

    /// Close from this side: what the peer sent and nobody has read is dropped.
    void close(std::uint16_t code, std::string_view reason) {
        if (session_ == nullptr || over()) return;
        message_.reset();
        session_->start_close(code, reason);
        end(code, reason);
    }

    // What the connection tells

    /// No more messages, for this reason; only the first one counts. The handler runs on later, not within this call.
    void end(std::uint16_t code, std::string_view reason) {
        if (over()) return;
        close_code_ = code;
        close_reason_ = reason;
        over_.store(true, std::memory_order_release);
        if (reader_) resume_later(std::move(reader_), {});
    }

    /// The connection is gone.
    void detach() {
        end(1006, {});
        link_ = nullptr;
        session_ = nullptr;
        on_drained();
    }

private:
    void resume_later(Waiter<Error> waiter, Error error) {
        if (loop_->cleared()) return;  // nothing will run any more: the waiting coroutine is destroyed here
        boost::asio::post(loop_->executor(), [waiter = std::move(waiter), error]() mutable { waiter(error); });
    }

    Loop* loop_;
    std::shared_ptr<Mailbox> mailbox_;
    Link* link_;
    PeerLink* session_;
    Backlog limit_;
    std::string protocol_;
    std::optional<Message> message_;
    Waiter<Error> reader_;
    std::vector<Waiter<Error>> drain_waiters_;
    std::atomic<bool> over_{false};
    std::uint16_t close_code_ = 0;
    std::string close_reason_;
};

}  // namespace kvolt::detail

#endif
