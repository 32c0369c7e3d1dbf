#ifndef KVOLT_DETAIL_WEBSOCKET_SESSION_HPP
#define KVOLT_DETAIL_WEBSOCKET_SESSION_HPP

#include <kvolt/detail/net/wire.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/detail/websocket/frame_reader.hpp>
#include <kvolt/detail/websocket/handshake.hpp>
#include <kvolt/detail/websocket/websocket_peer.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// One side of a WebSocket (RFC 6455), once the handshake is over. What comes in is taken apart and given to the peer,
/// which has the handler; what goes out are ready frames in the wire's outbox.
template <class Stream>
class WebSocketSession final : public Protocol {
public:
    using Error = boost::system::error_code;
    using Owner = std::shared_ptr<void>;

    /// @param extensions  What was agreed on.
    WebSocketSession(Wire<Stream>& wire, const Limits& limits, std::string protocol, Role role = Role::server,
                     Extensions extensions = {})
        : wire_(wire),
          limits_(limits),
          peer_(std::make_shared<WebSocketPeer<Stream>>(*this, wire, limits.backlog, std::move(protocol), role,
                                                        std::move(extensions.deflater))),
          reader_(limits.message_size, limits.message_fragments, role, std::move(extensions.inflater)) {
        wire.loop().add_websocket();
    }

    ~WebSocketSession() {
        wire_.loop().remove_websocket();
        peer_->detach();
    }

    WebSocketSession(const WebSocketSession&) = delete;
    WebSocketSession& operator=(const WebSocketSession&) = delete;

    std::shared_ptr<Peer> peer() const noexcept { return peer_; }

    /// Answer a checked handshake and begin to read.
    ///
    /// @param said  What middleware has said in the header, such as cookies, goes with the answer.
    /// @param extensions  What to answer about them.
    /// @param rest  What has come in behind the request.
    void accept(const Request& request, const Response& said, std::string_view extensions, std::string rest,
                std::weak_ptr<void> owner) {
        begin(std::move(rest), std::move(owner));
        send(Unit::raw, [&](std::string& out) { append_answer(out, request, said, peer_->protocol(), extensions); });
    }

    /// Begin to read; the handshake is over.
    ///
    /// @param rest  What has come in behind it.
    void begin(std::string rest, std::weak_ptr<void> owner) {
        owner_ = std::move(owner);
        wire_.protocol(*this);
        if (wire_.closed()) return on_lost();  // while the handler had other things to do
        last_received_ = last_progress_ = pinged_at_ = wire_.loop().now();
        wire_.arm(shortest_limit());
        buffer_ = std::move(rest);
        unread_ = buffer_;
        if (buffer_.empty()) return go_on(owner_.lock());
        later([this] { go_on(owner_.lock()); });  // the handler first
    }

    /// The handler has ended.
    void handler_done(std::uint16_t code) { peer_->close(code, {}); }

    // For the peer

    /// The last message was taken: read on.
    void read_more() {
        if (input_ != Input::rest || waits() || over()) return;
        last_received_ = wire_.loop().now();  // the time that it was not read from does not count against the peer
        if (message_since_) message_since_ = last_received_;
        go_on(owner_.lock());
    }

    /// Send a close frame and see the closing handshake through.
    void start_close(std::uint16_t code, std::string_view reason) {
        if (closing_ || over()) return;
        send_close(code, reason);
        wire_.flush();
        await_close();
        unanswered_.reset();
        go_on(owner_.lock());  // for the peer's close
    }

    // Protocol

    void on_backlog() override {
        last_progress_ = wire_.loop().now();
        answer_ping();
    }

    void on_drained() override {
        last_progress_ = wire_.loop().now();
        answer_ping();
        peer_->on_drained();
        if (closing_ && !wire_.finishing()) await_close();  // our close frame has gone
    }

    void on_lost() override { peer_->on_lost(); }

    // What else comes in this turn is dropped, too, before the close.
    void on_overload() override {
        if (closing_ || std::exchange(overloaded_, true)) {
            wire_.outbox().shed();
            return give_up();
        }
        shed();
        later([this] {
            shed();
            peer_->close(close_code::try_again_later, "too slow");
        });
    }

    void on_shut_down() override { peer_->close(close_code::going_away, {}); }

