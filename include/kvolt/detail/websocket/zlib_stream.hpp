#ifndef KVOLT_DETAIL_WEBSOCKET_ZLIB_STREAM_HPP
#define KVOLT_DETAIL_WEBSOCKET_ZLIB_STREAM_HPP

// zlib's raw streams, and those that a thread keeps for the next message.

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <zlib.h>

namespace kvolt::detail {

/// What ends the deflated data of every message and is not sent (RFC 7692, section 7.2.1).
inline constexpr std::string_view deflate_tail{"\0\0\xFF\xFF", 4};

/// Compresses messages, each of which may refer to those before.
class DeflateStream {
public:
    /// @param window  A power of two. zlib knows no smaller one than 2^9, of which it reaches back 2^8 - 6 bytes at
    /// most:
    ///                that is right for 2^8, too.
    DeflateStream(int level, int window) : level_(level) {
        int memory = std::clamp(window - 7, 1, 9);  // a hash table as large as the window
        if (deflateInit2(&stream_, level, Z_DEFLATED, -(std::max)(window, 9), memory, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    DeflateStream(const DeflateStream&) = delete;
    DeflateStream& operator=(const DeflateStream&) = delete;
    ~DeflateStream() { deflateEnd(&stream_); }

    int level() const noexcept { return level_; }

    /// Append the deflated message, without its tail. False, with nothing appended, if that is not smaller: reset() is
    /// needed then.
    ///
    /// @pre  The message is not empty.
    bool deflate(std::string_view message, std::string& out) {
        if (message.size() > (std::numeric_limits<uInt>::max)() - deflate_tail.size()) return false;
        std::size_t begin = out.size(), room = message.size() + deflate_tail.size();
        out.resize(begin + room);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(message.data()));  // which zlib does not write to
        stream_.avail_in = static_cast<uInt>(message.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data() + begin);
        stream_.avail_out = static_cast<uInt>(room);
        bool smaller = ::deflate(&stream_, Z_SYNC_FLUSH) == Z_OK && stream_.avail_out > 0;
        out.resize(smaller ? begin + room - stream_.avail_out - deflate_tail.size() : begin);
        return smaller;
    }

    void reset() noexcept { deflateReset(&stream_); }

private:
    z_stream stream_{};
    const int level_;
};

/// Decompresses messages.
class InflateStream {
public:
    enum class Result { done, more, bad };

    /// @param window  A power of two, 8 to 15.
    explicit InflateStream(int window) {
        if (inflateInit2(&stream_, -window) != Z_OK) throw std::bad_alloc();
    }
    InflateStream(const InflateStream&) = delete;
    InflateStream& operator=(const InflateStream&) = delete;
    ~InflateStream() { inflateEnd(&stream_); }

    /// Take bytes off the front of `in` and append what they mean, at most 16 KiB, to `out`.
    Result inflate(std::string_view& in, std::string& out) {
        char part[16 * 1024];
        std::size_t offered = std::min<std::size_t>(in.size(), (std::numeric_limits<uInt>::max)());
        if (offered > 0) ended_ = false;
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));  // which zlib does not write to
        stream_.avail_in = static_cast<uInt>(offered);
        stream_.next_out = reinterpret_cast<Bytef*>(part);
        stream_.avail_out = sizeof part;
        int result = ::inflate(&stream_, Z_NO_FLUSH);
        out.append(part, sizeof part - stream_.avail_out);
        in.remove_prefix(offered - stream_.avail_in);
        switch (result) {
            case Z_OK:
            case Z_BUF_ERROR: break;  // it could do nothing
            case Z_STREAM_END:  // a final block: what follows, if anything, begins anew (RFC 7692, section 7.2.3.4)
                inflateReset(&stream_);
                ended_ = true;
                break;
            case Z_MEM_ERROR: throw std::bad_alloc();
            default: return Result::bad;
        }
        return in.empty() && stream_.avail_out > 0 ? Result::done : Result::more;
    }

    /// Take the tail. False if the message did not end where the tail belongs.
    bool take_tail() {
        if (ended_) return true;  // with a final block, and nothing behind it
        std::string_view tail = deflate_tail;
        std::string more;
        bool took = inflate(tail, more) == Result::done && more.empty();
        constexpr int at_block_boundary = 128;  // and neither in the last block nor within a byte
        return took && !ended_ && stream_.data_type == at_block_boundary;
    }

    void reset() noexcept {
        inflateReset(&stream_);
        ended_ = false;
    }

private:
    z_stream stream_{};
    bool ended_ = false;
};

/// The streams that a thread has for connections between whose messages nothing is kept.
class ZlibStreams {
public:
    static ZlibStreams& of_this_thread() {
        thread_local ZlibStreams streams;
        return streams;
    }

    /// Compress one message with the smallest window that brings all, of at most `window`.
    ///
    /// @returns  the window that its receivers need; nothing if it would not get smaller.
    std::optional<int> deflate(int level, int window, std::string_view message, std::string& out) {
        for (int smaller = 9; smaller < window; ++smaller)
            if (message.size() <= (std::size_t{1} << smaller) - 262) window = smaller;  // how far back that goes
        auto& stream = deflaters_[static_cast<std::size_t>(window)];
        if (!stream || stream->level() != level)
            stream = std::make_unique<DeflateStream>(level, window);
        else
            stream->reset();
        if (!stream->deflate(message, out)) return std::nullopt;
        return window;
    }

    std::unique_ptr<InflateStream> take_inflater() {
        if (inflaters_.empty()) return std::make_unique<InflateStream>(15);
        auto stream = std::move(inflaters_.back());
        inflaters_.pop_back();
        return stream;
    }

    void give_back(std::unique_ptr<InflateStream> stream) {
        if (inflaters_.size() == most_kept) return;
        stream->reset();
        inflaters_.push_back(std::move(stream));
    }

private:
    static constexpr std::size_t most_kept = 4;

    std::array<std::unique_ptr<DeflateStream>, 16> deflaters_;  // by window
    std::vector<std::unique_ptr<InflateStream>> inflaters_;
};

}  // namespace kvolt::detail

#endif
