#ifndef KVOLT_DETAIL_WEBSOCKET_SESSION_HPP
#define KVOLT_DETAIL_WEBSOCKET_SESSION_HPP

#include <kvolt/detail/websocket_peer.hpp>
#include <kvolt/detail/wire.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// A WebSocket on the server's side. Beast reads: handshake, unmasking, fragments, control frames, UTF-8, the peer's
/// close. What is sent goes to the wire's outbox as ready frames.
template <class Stream>
class WebSocketSession final : public Protocol {
public:
    using Owner = std::shared_ptr<void>;

    WebSocketSession(Wire<Stream>& wire, const Limits& limits, std::string protocol)
        : wire_(wire),
          limits_(limits),
          peer_(std::make_shared<WebSocketPeer<Stream>>(*this, wire, limits.backlog, std::move(protocol))),
          websocket_(wire) {
        wire.loop().add_websocket();
    }

    ~WebSocketSession() {
        wire_.loop().remove_websocket();
        peer_->detach();
    }

    WebSocketSession(const WebSocketSession&) = delete;
    WebSocketSession& operator=(const WebSocketSession&) = delete;

    std::shared_ptr<Peer> peer() const noexcept { return peer_; }

    /// Answer a checked handshake and begin to read. Bytes behind the request are in the wire already.
    ///
    /// @param said  What middleware has said in the header, such as cookies, goes with the answer.
    /// @throws boost::system::system_error  if Beast finds a fault that the check did not.
    void accept(const Request& request, const Response& said, std::weak_ptr<void> owner) {
        namespace http = boost::beast::http;
        owner_ = std::move(owner);
        http::request<http::empty_body> clean(http::verb::get, "/", 11);  // exactly what the check has seen
        clean.set(http::field::host, "host");
        clean.set(http::field::upgrade, "websocket");
        clean.set(http::field::connection, "Upgrade");
        clean.set(http::field::sec_websocket_key, boost::beast::string_view(request.header("Sec-WebSocket-Key")));
        clean.set(http::field::sec_websocket_version, "13");
        websocket_.set_option(
            boost::beast::websocket::stream_base::decorator([&](boost::beast::websocket::response_type& response) {
                response.erase(http::field::server);
                for (const auto& [name, value] : said.fields())
                    if (!is_of_handshake(name)) response.insert(name, value);
                if (!peer_->protocol().empty()) response.set(http::field::sec_websocket_protocol, peer_->protocol());
            }));
        websocket_.read_message_max(limits_.message_size);
        websocket_.accept(clean);
        wire_.begin_frames(limits_.message_fragments);
        wire_.protocol(*this);
        wire_.arm(shortest_limit());
        read(owner_.lock());
    }

    /// The handler has ended.
    void handler_done(std::uint16_t code) { peer_->close(code, {}); }

    // For the peer

    /// The last message was taken: read on.
    void read_more() {
        if (reading_ || wire_.finishing() || wire_.closed()) return;
        wire_.forgive();
        read(owner_.lock());
    }

    /// Send a close frame and see the closing handshake through.
    void start_close(std::uint16_t code, std::string_view reason) {
        if (closing_ || wire_.finishing() || wire_.closed()) return;
        closing_ = true;
        std::size_t begin = wire_.loop().begin_append();
        append_close(wire_.loop().outgoing(), code, reason);
        wire_.send(begin, wire_.loop().outgoing().size(), Unit::frame);
        wire_.outbox().finish();
        wire_.arm(limits_.close_timeout);
        if (!reading_ && !ended_) read(owner_.lock());  // for the peer's close
    }

    // Protocol

    void on_backlog() override { last_progress_ = wire_.loop().now(); }

    void on_drained() override {
        last_progress_ = wire_.loop().now();
        peer_->on_drained();
        if (closing_ && !wire_.finishing()) wire_.arm(limits_.close_timeout);  // our close frame has gone
    }

    void on_lost() override {
        peer_->end(close_code::abnormal, {});
        peer_->on_drained();
    }

    void on_shut_down() override { peer_->close(close_code::going_away, {}); }

    // Comes at least as often as the shortest of the limits, so that nothing has to be armed when one begins to count.
    void on_late() override {
        if (closing_) {
            bool moving = wire_.outbox().backlog() > 0 &&
                          last_progress_ + Loop::ticks(limits_.close_timeout) > wire_.loop().now();
            return moving ? wire_.arm(limits_.close_timeout) : give_up();
        }
        Tick now = wire_.loop().now(), next = now + Loop::ticks(shortest_limit());
        auto late = [&](Tick since, Limits::Duration limit) {
            Tick due = since + Loop::ticks(limit);
            if (due > now) next = std::min(next, due);
            return due <= now;
        };
        bool backlogged = wire_.outbox().backlog() > 0;
        Tick alive = std::max(wire_.last_received(), last_progress_);
        if (backlogged && late(last_progress_, limits_.silence_timeout)) return give_up();
        if (reading_ && late(alive, limits_.silence_timeout)) return give_up();
        if (reading_ && wire_.message_since() && late(*wire_.message_since(), limits_.message_timeout))
            return peer_->close(close_code::policy_violation, "message took too long");
        if (late(alive, limits_.ping_interval) && pinged_for_ != alive && !backlogged) ping(alive);
        wire_.arm_at(next);
    }

private:
    static constexpr std::size_t small = 512;