    // Comes at least as often as the shortest of the limits, so that nothing has to be armed when one begins to count.
    void on_late() override {
        if (closing_) {
            bool moving =
                wire_.peer_is_taking() || (wire_.outbox().backlog() > 0 &&
                                           last_progress_ + Loop::ticks(limits_.close_timeout) > wire_.loop().now());
            return moving ? wire_.arm(limits_.close_timeout) : give_up();
        }
        Tick now = wire_.loop().now(), next = now + Loop::ticks(shortest_limit());
        auto late = [&](Tick since, Limits::Duration limit) {
            Tick due = since + Loop::ticks(limit);
            if (due > now) next = (std::min)(next, due);
            return due <= now;
        };
        if (wire_.peer_is_taking()) last_progress_ = now;  // what the network has, and it does not
        bool backlogged = wire_.outbox().backlog() > 0;
        Tick alive = (std::max)(last_received_, last_progress_);
        if (backlogged && late(last_progress_, limits_.silence_timeout)) return give_up();
        if (input_ == Input::read && late(alive, limits_.silence_timeout)) return give_up();
        if (input_ == Input::read && message_since_ && late(*message_since_, limits_.message_timeout))
            return peer_->close(close_code::policy_violation, "message took too long");
        if (late(pinged_at_, limits_.ping_interval) && !backlogged) ping();
        wire_.arm_at(next);
    }

private:
    // Bytes for one read of a connection at rest: of one that sends little, and of others. More than a control frame.
    static constexpr std::size_t first_read_size = 160, read_size = 512;
    static constexpr std::size_t most_behind = 64 * 1024;  // bytes that a pong may queue behind

    static bool is_of_handshake(std::string_view field) noexcept {
        return iequals(field, "Upgrade") || iequals(field, "Connection") ||
               iequals(field.substr(0, 14), "Sec-WebSocket-") || iequals(field.substr(0, 8), "Content-");
    }

    static void append_answer(std::string& out, const Request& request, const Response& said, std::string_view protocol,
                              std::string_view extensions) {
        out +=
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
        out += accept_key(request.header("Sec-WebSocket-Key"));
        if (!protocol.empty()) {
            out += "\r\nSec-WebSocket-Protocol: ";
            out += protocol;
        }
        if (!extensions.empty()) {
            out += "\r\nSec-WebSocket-Extensions: ";
            out += extensions;
        }
        for (const auto& [name, value] : said.fields()) {
            if (is_of_handshake(name)) continue;
            out += "\r\n";
            out += name;
            out += ": ";
            out += value;
        }
        out += "\r\n\r\n";
    }

    template <class Append>
    void send(Unit unit, Append&& append) {
        std::size_t begin = wire_.loop().begin_append();
        append(wire_.loop().outgoing());
        wire_.send(begin, wire_.loop().outgoing().size(), unit);
    }

    void send_frame(Opcode opcode, std::string_view payload) {
        send(Unit::frame, [&](std::string& out) { peer_->append(out, opcode, payload); });
    }

    void send_close(std::uint16_t code, std::string_view reason) {
        closing_ = true;
        send_frame(Opcode::close, close_payload(code, reason));
        wire_.outbox().finish();
    }

    template <class Function>
    void later(Function function) {
        boost::asio::post(wire_.get_executor(),
                          [this, self = owner_.lock(), function = std::move(function)] { wire_.attempt(function); });
    }

    // What becomes of what the peer sends.
    enum class Input {
        rest,   // nothing: somebody has to take what came before, or it is over
        read,   // the socket is read
        taken,  // frames are taken off what came
        later,  // that goes on when others have had their turn
    };

    // For the handler to take a message, or the peer to take what a pong is queued behind.
    bool waits() const noexcept { return peer_->has_message() || unanswered_; }

    bool over() const noexcept { return ended_ || wire_.finishing() || wire_.closed(); }

    // A peer that takes what was sent before may do so in its own time.
    void await_close() {
        wire_.peer_is_taking();  // from now on
        wire_.arm(limits_.close_timeout);
    }

    // Deal with what is there, then read.
    void go_on(Owner self) {
        if (input_ != Input::rest) return;
        unread_ = take(unread_);
        if (input_ == Input::rest && !waits() && !over()) read(std::move(self));
    }

    // What is unread now is a part of a frame's head, or of a control frame.
    void read(Owner self) {
        std::size_t have = unread_.size();
        if (buffer_.size() != read_size_)
            buffer_ = std::string(unread_.begin(), unread_.end());  // a connection at rest keeps little
        else if (have > 0)
            std::memmove(buffer_.data(), unread_.data(), have);
        buffer_.resize(read_size_);
        unread_ = {};
        input_ = Input::read;
        wire_.read(boost::asio::buffer(buffer_) + have,
                   [this, have, self = std::move(self)](Error error, std::size_t size) mutable {
                       input_ = Input::rest;
                       if (error) return on_vanished();
                       last_received_ = wire_.loop().now();
                       unread_ = take(std::span(buffer_).first(have + size));
                       if (have + size == read_size_) read_rest();
                       go_on(std::move(self));
                   });
    }

