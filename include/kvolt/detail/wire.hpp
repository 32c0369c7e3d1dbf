#ifndef KVOLT_DETAIL_WIRE_HPP
#define KVOLT_DETAIL_WIRE_HPP

// The socket of one connection, with its outbox. It is also the next layer of Beast's websocket::stream, which reads
// through it and whose few writes (the 101, pongs, close frames) go into the outbox like everything else.

#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/protocol.hpp>
#include <kvolt/detail/waiter.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/beast/core/role.hpp>

#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <linux/sockios.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

template <class Stream>
class Wire final : public Link {
public:
    using executor_type = typename Stream::executor_type;
    using Error = boost::system::error_code;
    using Owner = std::shared_ptr<void>;

    Wire(Loop& loop, Stream stream, Protocol& protocol) : Link(loop), stream_(std::move(stream)), protocol_(&protocol) {
        Error ignored;
        stream_.non_blocking(true, ignored);
    }

    /// Who keeps this wire alive; set once, before anything else.
    void owner(std::weak_ptr<void> owner) { owner_ = std::move(owner); }

    void protocol(Protocol& protocol) noexcept { protocol_ = &protocol; }

    executor_type get_executor() noexcept { return stream_.get_executor(); }
    Stream& stream() noexcept { return stream_; }

    /// True once the socket is closed.
    bool closed() const noexcept { return closed_; }

    void arm(std::chrono::milliseconds delay) { loop().arm(*this, delay); }
    void arm_at(Tick due) { loop().arm_at(*this, due); }

    void flush() override {
        if (closed_) return;
        outbox().flush(loop().outgoing(), [this](const auto& buffers) { return write(buffers); });
        after_write(false);
    }

    void shut_down() override { protocol_->on_shut_down(); }

    void abort() override {
        if (closed_) return;
        closed_ = true;
        outbox().clear();
        disarm();
        Error ignored;
        stream_.close(ignored);
        release_writer();
        if (auto self = owner_.lock()) boost::asio::post(get_executor(), [this, self] { this->protocol_->on_lost(); });
    }

    /// Close now, and forget what the peer has not taken: the kernel would keep it for long.
    void reset() {
        Error ignored;
        if (!closed_) stream_.lowest_layer().set_option(boost::asio::socket_base::linger(true, 0), ignored);
        abort();
    }

    void abandon() override {
        auto self = owner_.lock();
        writer_ = Waiter<>();
        if (self) protocol_->on_lost();
    }

    /// True if the peer has taken anything since it was waited for, or asked about: a socket tells that there is room
    /// only when a third of its buffer is free, which may take a slow peer long.
    bool peer_is_taking() noexcept {
        int before = queued_;
        queued_ = in_socket();
        return queued_ < before;
    }

    /// The protocol itself sends, by the stream, and found no room: call on_drained() once there is some.
    void await_room() { wait_writable(); }

    /// Send what is queued, say that no more will come, and close once the peer has closed, too, or after `limit`.
    void finish(std::chrono::milliseconds limit) {
        if (closed_ || finishing_) return;
        finishing_ = true;
        finish_limit_ = limit;
        queued_ = in_socket();
        outbox().finish();
        arm(limit);
        if (peer_ended_) return flush();  // while somebody keeps this wire alive: no read will
        shut_down_send();
        if (!reading_) discard(owner_.lock());
    }

    bool finishing() const noexcept { return finishing_; }

    /// Read on behalf of HTTP. Once the wire finishes, what comes is forgotten and `handler` is not called.
    template <class Handler>
    void read(boost::asio::mutable_buffer to, Handler handler) {
        reading_ = true;
        stream_.async_read_some(to, [this, handler = std::move(handler)](Error error, std::size_t size) mutable {
            reading_ = false;
            if (error) peer_ended_ = true;
            if (closed_) return;
            if (finishing_)
                discarded(error, owner_.lock());
            else
                handler(error, size);
        });
    }

    // For Beast, after an upgrade

    /// Bytes that came in behind the handshake.
    void left_over(std::string bytes) { left_over_ = std::move(bytes); }

    /// What follows are frames.
    void begin_frames(std::size_t fragment_limit) {
        frames_ = true;
        fragment_limit_ = fragment_limit;
        last_received_ = loop().now();
    }

    Tick last_received() const noexcept { return last_received_; }

    /// When the message that has come in part began; nothing if there is none.
    const std::optional<Tick>& message_since() const noexcept { return message_since_; }

    /// Time that the peer was not read from does not count against it.
    void forgive() noexcept {
        last_received_ = loop().now();
        if (message_since_) message_since_ = last_received_;
    }

