#ifndef KVOLT_DETAIL_CORE_UTF8_HPP
#define KVOLT_DETAIL_CORE_UTF8_HPP

#include <array>
#include <bit>
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
            if (byte(*at) < 0xE0) {  // two bytes, as most alphabets take
                while (end - at >= 8 && four_pairs(at)) at += 8;
                while (end - at >= 2 && byte(*at) >= 0xC2 && byte(*at) < 0xE0 && follows(at[1])) at += 2;
            }
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

    /// Where there is a byte that is not ASCII, or less than 32 bytes before the end.
    static const char* skip_blocks(const char* at, const char* end) noexcept {
        while (end - at >= 32 && any_high_bit(at) == 0) at += 32;
        return at;
    }

    /// True unless the text so far ends in the middle of a character.
    bool complete() const noexcept { return left_ == 0; }

private:
    static const char* skip_ascii(const char* at, const char* end) noexcept {
        if (end - at >= 8) {  // most runs that are not short are long
            if (std::uint64_t high = high_bits(at)) return at + first_byte(high);
            for (at = skip_blocks(at + 8, end); end - at >= 8; at += 8)
                if (std::uint64_t high = high_bits(at)) return at + first_byte(high);
        }
        while (at != end && byte(*at) < 0x80) ++at;
        return at;
    }

    static int first_byte(std::uint64_t bits) noexcept {
        return (std::endian::native == std::endian::little ? std::countr_zero(bits) : std::countl_zero(bits)) / 8;
    }

    // Of eight bytes, those that are not ASCII.
    static std::uint64_t high_bits(const char* at) noexcept {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        return word & 0x8080808080808080u;
    }

    // Of 32. Compilers know what to make of this.
    static std::uint64_t any_high_bit(const char* at) noexcept {
        std::uint64_t words[4], all = 0;
        std::memcpy(words, at, 32);
        for (std::uint64_t word : words) all |= word;
        return all & 0x8080808080808080u;
    }

    // Whether eight bytes are four characters of two.
    static bool four_pairs(const char* at) noexcept {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        if ((word & pairs(0xE0, 0xC0)) != pairs(0xC0, 0x80)) return false;
        std::uint64_t not_overlong = (word & pairs(0x1E, 0)) + pairs(0x7F, 0);
        return (not_overlong & pairs(0x80, 0)) == pairs(0x80, 0);
    }

    static constexpr std::uint64_t pairs(std::uint8_t lead, std::uint8_t next) noexcept {
        return std::bit_cast<std::uint64_t>(std::array{lead, next, lead, next, lead, next, lead, next});
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
    const char* end = text.data() + text.size();
    const char* at = Utf8Check::skip_blocks(text.data(), end);  // which is most of most text
    Utf8Check check;
    return check.feed({at, static_cast<std::size_t>(end - at)}) && check.complete();
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