    // Take what more there is at once, as far as one turn may go: so large messages need few reads.
    void read_rest() {
        read_size_ = read_size;
        if (input_ != Input::rest || waits() || over()) return;
        std::span<char> scratch = wire_.loop().scratch();
        std::size_t have = unread_.size();
        std::copy(unread_.begin(), unread_.end(), scratch.begin());
        have += wire_.read_now(boost::asio::buffer(scratch.data(), scratch.size()) + have);
        std::span<char> rest = take(scratch.first(have));
        if (buffer_.size() < rest.size()) buffer_.resize(rest.size());
        std::copy(rest.begin(), rest.end(), buffer_.begin());
        unread_ = std::span(buffer_).first(rest.size());
    }

    // Take frames off the front of what came, as far as their answers have room.
    std::span<char> take(std::span<char> input) {
        input_ = Input::taken;
        bool more = true;
        Loop::Turn turn(wire_.loop());
        while (more && !waits() && !over()) {
            auto result = reader_.read(input);
            if (result != FrameReader::Result::more && !reader_.in_message()) message_since_.reset();
            switch (result) {
                case FrameReader::Result::more: more = false; break;
                case FrameReader::Result::message: on_message(); break;
                case FrameReader::Result::ping: on_ping(); break;
                case FrameReader::Result::pong: on_pong(); break;
                case FrameReader::Result::close: on_end({}); break;
                case FrameReader::Result::fault: on_end(reader_.reason()); break;
            }
            if (more && turn.over(4)) {
                go_on_later();
                break;
            }
        }
        if (input_ == Input::taken) input_ = Input::rest;
        if (over()) return {};
        if (!reader_.in_message() && input.empty())
            message_since_.reset();
        else if (!message_since_)
            message_since_ = last_received_;
        return input;
    }

    void go_on_later() {
        wire_.loop().go_on_later([this, self = owner_.lock()] {
            input_ = Input::rest;
            wire_.attempt([this] { read_more(); });
        });
        input_ = Input::later;
    }

    void on_message() {
        Message message = reader_.take_message();
        if (!closing_) peer_->deliver(std::move(message));
    }

    void on_ping() {
        if (closing_) return;
        if (wire_.outbox().backlog() > most_behind)
            unanswered_ = reader_.control();
        else
            send_frame(Opcode::pong, reader_.control());
    }

    // Not within a flush, which this is called from.
    void answer_ping() {
        if (!unanswered_ || wire_.outbox().backlog() > most_behind) return;
        later([this] {
            if (!unanswered_) return;
            send_frame(Opcode::pong, *unanswered_);
            unanswered_.reset();
            read_more();
        });
    }

    // Nothing more is read. The close frame goes a little later: behind what the handler, in this turn, answers to the
    // messages before.
    void on_end(std::string_view answer) {
        ended_ = true;
        std::uint16_t code = reader_.code();
        peer_->end(code, reader_.reason());
        later([this, code, answer = std::string(answer)] {
            if (!closing_ && !wire_.closed()) send_close(code, answer);
            // A server closes first, and a client that has lost patience (RFC 6455, section 7.1.1).
            wire_.finish(limits_.close_timeout, peer_->role() == Role::client);
        });
    }

    void on_vanished() {
        ended_ = true;
        wire_.abort();
        peer_->end(close_code::abnormal, {});
    }

    Limits::Duration shortest_limit() const noexcept {
        return (std::min)({limits_.ping_interval, limits_.silence_timeout, limits_.message_timeout});
    }

    void ping() {
        pinged_at_ = wire_.loop().now();
        ping_sent_ = Loop::Clock::now();
        send_frame(Opcode::ping, std::to_string(++pings_));
        pong_due_ = true;
    }

    // A pong to an older ping, or to none, tells only that the client is there (RFC 6455, section 5.5.3).
    void on_pong() {
        if (!pong_due_ || reader_.control() != std::to_string(pings_)) return;
        pong_due_ = false;
        peer_->round_trip_time(std::chrono::duration_cast<std::chrono::microseconds>(Loop::Clock::now() - ping_sent_));
    }

    void shed() {
        wire_.outbox().shed();
        wire_.weigh();
        if (peer_->deflater()) peer_->deflater()->forget();
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
    FrameReader reader_;
    std::string buffer_;
    std::span<char> unread_;  // of the buffer
    std::size_t read_size_ = first_read_size;
    Tick last_received_ = 0;
    Tick last_progress_ = 0;             // of the backlog
    std::optional<Tick> message_since_;  // of which only a part has come
    Tick pinged_at_ = 0;
    std::uint32_t pings_ = 0;
    Loop::Clock::time_point ping_sent_;      // the last one
    std::optional<std::string> unanswered_;  // ping, which has to wait
    Input input_ = Input::rest;
    bool pong_due_ = false;
    bool overloaded_ = false;  // about to be closed for what waits for all connections
    bool closing_ = false;     // our close frame is on its way
    bool ended_ = false;       // nothing more will be read
};

}  // namespace kvolt::detail

#endif
