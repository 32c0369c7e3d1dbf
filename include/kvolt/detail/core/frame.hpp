#ifndef KVOLT_DETAIL_CORE_FRAME_HPP
#define KVOLT_DETAIL_CORE_FRAME_HPP

// WebSocket frames (RFC 6455, section 5.2): writing them without a mask, as a server does.

#include <kvolt/detail/core/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Which side of a connection this is: a client masks what it sends, and a server must not (RFC 6455, section 5.1).
enum class Role : std::uint8_t { server, client };

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

inline constexpr std::size_t max_head = 10;  // bytes of an unmasked one

/// Write the head of a whole, unmasked frame; returns its size.
inline std::size_t write_head(char* head, Opcode opcode, std::size_t payload_size) {
    head[0] = static_cast<char>(0x80 | static_cast<unsigned>(opcode));
    if (payload_size < 126) {
        head[1] = static_cast<char>(payload_size);
        return 2;
    }
    std::size_t size = 2;
    int bytes = payload_size < 65536 ? 2 : 8;
    head[1] = static_cast<char>(bytes == 2 ? 126 : 127);
    std::uint64_t length = payload_size;
    for (int i = bytes - 1; i >= 0; --i) head[size++] = static_cast<char>(length >> (8 * i));
    return size;
}

/// Append one whole, unmasked frame.
inline void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
    char head[max_head];
    out.append(head, write_head(head, opcode, payload.size()));
    out += payload;
}

/// What a close frame carries; nothing for `no_status`. A reason is made UTF-8, as it must be (RFC 6455,
/// section 5.5.1), and cut to the 123 bytes that fit, between characters.
inline std::string close_payload(std::uint16_t code, std::string_view text) {
    std::string payload;
    if (code != 1005) {
        const std::string utf8 = utf8_text(text);
        std::string_view reason = utf8;
        if (reason.size() > 123) {
            std::size_t end = 123;
            while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
            reason = reason.substr(0, end);
        }
        payload += static_cast<char>(code >> 8);
        payload += static_cast<char>(code & 0xFF);
        payload += reason;
    }
    return payload;
}

/// Append a close frame.
inline void append_close(std::string& out, std::uint16_t code, std::string_view reason) {
    append_frame(out, Opcode::close, close_payload(code, reason));
}

/// The size of the whole frame that `bytes` begins with.
inline std::size_t frame_size(std::string_view bytes) {
    auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
    std::size_t size = at(1) & 127, mask = (at(1) & 128) != 0 ? 4 : 0;
    if (size < 126) return 2 + mask + size;
    std::size_t end = size == 126 ? 4 : 10;
    size = 0;
    for (std::size_t i = 2; i < end; ++i) size = size << 8 | at(i);
    return end + mask + size;
}

/// The payload of a whole, unmasked frame.
inline std::string_view frame_payload(std::string_view frame) noexcept {
    std::size_t length = static_cast<unsigned char>(frame[1]);
    return frame.substr(length < 126 ? 2 : length == 126 ? 4 : max_head);
}

/// Whether a close frame may carry this code (RFC 6455, section 7.4, and the codes registered since).
constexpr bool is_sendable(std::uint16_t code) noexcept {
    return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
           (code >= 3000 && code <= 4999);
}

}  // namespace kvolt::detail

#endif
