#ifndef KVOLT_DEFLATE_OPTIONS_HPP
#define KVOLT_DEFLATE_OPTIONS_HPP

#include <cstddef>
#include <stdexcept>

namespace kvolt {

/// How messages are compressed: see kvolt::deflate().
class DeflateOptions {
public:
    /// From 1, fast, to 9, small; 4 by default.
    ///
    /// @throws std::invalid_argument  for another one.
    DeflateOptions& level(int level) {
        if (level < 1 || level > 9) throw std::invalid_argument("kvolt: deflate: a level is 1 to 9");
        level_ = level;
        return *this;
    }

    /// Messages below this size are sent as they are; 1024 bytes by default, and 1 is the least that counts.
    DeflateOptions& min_size(std::size_t bytes) noexcept {
        min_size_ = bytes;
        return *this;
    }

    /// Let messages refer to those before, in both directions, which makes small ones that resemble each other much
    /// smaller; lower min_size() with it. It costs every connection that uses it memory for as long as it is open:
    /// 8 bytes for each byte of the window when it is first sent a compressed message, and one for each and 7 KiB more
    /// when one is first received. Those are 256 + 39 KiB with the largest window, 32 + 11 KiB with 12. Off by default.
    ///
    /// What a Hub broadcasts refers to nothing before, since it goes to all members alike.
    DeflateOptions& context_takeover(bool keep = true) noexcept {
        context_takeover_ = keep;
        return *this;
    }

    /// How far back messages refer at most: 2^bits bytes, 9 to 15; 15 by default. Of a peer that does not let its
    /// window be limited, each message will stand alone.
    ///
    /// @throws std::invalid_argument  for another one.
    DeflateOptions& window_bits(int bits) {
        if (bits < 9 || bits > 15) throw std::invalid_argument("kvolt: deflate: window bits are 9 to 15");
        window_bits_ = bits;
        return *this;
    }

    int level() const noexcept { return level_; }
    std::size_t min_size() const noexcept { return min_size_; }
    bool keeps_context() const noexcept { return context_takeover_; }
    int window_bits() const noexcept { return window_bits_; }

private:
    int level_ = 4;
    std::size_t min_size_ = 1024;
    bool context_takeover_ = false;
    int window_bits_ = 15;
};

}  // namespace kvolt

#endif
