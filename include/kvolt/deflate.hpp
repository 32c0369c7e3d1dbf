#ifndef KVOLT_DEFLATE_HPP
#define KVOLT_DEFLATE_HPP

// Compressed WebSocket messages: permessage-deflate (RFC 7692). This header needs zlib (target kvolt::deflate).

#include <kvolt/deflate_options.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/detail/websocket/deflate_agreement.hpp>
#include <kvolt/detail/websocket/zlib_stream.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

namespace detail {

/// Without context takeover it holds a stream only from the first byte of a message to the last.
class ZlibInflater final : public Inflater {
public:
    /// @param window, takeover  Of what the peer sends.
    ZlibInflater(int window, bool takeover) : window_(window), takeover_(takeover) {}

    Result inflate(std::string_view& in, std::string& out) override {
        if (in.empty() && !in_message_) return Result::done;
        in_message_ = true;
        if (!stream_)
            stream_ =
                takeover_ ? std::make_unique<InflateStream>(window_) : ZlibStreams::of_this_thread().take_inflater();
        switch (stream_->inflate(in, out)) {
            case InflateStream::Result::done: return Result::done;
            case InflateStream::Result::more: return Result::more;
            default: return Result::bad;
        }
    }

    // Of an empty message some send nothing at all.
    bool end_message() override {
        if (!std::exchange(in_message_, false)) return true;
        bool whole = stream_->take_tail();
        if (!takeover_) ZlibStreams::of_this_thread().give_back(std::move(stream_));
        return whole;
    }

private:
    std::unique_ptr<InflateStream> stream_;
    const int window_;
    const bool takeover_;
    bool in_message_ = false;
};

class ZlibDeflater final : public Deflater {
public:
    /// @param window, takeover  Of what is sent.
    ZlibDeflater(int window, bool takeover, const DeflateOptions& options)
        : Deflater(window), options_(options), takeover_(takeover) {}

    bool deflate(std::string_view message, std::string& out) override {
        if (!worth(message)) return false;
        if (!takeover_)
            return ZlibStreams::of_this_thread().deflate(options_.level(), window_, message, out).has_value();
        if (!stream_)
            stream_ = std::make_unique<DeflateStream>(options_.level(), window_);
        else if (forgetful_)
            stream_->reset();
        forgetful_ = !stream_->deflate(message, out);
        return !forgetful_;
    }

    std::optional<int> deflate_for_all(std::string_view message, std::string& out) override {
        if (!worth(message)) return std::nullopt;
        return ZlibStreams::of_this_thread().deflate(options_.level(), options_.window_bits(), message, out);
    }

private:
    bool worth(std::string_view message) const noexcept {
        return !message.empty() && message.size() >= options_.min_size();
    }

    const DeflateOptions options_;
    std::unique_ptr<DeflateStream> stream_;
    const bool takeover_;
};

class PermessageDeflate final : public Compression {
public:
    explicit PermessageDeflate(const DeflateOptions& options) : options_(options) {}

    Extensions agree(std::string_view offers) const override {
        auto agreed = agree_on_deflate(offers, options_);
        if (!agreed) return {};
        return {agreed->answer,
                std::make_unique<ZlibInflater>(agreed->client_window_bits, agreed->client_context_takeover),
                std::make_unique<ZlibDeflater>(agreed->server_window_bits, agreed->server_context_takeover, options_)};
    }

    std::string offer() const override { return deflate_offer(options_); }

    Extensions accept(std::string_view answer) const override {
        auto agreed = accept_deflate(answer, options_);
        return {{},
                std::make_unique<ZlibInflater>(agreed.server_window_bits, agreed.server_context_takeover),
                std::make_unique<ZlibDeflater>(agreed.client_window_bits, agreed.client_context_takeover, options_)};
    }

private:
    const DeflateOptions options_;
};

}  // namespace detail

/// Compress WebSocket messages, with clients that know how, as browsers do, and with such servers (RFC 7692).
///
///     auto options = kvolt::UpgradeOptions().compression(kvolt::deflate());
///     app.get("/ws", [options](kvolt::Context& c) -> kvolt::Task<> { auto socket = co_await c.upgrade(options); ...
///     });
///
///     kvolt::WebSocketClient client(url, kvolt::ConnectOptions().compression(kvolt::deflate()));
///
/// Whoever reads and sends sees no difference: received messages are inflated, and checked for UTF-8 and
/// `Limits::message_size` while they are; what is sent is deflated if that makes it smaller. A Hub deflates a broadcast
/// once for all members on a loop, as its first member's route has it. An idle connection keeps no window (see
/// DeflateOptions::context_takeover); while a message is coming in parts, it costs 39 KiB.
///
/// Do not compress messages that hold both a secret and what an attacker can choose (the BREACH attack).
///
/// @note Thread safety: the result may be shared by any number of routes, clients and apps.
inline std::shared_ptr<const detail::Compression> deflate(const DeflateOptions& options = {}) {
    return std::make_shared<const detail::PermessageDeflate>(options);
}

}  // namespace kvolt

#endif
