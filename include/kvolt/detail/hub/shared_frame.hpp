#ifndef KVOLT_DETAIL_HUB_SHARED_FRAME_HPP
#define KVOLT_DETAIL_HUB_SHARED_FRAME_HPP

#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/websocket/compression.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// A message for many connections of a loop: once in its outgoing buffer as it is, and once compressed, each only if
/// somebody needs it so. Use it within one function, in which nothing but the connections' own outboxes is flushed.
class SharedFrame {
public:
    struct Range {
        std::size_t begin = 0, end = 0;
    };

    /// @param frame  Whole, unmasked and not compressed. It and the key must outlive this.
    /// @param key    By which it is coalesced; it lies behind what is sent.
    SharedFrame(Loop& loop, std::string_view frame, std::string_view key = {})
        : out_(loop.outgoing()), frame_(frame), key_(key) {
        loop.begin_append();
    }

    /// Where it lies as it is.
    Range plain() {
        if (plain_.end == 0) {
            std::size_t begin = out_.size();
            out_ += frame_;
            out_ += key_;
            plain_ = {begin, begin + frame_.size()};
        }
        return plain_;
    }

    /// Where it lies for a connection, which is about to be sent it.
    ///
    /// @param deflater  The connection's; nullptr if there is none. The first one compresses for all.
    Range for_one(Deflater* deflater) {
        if (deflater == nullptr) return plain();
        if (!tried_) compress(*deflater);
        if (!window_ || *window_ > deflater->window()) return plain();
        deflater->forget();
        return compressed_;
    }

private:
    void compress(Deflater& deflater) {
        tried_ = true;
        compressed_.begin = out_.size();
        auto window = append_compressed(out_, static_cast<Opcode>(frame_[0] & 15), [&](std::string& out) {
            return deflater.deflate_for_all(frame_payload(frame_), out);
        });
        compressed_.end = out_.size();
        out_ += key_;
        window_ = window;
    }

    std::string& out_;
    const std::string_view frame_, key_;
    Range plain_, compressed_;
    std::optional<int> window_;  // that the compressed one needs
    bool tried_ = false;
};

}  // namespace kvolt::detail

#endif
