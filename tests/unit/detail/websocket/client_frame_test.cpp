#include "catch.hpp"
#include <kvolt/detail/websocket/client_frame.hpp>

#include <cstddef>
#include <string>

using kvolt::detail::append_frame;
using kvolt::detail::append_masked_frame;
using kvolt::detail::mask_frame;
using kvolt::detail::Opcode;

TEST_CASE("a masked frame, by the example of RFC 6455, section 5.7") {
    std::string out = "before";
    append_masked_frame(out, Opcode::text, "Hello", {0x37, 0xfa, 0x21, 0x3d});
    CHECK(out == "before\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST_CASE("a frame that is there already gets its mask, and what is before it stays") {
    std::string out = "before", same = out;
    append_frame(out, Opcode::binary, std::string(300, 'x'));
    mask_frame(out, 6, {1, 2, 3, 4});
    append_masked_frame(same, Opcode::binary, std::string(300, 'x'), {1, 2, 3, 4});
    CHECK(out == same);
}

TEST_CASE("masked frames have the lengths of unmasked ones, and their masked payload") {
    for (std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u}) {
        std::string plain, masked, payload(size, 'x');
        append_frame(plain, Opcode::binary, payload);
        append_masked_frame(masked, Opcode::binary, payload, {1, 2, 3, 4});
        REQUIRE(masked.size() == plain.size() + 4);
        std::size_t head = plain.size() - size;
        CHECK(masked[1] == static_cast<char>(plain[1] | 0x80));
        CHECK(masked.substr(2, head - 2) == plain.substr(2, head - 2));
        CHECK(masked.substr(head, 4) == "\1\2\3\4");
        for (std::size_t i = 0; i < size; ++i)
            masked[head + 4 + i] = static_cast<char>(masked[head + 4 + i] ^ (i % 4 + 1));
        CHECK((masked.substr(head + 4) == payload));
    }
}
