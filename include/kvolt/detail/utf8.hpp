#ifndef KVOLT_DETAIL_UTF8_HPP
#define KVOLT_DETAIL_UTF8_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// What the first byte of a character tells: how many there are, and what the second may be, so that there are no
/// overlong forms, no surrogates, and nothing above U+10FFFF.
struct Utf8Lead {
    std::uint8_t size, low, high;
};

/// Of 0x80 and the bytes above it.
inline constexpr std::array<Utf8Lead, 128> utf8_leads = [] {
    std::array<Utf8Lead, 128> leads;
    leads.fill({0, 0x80, 0xBF});  // none begins so
    for (std::size_t first = 0xC2; first <= 0xF4; ++first) {
        Utf8Lead& lead = leads[first - 0x80];
        lead.size = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        if (first == 0xE0) lead.low = 0xA0;
        if (first == 0xED) lead.high = 0x9F;
        if (first == 0xF0) lead.low = 0x90;
        if (first == 0xF4) lead.high = 0x8F;
    }
    return leads;
}();

/// Checks UTF-8 (RFC 3629) that comes in pieces. It fails at the first byte that cannot be right.
class Utf8Check {
public:
    /// False if the text so far is wrong; it stays wrong.
    bool feed(std::string_view text) noexcept {
        const char* at = text.data();
        const char* const end = at + text.size();
        while (at != end && left_ > 0)
            if (!go_on(byte(*at++))) return false;
        while (at != end) {
            if (byte(*at) < 0x80) {
                at = skip_ascii(at, end);
                continue;
            }
            // two bytes, as most alphabets take
            while (end - at >= 2 && byte(*at) >= 0xC2 && byte(*at) < 0xE0 && follows(at[1])) at += 2;
            if (at == end || byte(*at) < 0x80) continue;
            const Utf8Lead lead = utf8_leads[byte(*at) - 0x80u];
            if (lead.size == 0) return false;
            if (end - at < lead.size) return begin(lead, at + 1, end);
            if (byte(at[1]) < lead.low || byte(at[1]) > lead.high) return false;
            if (lead.size > 2 && !follows(at[2])) return false;
            if (lead.size > 3 && !follows(at[3])) return false;
            at += lead.size;
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

    static bool follows(char c) noexcept { return (byte(c) & 0xC0) == 0x80; }

    static unsigned char byte(char c) noexcept { return static_cast<unsigned char>(c); }

    // A character that ends in a further piece.
    bool begin(Utf8Lead lead, const char* at, const char* end) noexcept {
        left_ = static_cast<std::uint8_t>(lead.size - 1);
        low_ = lead.low;
        high_ = lead.high;
        while (at != end)
            if (!go_on(byte(*at++))) return false;
        return true;
    }

    bool go_on(unsigned char next) noexcept {
        bool right = next >= low_ && next <= high_;
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

/// What a text that is not empty begins with.
struct Utf8Front {
    std::size_t size;
    bool whole;  ///< If not, it is as much as there is of a character, and not to be read.
};

inline Utf8Front utf8_front(std::string_view text) noexcept {
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    if (byte(0) < 0x80) return {1, true};
    Utf8Lead lead = utf8_leads[byte(0) - 0x80u];
    std::size_t size = 1;
    while (size < lead.size && size < text.size() && byte(size) >= lead.low && byte(size) <= lead.high) {
        lead.low = 0x80;
        lead.high = 0xBF;
        ++size;
    }
    return {size, size == lead.size};
}

/// U+FFFD, which stands for what is no character.
inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

/// A text that may be none, with U+FFFD for every part that is no character.
inline std::string utf8_text(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        Utf8Front front = utf8_front(text);
        result += front.whole ? text.substr(0, front.size) : replacement_character;
        text.remove_prefix(front.size);
    }
    return result;
}

}  // namespace kvolt::detail

#endif