    static bool is_of_handshake(std::string_view field) noexcept {
        return iequals(field, "Upgrade") || iequals(field.substr(0, 14), "Sec-WebSocket-") ||
               iequals(field.substr(0, 8), "Content-");
    }

    void read(Owner self) {
        reading_ = true;
        std::size_t room = small;
        if (filled_ > 0)
            room =
                std::max(small, std::min(websocket_.read_size_hint(small), filled_));  // never trust a length: double
        if (incoming_.size() < filled_ + room) incoming_.resize(filled_ + room);
        websocket_.async_read_some(
            boost::asio::buffer(incoming_.data() + filled_, incoming_.size() - filled_),
            [this, self = std::move(self)](boost::system::error_code error, std::size_t size) mutable {
                reading_ = false;
                filled_ += size;
                if (error)
                    on_end(error);
                else
                    on_read(std::move(self));
            });
    }

    void on_read(Owner self) {
        if (websocket_.is_message_done()) {
            Message message = take_message();
            if (!message.binary &&
                ends_inside_character(message.payload)) {  // Beast 1.81 misses this behind an empty last fragment
                peer_->close(close_code::invalid_payload, {});
            } else if (!closing_) {
                peer_->deliver(std::move(message));
            }
        }
        if (!reading_ && !peer_->has_message() && !wire_.closed() && !wire_.finishing()) read(std::move(self));
    }

    Message take_message() {
        Message message;
        message.binary = websocket_.got_binary();
        if (filled_ <= small) {
            message.payload.assign(incoming_, 0, filled_);
        } else {
            incoming_.resize(filled_);
            message.payload = std::move(incoming_);
            incoming_ = std::string();
        }
        filled_ = 0;
        return message;
    }

    void on_end(boost::system::error_code error) {
        namespace websocket = boost::beast::websocket;
        ended_ = true;
        if (error == websocket::error::closed) {
            const auto& reason = websocket_.reason();
            bool given = reason.code != websocket::close_code::none;
            peer_->end(given ? static_cast<std::uint16_t>(reason.code) : close_code::no_status,
                       {reason.reason.data(), reason.reason.size()});
        } else if (wire_.too_many_fragments()) {
            peer_->close(close_code::policy_violation, "too many fragments");
        } else if (auto code = fault(error)) {
            peer_->end(code, {});  // Beast has sent the close frame
        } else {
            wire_.abort();
            peer_->end(close_code::abnormal, {});
        }
        wire_.finish(limits_.close_timeout);
    }

    // The close code for what the peer did wrong; 0 if it just vanished.
    static std::uint16_t fault(boost::system::error_code error) {
        namespace websocket = boost::beast::websocket;
        if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow)
            return close_code::message_too_big;
        if (error == websocket::error::bad_frame_payload) return close_code::invalid_payload;
        if (error == websocket::condition::protocol_violation) return close_code::protocol_error;
        return 0;
    }

    Limits::Duration shortest_limit() const noexcept {
        return std::min({limits_.ping_interval, limits_.silence_timeout, limits_.message_timeout});
    }

    void ping(Tick alive) {
        pinged_for_ = alive;
        std::size_t begin = wire_.loop().begin_append();
        append_frame(wire_.loop().outgoing(), Opcode::ping, {});
        wire_.send(begin, wire_.loop().outgoing().size(), Unit::frame);
    }

    // The peer is dead, or does not answer our close.
    void give_up() {
        wire_.reset();
        peer_->end(close_code::abnormal, {});
    }

    Wire<Stream>& wire_;
    const Limits& limits_;
    std::weak_ptr<void> owner_;
    std::shared_ptr<WebSocketPeer<Stream>> peer_;
    std::string incoming_;  // what has come of the next message is its first filled_ bytes
    std::size_t filled_ = 0;
    bool reading_ = false;
    bool ended_ = false;      // nothing more will be read
    bool closing_ = false;    // our close frame went first
    Tick last_progress_ = 0;  // of the backlog
    std::optional<Tick> pinged_for_;
    boost::beast::websocket::stream<Wire<Stream>&, false> websocket_;
};

}  // namespace kvolt::detail

#endif
