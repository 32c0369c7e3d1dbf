#ifndef KVOLT_DETAIL_UTF8_HPP
#define KVOLT_DETAIL_UTF8_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kvolt::detail {

/// Checks UTF-8 (RFC 3629) that comes in pieces. It fails at the first byte that cannot be right.
class Utf8Check {
public:
    /// False if the text so far is wrong; it stays wrong.
    bool feed(std::string_view text) noexcept {
        const char* at = text.data();
        const char* end = at + text.size();
        while (at != end) {
            if (left_ == 0) at = skip_ascii(at, end);
            if (at == end) break;
            auto byte = static_cast<unsigned char>(*at++);
            if (!(left_ == 0 ? begin(byte) : go_on(byte))) return false;
        }
        return true;
    }

    /// True unless the text so far ends in the middle of a character.
    bool complete() const noexcept { return left_ == 0; }

private:
    static const char* skip_ascii(const char* at, const char* end) noexcept {
        for (; end - at >= 8; at += 8) {
            std::uint64_t word;
            std::memcpy(&word, at, 8);
            if ((word & 0x8080808080808080u) != 0) break;
        }
        while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
        return at;
    }

    // The first byte tells how many follow, and narrows what the second may be: no overlong forms, no surrogates,
    // nothing above U+10FFFF.
    bool begin(unsigned char byte) noexcept {
        low_ = 0x80;
        high_ = 0xBF;
        if (byte < 0xC2 || byte > 0xF4) return false;
        left_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
        if (byte == 0xE0) low_ = 0xA0;
        if (byte == 0xED) high_ = 0x9F;
        if (byte == 0xF0) low_ = 0x90;
        if (byte == 0xF4) high_ = 0x8F;
        return true;
    }

    bool go_on(unsigned char byte) noexcept {
        bool right = byte >= low_ && byte <= high_;
        low_ = 0x80;
        high_ = 0xBF;
        --left_;
        return right;
    }

    std::uint8_t left_ = 0;  // bytes of the character that have not come
    std::uint8_t low_ = 0x80, high_ = 0xBF;
};

inline bool is_utf8(std::string_view text) noexcept {
    Utf8Check check;
    return check.feed(text) && check.complete();
}

}  // namespace kvolt::detail

#endif
