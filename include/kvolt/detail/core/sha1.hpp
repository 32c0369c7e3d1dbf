#ifndef KVOLT_DETAIL_CORE_SHA1_HPP
#define KVOLT_DETAIL_CORE_SHA1_HPP

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvolt::detail {

/// SHA-1 (RFC 3174), which the opening handshake of a WebSocket asks for. It keeps no secret there; use it for none.
class Sha1 {
public:
    using Digest = std::array<unsigned char, 20>;

    static constexpr Digest of(std::string_view message) noexcept {
        Sha1 sha1;
        std::string_view rest = message;
        for (; rest.size() >= block_size; rest.remove_prefix(block_size)) sha1.add(rest);

        // A one, zeros, and the number of bits, so that the last block is full (section 4).
        std::array<char, 2 * block_size> last{};
        std::size_t size = 0;
        for (char c : rest) last[size++] = c;
        last[size] = '\x80';
        std::size_t padded = size + 1 + length_size <= block_size ? block_size : 2 * block_size;
        std::uint64_t bits = std::uint64_t{message.size()} * 8;
        for (std::size_t i = 0; i < length_size; ++i) last[padded - 1 - i] = static_cast<char>(bits >> (8 * i) & 0xFF);
        for (std::size_t i = 0; i < padded; i += block_size) sha1.add(std::string_view(last.data() + i, block_size));

        Digest digest{};
        for (std::size_t i = 0; i < digest.size(); ++i)
            digest[i] = static_cast<unsigned char>(sha1.h_[i / 4] >> (24 - 8 * (i % 4)) & 0xFF);
        return digest;
    }

private:
    static constexpr std::size_t block_size = 64, length_size = 8;

    // One block, the first 64 bytes of `bytes` (section 6.1).
    constexpr void add(std::string_view bytes) noexcept {
        std::array<std::uint32_t, 80> w{};
        for (std::size_t i = 0; i < block_size; ++i) w[i / 4] = w[i / 4] << 8 | static_cast<unsigned char>(bytes[i]);
        for (std::size_t t = 16; t < 80; ++t) w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
        auto [a, b, c, d, e] = h_;
        for (std::size_t t = 0; t < 80; ++t) {
            std::uint32_t next = std::rotl(a, 5) + mix(t, b, c, d) + e + w[t];
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        h_ = {h_[0] + a, h_[1] + b, h_[2] + c, h_[3] + d, h_[4] + e};
    }

    // The function and the constant of a round (section 5).
    static constexpr std::uint32_t mix(std::size_t t, std::uint32_t b, std::uint32_t c, std::uint32_t d) noexcept {
        if (t < 20) return ((b & c) | (~b & d)) + 0x5A827999;
        if (t < 40) return (b ^ c ^ d) + 0x6ED9EBA1;
        if (t < 60) return ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC;
        return (b ^ c ^ d) + 0xCA62C1D6;
    }

    std::array<std::uint32_t, 5> h_{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
};

}  // namespace kvolt::detail

#endif
