#ifndef KVOLT_DETAIL_CORE_MASK_HPP
#define KVOLT_DETAIL_CORE_MASK_HPP

// The masks of a client's frames (RFC 6455, section 5.3).

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace kvolt::detail {

using Mask = std::array<unsigned char, 4>;

/// Put a mask on a part of a payload, or take it off.
///
/// @param at  Where in the payload the part begins.
inline void apply_mask(std::span<char> bytes, const Mask& mask, std::size_t at = 0) noexcept {
    std::array<unsigned char, 8> key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = mask[(at + i) % mask.size()];
    std::uint64_t key_word, word;
    std::memcpy(&key_word, key.data(), 8);
    std::size_t done = 0;
    for (; done + 8 <= bytes.size(); done += 8) {
        std::memcpy(&word, &bytes[done], 8);
        word ^= key_word;
        std::memcpy(&bytes[done], &word, 8);
    }
    for (std::size_t i = 0; done < bytes.size(); ++done, ++i)
        bytes[done] = static_cast<char>(static_cast<unsigned char>(bytes[done]) ^ key[i]);
}

}  // namespace kvolt::detail

#endif
