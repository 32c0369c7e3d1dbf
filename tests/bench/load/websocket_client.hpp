#ifndef KVOLT_TESTS_BENCH_LOAD_WEBSOCKET_CLIENT_HPP
#define KVOLT_TESTS_BENCH_LOAD_WEBSOCKET_CLIENT_HPP

#include "connection.hpp"
#include "message.hpp"
#include "options.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <zlib.h>

namespace bench {

/// Of messages that each stand alone (RFC 7692 without context takeover).
class Inflater {
public:
    Inflater() {
        if (inflateInit2(&stream_, -15) != Z_OK) throw std::bad_alloc();
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater() { inflateEnd(&stream_); }

    /// The first bytes of a message, as many as fit.
    std::string_view begin(std::string_view compressed) {
        inflateReset(&stream_);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
        stream_.avail_in = static_cast<uInt>(compressed.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out_);
        stream_.avail_out = sizeof out_;
        inflate(&stream_, Z_SYNC_FLUSH);
        return {out_, sizeof out_ - stream_.avail_out};
    }

private:
    z_stream stream_{};
    char out_[Stamp::size];
};

/// One who listens to what comes, and, if it is a sender, sends the next message when one of its own has come back.
class WebSocketClient final : public Connection {
public:
    /// @param stream  On which the handshake has been made.
    WebSocketClient(Stream stream, int epoll, Tally& tally) : Connection(std::move(stream), epoll, tally) {}

    static std::string handshake(const Options& options, std::size_t room) {
        std::string path = options.path;
        if (std::size_t at = path.find("{}"); at != path.npos) path.replace(at, 2, std::to_string(room));
        return "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(options.port) +
               "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
               (options.deflate ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                                  "client_no_context_takeover\r\n\r\n"
                                : "\r\n");
    }

    /// @param depth  Messages under way; 0 if they are sent when they are due, by send_due().
    void make_sender(std::size_t number, std::size_t size, std::size_t depth) {
        message_.emplace(number, size);
        depth_ = depth;
    }

    void start() override {
        for (std::size_t i = 0; i < depth_; ++i) send_next(now());
        flush();
    }

    void send_due(std::uint64_t when) {
        send_next(when);
        flush();
    }

private:
    void send_next(std::uint64_t when) {
        ++tally_.sent;
        send(message_->due(when));
    }

    std::size_t on_bytes(std::string_view bytes, std::uint64_t when) override {
        std::size_t taken = 0;
        while (auto frame = read_frame(bytes.substr(taken))) {
            taken += frame->size;
            if (frame->opcode < 2)
                on_text(*frame, when);
            else if (frame->opcode == 9)
                send(make_frame(10, frame->payload));
            else
                ++tally_.bad;
        }
        return taken;
    }

    void on_text(const Frame& frame, std::uint64_t when) {
        if (frame.opcode == 1 && frame.last) return on_message(frame.payload, frame.compressed, when);
        if (frame.opcode == 1) {
            fragments_.clear();
            fragments_compressed_ = frame.compressed;
        }
        fragments_ += frame.payload;
        if (frame.last) on_message(fragments_, fragments_compressed_, when);
    }

    void on_message(std::string_view text, bool compressed, std::uint64_t when) {
        ++tally_.received;
        tally_.measured += tally_.measuring;
        if (compressed && !message_) return;  // to inflate all would be a load for the load
        if (compressed) {
            if (!inflater_) inflater_ = std::make_unique<Inflater>();
            text = inflater_->begin(text);
        }
        if (text.size() < Stamp::size) {
            ++tally_.bad;
            return;
        }
        Stamp stamp(text);
        if (tally_.measuring) tally_.latency.add(when - stamp.due());
        if (depth_ > 0 && tally_.sending && stamp.sender() == message_->sender()) send_next(when);
    }

    std::optional<Message> message_;
    std::unique_ptr<Inflater> inflater_;
    std::string fragments_;  // of a message
    bool fragments_compressed_ = false;
    std::size_t depth_ = 0;
};

}  // namespace bench

#endif