    bool too_many_fragments() const noexcept { return counter_.peak() > fragment_limit_; }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
            [](auto handler, Wire* wire, const Buffers& to) { wire->start_read(to, std::move(handler)); }, token, this,
            buffers);
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(Error, std::size_t)>(
            [](auto handler, Wire* wire, const Buffers& from) { wire->start_write(from, std::move(handler)); }, token,
            this, buffers);
    }

    // Beast writes the 101 by these, at once.
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, Error& error) {
        error = {};
        return take(buffers);
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers) {
        return take(buffers);
    }
    template <class Buffers>
    std::size_t read_some(const Buffers&, Error& error) {
        error = boost::asio::error::operation_not_supported;
        return 0;
    }
    template <class Buffers>
    std::size_t read_some(const Buffers&) {
        return 0;
    }

private:
    template <class Buffers, class Handler>
    struct OnRead {
        using executor_type = boost::asio::associated_executor_t<Handler, typename Wire::executor_type>;
        using allocator_type = boost::asio::associated_allocator_t<Handler>;
        using cancellation_slot_type = boost::asio::associated_cancellation_slot_t<Handler>;

        executor_type get_executor() const noexcept {
            return boost::asio::get_associated_executor(handler, wire->get_executor());
        }
        allocator_type get_allocator() const noexcept { return boost::asio::get_associated_allocator(handler); }
        cancellation_slot_type get_cancellation_slot() const noexcept {
            return boost::asio::get_associated_cancellation_slot(handler);
        }

        void operator()(Error error, std::size_t size) {
            if (!error && !wire->received(buffers, size)) error = boost::asio::error::connection_aborted;
            std::move(handler)(error, size);
        }

        Wire* wire;
        Buffers buffers;
        Handler handler;
    };

    template <class Buffers, class Handler>
    void start_read(const Buffers& buffers, Handler handler) {
        OnRead<Buffers, Handler> on_read{this, buffers, std::move(handler)};
        if (left_over_.empty()) return stream_.async_read_some(buffers, std::move(on_read));
        std::size_t size = boost::asio::buffer_copy(buffers, boost::asio::buffer(left_over_));
        left_over_.erase(0, size);
        if (left_over_.empty()) std::string().swap(left_over_);
        boost::asio::post(get_executor(), [on_read = std::move(on_read), size]() mutable { on_read(Error(), size); });
    }

    // False if the peer sends a message in too many pieces.
    template <class Buffers>
    bool received(const Buffers& buffers, std::size_t size) {
        last_received_ = loop().now();
        for (auto part = boost::asio::buffer_sequence_begin(buffers); size > 0; ++part) {
            boost::asio::const_buffer bytes(*part);
            std::size_t used = std::min(size, bytes.size());
            counter_.feed({static_cast<const char*>(bytes.data()), used});
            size -= used;
        }
        watch_message();
        return !too_many_fragments();
    }

    void watch_message() {
        if (counter_.messages() != messages_) message_since_.reset();
        messages_ = counter_.messages();
        if (!counter_.in_message()) return message_since_.reset();
        if (!message_since_) message_since_ = last_received_;
    }

    // A close frame goes a little later: behind what the handler, in this turn, answers to the message before it.
    template <class Buffers, class Handler>
    void start_write(const Buffers& buffers, Handler handler) {
        if (!frames_ || opcode(buffers) != Opcode::close) return finish_write(buffers, std::move(handler));
        boost::asio::post(get_executor(), [this, buffers, handler = std::move(handler)]() mutable {
            finish_write(buffers, std::move(handler));
        });
    }

    // Completes by post; while much waits for the peer to take it, once that is less: so pings cannot make pongs pile
    // up.
    template <class Buffers, class Handler>
    void finish_write(const Buffers& buffers, Handler handler) {
        std::size_t size = take(buffers);
        auto done = [handler = std::move(handler), size]() mutable { std::move(handler)(Error(), size); };
        if (outbox().backlog() > most_behind_ && !outbox().finished())
            writer_ = Waiter<>(std::move(done));
        else
            boost::asio::post(get_executor(), std::move(done));
    }

    template <class Buffers>
    static Opcode opcode(const Buffers& frame) {
        boost::asio::const_buffer first(*boost::asio::buffer_sequence_begin(frame));
        return static_cast<Opcode>(*static_cast<const unsigned char*>(first.data()) & 15);
    }

    template <class Buffers>
    std::size_t take(const Buffers& buffers) {
        std::size_t begin = loop().begin_append();
        std::string& outgoing = loop().outgoing();
        for (auto part = boost::asio::buffer_sequence_begin(buffers); part != boost::asio::buffer_sequence_end(buffers);
             ++part) {
            boost::asio::const_buffer bytes(*part);
            outgoing.append(static_cast<const char*>(bytes.data()), bytes.size());
        }
        std::size_t size = outgoing.size() - begin;
        if (size == 0) return 0;
        send(begin, outgoing.size(), frames_ ? Unit::frame : Unit::raw);
        if (frames_ && opcode(buffers) == Opcode::close) outbox().finish();
        return size;
    }

    template <class Buffers>
    std::size_t write(const Buffers& buffers) {
        Error error;
        std::size_t size = stream_.write_some(buffers, error);
        if (!error) return size;
        if (error != boost::asio::error::would_block && error != boost::asio::error::try_again) lost_ = true;
        return 0;
    }

    // What a stream keeps back for itself: ciphertext.
    std::size_t unsent() const noexcept {
        if constexpr (requires { stream_.unsent(); })
            return stream_.unsent();
        else
            return 0;
    }

    // Offer what waits to the socket. True if it took some.
    bool drain() {
        std::size_t before = unsent();
        if constexpr (requires(Error & error) { stream_.flush(error); }) {
            Error error;
            stream_.flush(error);
            lost_ = lost_ || error;
        }
        std::size_t size = outbox().drain([this](const auto& buffers) { return write(buffers); });
        return size > 0 || unsent() < before;
    }

    void after_write(bool progress) {
        if (lost_) return abort();
        outbox().unsent(unsent());
        if (outbox().backlog() == 0) {
            shut_down_send();
            if (!progress) return;
            release_writer();
            protocol_->on_drained();
            return;
        }
        if (outbox().backlog() <= most_behind_) release_writer();
        if (progress || !waiting_) protocol_->on_backlog();
        wait_writable();
    }

    void wait_writable() {
        if (waiting_) return;
        waiting_ = true;
        queued_ = in_socket();
        stream_.async_wait(boost::asio::socket_base::wait_write, [this, self = owner_.lock()](Error error) {
            waiting_ = false;
            if (error || closed_) return;
            bool progress = drain();
            outbox().unsent(unsent());
            if (progress || lost_ || outbox().backlog() == 0)  // the hub may have dropped it all
                after_write(true);
            else
                wait_writable();
        });
    }

    // Bytes that were sent and not acknowledged.
    int in_socket() noexcept {
        int bytes = 0;
        ::ioctl(stream_.lowest_layer().native_handle(), SIOCOUTQ, &bytes);
        return bytes;
    }

    void release_writer() {
        if (writer_) boost::asio::post(get_executor(), std::move(writer_));
    }

    void shut_down_send() {
        if (!finishing_ || said_end_ || !outbox().empty()) return;
        Error error;
        stream_.shutdown(boost::asio::socket_base::shutdown_send, error);
        outbox().unsent(unsent());
        if (!outbox().empty()) return wait_writable();  // for the room that a close_notify needs
        said_end_ = true;
        if (peer_ended_) abort();
    }

    // Read and forget, so that the peer gets our last words instead of a reset (RFC 9112, section 9.6).
    void discard(Owner self) {
        auto bytes = std::make_unique<std::array<char, 2048>>();
        auto buffer = boost::asio::buffer(*bytes);
        stream_.async_read_some(
            buffer, [this, self = std::move(self), bytes = std::move(bytes)](Error error, std::size_t) mutable {
                if (!closed_) discarded(error, std::move(self));
            });
    }

    void discarded(Error error, Owner self) {
        if (!error) return discard(std::move(self));
        peer_ended_ = true;
        outbox().empty() ? abort() : flush();  // nobody else keeps this wire alive
    }

    void on_deadline() override {
        auto self = owner_.lock();
        if (!finishing_) {
            if (self) protocol_->on_late();
        } else if (peer_is_taking()) {
            arm(finish_limit_);
            if (outbox().backlog() > 0) protocol_->on_backlog();  // which may have its own limit
        } else {
            outbox().backlog() > 0 ? reset() : abort();
        }
    }

    static constexpr std::size_t most_behind_ = 64 * 1024;  // bytes that a pong may queue behind

    Stream stream_;
    Protocol* protocol_;
    std::weak_ptr<void> owner_;
    std::string left_over_;
    Waiter<> writer_;
    FrameCounter counter_;
    std::size_t fragment_limit_ = static_cast<std::size_t>(-1);
    Tick last_received_ = 0;
    std::optional<Tick> message_since_;
    std::size_t messages_ = 0;  // that had ended by the last read
    int queued_ = 0;            // in the socket, when the peer was last looked at
    std::chrono::milliseconds finish_limit_{0};
    bool frames_ = false;
    bool reading_ = false;    // on behalf of HTTP
    bool waiting_ = false;    // for writability
    bool lost_ = false;       // a write failed
    bool finishing_ = false;  // nothing more will be sent
    bool said_end_ = false;   // and the peer was told
    bool peer_ended_ = false;
    bool closed_ = false;
};

// Beast asks for these at the end of a WebSocket; the session closes the wire itself, in its own time.

template <class Stream>
void teardown(boost::beast::role_type, Wire<Stream>&, boost::system::error_code& error) {
    error = {};
}

template <class Stream, class Handler>
void async_teardown(boost::beast::role_type, Wire<Stream>& wire, Handler&& handler) {
    boost::asio::post(wire.get_executor(), [handler = std::forward<Handler>(handler)]() mutable {
        std::move(handler)(boost::system::error_code());
    });
}

template <class Stream>
void beast_close_socket(Wire<Stream>& wire) {
    wire.abort();
}

}  // namespace kvolt::detail

#endif
