#ifndef KVOLT_DETAIL_NET_WIRE_HPP
#define KVOLT_DETAIL_NET_WIRE_HPP

#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/net/platform.hpp>
#include <kvolt/detail/net/protocol.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <utility>

namespace kvolt::detail {

using platform::PeerState;

/// The socket of one connection, with its outbox.
template <class Stream>
class Wire final : public Link {
public:
    using executor_type = typename Stream::executor_type;
    using Error = boost::system::error_code;
    using Owner = std::shared_ptr<void>;

    /// @param place  Among the connections of its loop, which it keeps until its socket is closed.
    Wire(Loop& loop, Stream stream, Protocol& protocol, Place&& place = {})
        : Link(loop), stream_(std::move(stream)), protocol_(&protocol), place_(std::move(place)) {
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

    void arm(std::chrono::milliseconds delay) {
        if (!closed_) loop().arm(*this, delay);
    }
    void arm_at(Tick due) {
        if (!closed_) loop().arm_at(*this, due);
    }

    void flush() override {
        if (closed_) return;
        Link::attempt([this] {
            outbox().flush(loop().outgoing(), [this](const auto& buffers) { return this->write(buffers); });
            after_write(false);
        });
    }

    void shut_down() override {
        attempt([this] { protocol_->on_shut_down(); });
    }

    void abort() noexcept override {
        if (closed_) return;
        closed_ = true;
        outbox().clear();
        weigh();
        Error ignored;
        stream_.close(ignored);
        place_.give_back();
        loop().wake(*this);  // for on_lost()
    }

    /// Like Link::attempt(), and this outlives the function.
    template <class Function>
    void attempt(Function&& function) {
        Owner self = owner_.lock();
        Link::attempt(std::forward<Function>(function));
    }

    /// Close now, and forget what the peer has not taken: the kernel would keep it for long.
    void reset() {
        Error ignored;
        if (!closed_) stream_.lowest_layer().set_option(boost::asio::socket_base::linger(true, 0), ignored);
        abort();
    }

    // Whoever is weighed now does not answer for this one.
    void shed() override {
        attempt([this] { protocol_->on_overload(); });
    }

    void abandon() override {
        auto self = owner_.lock();
        if (self) protocol_->on_lost();
    }

    /// True if the peer has taken anything since it was waited for, or asked about: a socket tells that there is room
    /// only when a third of its buffer is free, which may take a slow peer long.
    bool peer_is_taking() noexcept {
        int before = queued_;
        queued_ = in_socket();
        return queued_ < before;
    }

    /// Let the kernel ask the peer's machine for a sign of life from now on: one that stays silent for so long has
    /// gone.
    void keep_alive(std::chrono::milliseconds limit) noexcept {
        platform::keep_alive(stream_.lowest_layer().native_handle(), limit);
    }

    /// Whatever lies unread in front of the end.
    PeerState peer_state() noexcept {
        if constexpr (requires { stream_.lost(); }) return stream_.lost() ? PeerState::gone : PeerState::here;
        return platform::peer_state(stream_.lowest_layer().native_handle());
    }

    /// The protocol itself sends, by the stream, and found no room: call on_drained() once there is some.
    void await_room() { wait_writable(); }

    /// Send what is queued, say that no more will come, and close once the peer has closed, too, or after `limit`.
    ///
    /// @param peer_first  Leave it to the peer to say so first.
    void finish(std::chrono::milliseconds limit, bool peer_first = false) {
        if (closed_ || finishing_) return;
        finishing_ = true;
        peer_first_ = peer_first;
        finish_limit_ = limit;
        queued_ = in_socket();
        outbox().finish();
        disarm();  // whatever it was woken for before
        arm(limit);
        if (peer_ended_) return flush();  // while somebody keeps this wire alive: no read will
        shut_down_send();
        if (!reading_) discard(owner_.lock());
    }

    bool finishing() const noexcept { return finishing_; }

    /// Read, one at a time. Once the wire finishes, what comes is forgotten and `handler` is not called.
    ///
    /// @param handler  It keeps this wire alive.
    template <class Handler>
    void read(boost::asio::mutable_buffer to, Handler handler) {
        reading_ = true;
        stream_.async_read_some(to, Operation<Handler>(*this, std::move(handler)));
    }

    bool reading() const noexcept { return reading_; }

    /// Read what is there already; 0 if there is nothing, or an error that the next read will tell.
    std::size_t read_now(boost::asio::mutable_buffer to) {
        Error ignored;
        return read_now(to, ignored);
    }

    /// The same, and the error: `would_block` if there is nothing.
    std::size_t read_now(boost::asio::mutable_buffer to, Error& error) {
        error = boost::asio::error::would_block;
        if (closed_ || finishing_) return 0;
        std::size_t size = stream_.read_some(to, error);
        return error ? 0 : size;
    }

    /// Call `handler` once when the socket is ready: to be read, or because it has an error. Not once this is closed.
    ///
    /// @param handler  It keeps this wire alive.
    template <class Handler>
    void await(boost::asio::socket_base::wait_type what, Handler handler) {
        stream_.async_wait(what, Operation<Handler>(*this, std::move(handler)));
    }

private:
    // What an operation completes with. If Asio drops it, for lack of memory to go on, nothing more would come.
    template <class Handler>
    class Operation {
    public:
        Operation(Wire& wire, Handler handler) noexcept : wire_(&wire), handler_(std::move(handler)) {}
        Operation(Operation&& other) noexcept
            : wire_(std::exchange(other.wire_, nullptr)), handler_(std::move(other.handler_)) {}
        ~Operation() {
            if (wire_ && !wire_->loop().cleared()) wire_->abort();
        }

        void operator()(Error error, std::size_t size) {
            std::exchange(wire_, nullptr)->on_read(error, size, handler_);
        }
        void operator()(Error) { std::exchange(wire_, nullptr)->on_ready(handler_); }

    private:
        Wire* wire_;
        Handler handler_;
    };

    template <class Handler>
    void on_read(Error error, std::size_t size, Handler& handler) {
        reading_ = false;
        if (error) peer_ended_ = true;
        if (closed_) return;
        attempt([&] {
            if (finishing_)
                discarded(error, owner_.lock());
            else
                handler(error, size);
        });
    }

    template <class Handler>
    void on_ready(Handler& handler) {
        if (!closed_) attempt(handler);
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
        std::size_t size = outbox().drain([this](const auto& buffers) { return this->write(buffers); });
        return size > 0 || unsent() < before;
    }

    // Of what was sent. Too much may wait in all, and this be closed for it.
    void look_at_rest() {
        if (closed_) return;
        outbox().unsent(unsent());
        weigh();
    }

    void after_write(bool progress) {
        if (lost_) return abort();
        look_at_rest();
        if (closed_) return;
        if (outbox().backlog() == 0) {
            shut_down_send();
            if (!progress) return;
            protocol_->on_drained();
            return;
        }
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
            attempt([this] {
                bool progress = drain();
                look_at_rest();
                if (progress || lost_ || outbox().backlog() == 0)  // the hub may have dropped it all
                    after_write(true);
                else
                    wait_writable();
            });
        });
    }

