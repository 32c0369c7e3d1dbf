#include "catch.hpp"
#include <kvolt/detail/core/mask.hpp>

#include <cstddef>
#include <span>
#include <string>

using kvolt::detail::apply_mask;
using kvolt::detail::Mask;

TEST_CASE("mask: byte by byte what RFC 6455 says, also from the middle of a payload") {
    const Mask mask = {0x37, 0xFA, 0x21, 0x3D};
    for (std::size_t size = 0; size < 40; ++size)
        for (std::size_t at = 0; at < 9; ++at) {
            std::string bytes(size, '\0'), expected;
            for (std::size_t i = 0; i < size; ++i) {
                bytes[i] = static_cast<char>(i * 37);
                expected += static_cast<char>(static_cast<unsigned char>(bytes[i]) ^ mask[(at + i) % 4]);
            }
            apply_mask(std::span<char>(bytes), mask, at);
            REQUIRE(bytes == expected);
        }
}
