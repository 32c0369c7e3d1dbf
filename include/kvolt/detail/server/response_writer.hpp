#ifndef KVOLT_DETAIL_SERVER_RESPONSE_WRITER_HPP
#define KVOLT_DETAIL_SERVER_RESPONSE_WRITER_HPP

#include <kvolt/body_encoder.hpp>
#include <kvolt/detail/net/wait_point.hpp>
#include <kvolt/detail/net/wire.hpp>
#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// Sends the responses of one connection, one after the other: whole, or in parts as the handler makes them.
template <class Stream>
class ResponseWriter {
public:
    ResponseWriter(Wire<Stream>& wire, const Request& request, const Response& response)
        : wire_(wire), request_(request), response_(response) {}

    /// The next response.
    ///
    /// @param keep_alive  Whether the request lets the connection be kept.
    void start(bool keep_alive) noexcept {
        keep_alive_ = keep_alive;
        written_ = 0;
        begun_ = streaming_ = events_ = chunked_ = bodiless_ = within_ = false;
    }

    /// Whether the connection is kept behind this response; what is said before its head goes is told to the peer.
    bool keep_alive() const noexcept { return keep_alive_; }
    void close_after() noexcept { keep_alive_ = false; }

    /// From now on the body comes by write().
    void stream(Exchange::Streaming kind) {
        streaming_ = true;
        events_ = kind == Exchange::Streaming::events;
        if (events_) begin();
    }

    /// What was said of a stream is void: the response is another one.
    void forget_stream() noexcept { streaming_ = events_ = false; }

    bool events() const noexcept { return events_; }
    bool begun() const noexcept { return begun_; }

    /// Bytes of a streamed body so far.
    std::size_t written() const noexcept { return written_; }

    /// False once what is written reaches nobody.
    bool open() const noexcept { return streaming_ && !bodiless_ && !wire_.closed() && !wire_.finishing(); }

    /// Send a part of the body, and wait while the peer has much to take.
    Task<> write(std::string_view part, std::shared_ptr<void> owner) {
        if (drained_.waiting()) throw std::logic_error("kvolt: write() of a response while another one waits");
        begin();
        while (!part.empty() && open()) {
            std::string_view piece = part.substr(0, piece_size);
            part.remove_prefix(piece.size());
            written_ += send_body(piece);
            within_ = !part.empty();
            if (wire_.outbox().pending() < piece_size && wire_.outbox().backlog() == 0) continue;
            wire_.flush();
            if (wire_.outbox().backlog() > 0)
                co_await drained_.wait(wire_.loop(), owner);
            else  // the peer is fast: let other connections have a turn
                co_await boost::asio::post(wire_.get_executor(), boost::asio::use_awaitable);
        }
    }

    /// The peer has taken everything, or is gone.
    void on_drained() { drained_.wake_later(wire_.loop()); }

    /// Keep a stream of events open, and find out whether the peer is still there.
    void comment() {
        if (open() && !within_) send_body(":\n\n");
    }

    /// Send something of no meaning: a peer that has closed answers it with a reset. Of the interim responses (RFC
    /// 9110, section 15.2), 100 is the one that every client knows.
    void probe() {
        if (events_) return comment();
        if (!begun_ && request_.version() >= 11)
            append([](std::string& out) { out += "HTTP/1.1 100 Continue\r\n\r\n"; });
        else if (chunked_ && open())
            append([](std::string& out) { out += '0'; });  // in front of the size of the next chunk
    }

    /// The response is complete.
    void end() {
        begin();
        if (!streaming_ || bodiless_) return;
        if (BodyEncoder* encoder = response_.encoder()) {
            std::string rest;
            encoder->finish(rest);
            if (!rest.empty()) send(rest);
        }
        if (chunked_)
            append([](std::string& out) { Response::append_chunk(out, {}); });
        else
            keep_alive_ = false;
    }

    /// The rest of a response that has begun will not come: let the peer know that this was not all.
    void cut_off() {
        keep_alive_ = false;
        if (!chunked_) wire_.reset();  // a proper end of the connection would be that of the body
    }

    /// Send bytes that are no part of a response's body.
    template <class Write>
    void append(Write&& write) {
        std::size_t begin = wire_.loop().begin_append();
        write(wire_.loop().outgoing());
        wire_.send(begin, wire_.loop().outgoing().size(), Unit::raw);
    }

private:
    static constexpr std::size_t piece_size = 64 * 1024;

    // Send the head, and the body if it is there.
    void begin() {
        if (std::exchange(begun_, true)) return;
        bool http_1_0 = request_.version() < 11, head = request_.method() == "HEAD";
        bodiless_ = head || response_.status() == 204 || response_.status() == 304;
        chunked_ = streaming_ && !http_1_0;
        if (streaming_ && http_1_0 && !bodiless_) keep_alive_ = false;  // its end is the end of the body
        append([&](std::string& out) {
            response_.append_to(out, {wire_.loop().date(), keep_alive_, http_1_0, head, streaming_});
        });
    }

    // Send a part of the body as it is encoded; returns the bytes that it becomes.
    std::size_t send_body(std::string_view piece) {
        BodyEncoder* encoder = response_.encoder();
        if (encoder == nullptr) return send(piece), piece.size();
        std::string encoded;
        encoder->encode(encoded, piece);
        if (!encoded.empty()) send(encoded);  // or it would be the last chunk
        return encoded.size();
    }

    void send(std::string_view piece) {
        append([&](std::string& out) {
            if (chunked_)
                Response::append_chunk(out, piece);
            else
                out += piece;
        });
    }

    Wire<Stream>& wire_;
    const Request& request_;
    const Response& response_;
    WaitPoint<> drained_;
    std::size_t written_ = 0;
    bool keep_alive_ = true;
    bool begun_ = false;      // the head was sent
    bool streaming_ = false;  // the body comes in parts
    bool events_ = false;
    bool chunked_ = false;
    bool bodiless_ = false;
    bool within_ = false;  // a part of the body
};

}  // namespace kvolt::detail

#endif
