#include "catch.hpp"
#include <kvolt/detail/core/sha1.hpp>

#include <cstddef>
#include <string>
#include <string_view>

using kvolt::detail::Sha1;

namespace {

std::string hex(std::string_view message) {
    std::string result;
    for (unsigned char byte : Sha1::of(message))
        (result += "0123456789abcdef"[byte >> 4]) += "0123456789abcdef"[byte & 0xF];
    return result;
}

std::string repeat(std::string_view text, int count) {
    std::string result;
    for (int i = 0; i < count; ++i) result += text;
    return result;
}

}  // namespace

TEST_CASE("SHA-1 is that of RFC 3174, section 7.3") {
    CHECK(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
    CHECK(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(hex(repeat("a", 1'000'000)) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    CHECK(hex(repeat("01234567", 80)) == "dea356a2cddd90c7a7ecedc5ebb563934f460452");
}

// By sha1sum: each size at which the padding changes its shape.
TEST_CASE("SHA-1 of messages that end next to a block's end") {
    struct {
        int size;
        std::string_view digest;
    } cases[] = {
        {1, "11f6ad8ec52a2984abaafd7c3b516503785c2072"},   {54, "31045e7bb077ff8d188a776b196b980388735dbb"},
        {55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1"},  {56, "901305367c259952f4e7af8323f480d59f81335b"},
        {57, "025ecbd5d70f8fb3c5457cd96bab13fda305dc59"},  {63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec"},
        {64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163"},  {65, "78c741ddc482e4cdf8c474a0876347a0905b6233"},
        {119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c"}, {120, "ceb2821639c4b6dcb10bce0e522ca2e608ce056d"},
        {128, "150fa3fbdc899bd0b8f95a9fb6027f564d953762"},
    };
    for (const auto& [size, digest] : cases) {
        INFO(size);
        CHECK(hex(repeat("x", size)) == digest);
    }
    CHECK(hex({"\0\xff\x80\n", 4}) == "8241f51896e05daeb30134f6ed965b2e8598c968");
}

TEST_CASE("SHA-1 is known at compile time") {
    static_assert(Sha1::of("")[0] == 0xda && Sha1::of("")[19] == 0x09);
    CHECK(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}