    // Bytes that were sent and not acknowledged.
    int in_socket() noexcept { return platform::unacknowledged(stream_.lowest_layer().native_handle()); }

    void shut_down_send() {
        if (!finishing_ || said_end_ || !outbox().empty() || (peer_first_ && !peer_ended_)) return;
        Error error;
        stream_.shutdown(boost::asio::socket_base::shutdown_send, error);
        outbox().unsent(unsent());
        if (!outbox().empty()) return wait_writable();  // for the room that a close_notify needs
        said_end_ = true;
        queued_ = in_socket();
        if (peer_ended_) abort();
    }

    // Read and forget, so that the peer gets our last words instead of a reset (RFC 9112, section 9.6).
    void discard(Owner self) {
        auto bytes = std::make_unique<std::array<char, 2048>>();
        auto buffer = boost::asio::buffer(*bytes);
        stream_.async_read_some(
            buffer, [this, self = std::move(self), bytes = std::move(bytes)](Error error, std::size_t) mutable {
                if (!closed_) attempt([&] { discarded(error, std::move(self)); });
            });
    }

    void discarded(Error error, Owner self) {
        if (!error) return discard(std::move(self));
        peer_ended_ = true;
        outbox().empty() ? abort() : flush();  // nobody else keeps this wire alive
    }

    void on_deadline() override {
        attempt([this] { on_due(); });
    }

    void on_due() {
        if (closed_) {
            if (!owner_.expired()) protocol_->on_lost();
        } else if (!finishing_) {
            if (!owner_.expired()) protocol_->on_late();
        } else if (peer_is_taking()) {
            arm(finish_limit_);
            if (outbox().backlog() > 0) protocol_->on_backlog();  // which may have its own limit
        } else {
            outbox().backlog() > 0 ? reset() : abort();
        }
    }

    Stream stream_;
    Protocol* protocol_;
    Place place_;
    bool reading_ = false;
    bool waiting_ = false;    // for writability
    bool lost_ = false;       // a write failed
    bool finishing_ = false;  // nothing more will be sent
    bool peer_first_ = false;
    bool said_end_ = false;  // and the peer was told
    bool peer_ended_ = false;
    bool closed_ = false;
    std::weak_ptr<void> owner_;
    int queued_ = 0;  // in the socket, when the peer was last looked at
    std::chrono::milliseconds finish_limit_{0};
};

}  // namespace kvolt::detail

#endif
