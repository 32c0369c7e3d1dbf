#ifndef KVOLT_DETAIL_FRAME_HPP
#define KVOLT_DETAIL_FRAME_HPP

// WebSocket frames (RFC 6455, section 5.2): writing those of a server, and following those of a client.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvolt::detail {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Append one whole, unmasked frame.
inline void append_frame(std::string& out, Opcode opcode, std::string_view payload) {
    char head[10];
    std::size_t size = payload.size(), length = 2;
    head[0] = static_cast<char>(0x80 | static_cast<unsigned>(opcode));
    if (size < 126) {
        head[1] = static_cast<char>(size);
    } else {
        int bytes = size < 65536 ? 2 : 8;
        head[1] = static_cast<char>(bytes == 2 ? 126 : 127);
        for (int i = bytes - 1; i >= 0; --i)
            head[length++] = static_cast<char>(static_cast<std::uint64_t>(size) >> (8 * i));
    }
    out.append(head, length);
    out += payload;
}

/// Append a close frame; without a code for `no_status`. A reason is cut to the 123 bytes that fit, between characters.
inline void append_close(std::string& out, std::uint16_t code, std::string_view reason) {
    std::string payload;
    if (code != 1005) {
        if (reason.size() > 123) {
            std::size_t end = 123;
            while (end > 0 && (static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;
            reason = reason.substr(0, end);
        }
        payload += static_cast<char>(code >> 8);
        payload += static_cast<char>(code & 0xFF);
        payload += reason;
    }
    append_frame(out, Opcode::close, payload);
}

/// The size of the whole unmasked frame that `bytes` begins with.
inline std::size_t frame_size(std::string_view bytes) {
    auto at = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])); };
    std::uint64_t size = at(1) & 127;
    if (size < 126) return static_cast<std::size_t>(2 + size);
    std::size_t end = size == 126 ? 4 : 10;
    size = 0;
    for (std::size_t i = 2; i < end; ++i) size = size << 8 | at(i);
    return static_cast<std::size_t>(end + size);
}

/// True if text that is valid up to its end stops in the middle of a UTF-8 character.
inline bool ends_inside_character(std::string_view text) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
        auto c = static_cast<unsigned char>(text[text.size() - back]);
        if ((c & 0xC0) == 0x80) continue;
        std::size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
        return length > back;
    }
    return false;
}

/// Follows the frames in the bytes from a client, without their payload, to count the fragments of a message.
///
/// Beast hides empty fragments, so a peer could send them without end.
class FrameCounter {
public:
    void feed(std::string_view bytes) noexcept {
        while (!bytes.empty()) {
            if (payload_left_ > 0) {
                auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, bytes.size()));
                payload_left_ -= skipped;
                bytes.remove_prefix(skipped);
                if (payload_left_ == 0) end_frame();
                continue;
            }
            head_[have_++] = static_cast<unsigned char>(bytes.front());
            bytes.remove_prefix(1);
            if (have_ >= 2 && have_ == head_size()) begin_frame();
        }
    }

    /// The most frames that a message has had so far.
    std::size_t peak() const noexcept { return peak_; }

    /// True from the head of a data message to its last byte.
    bool in_message() const noexcept { return fragments_ > 0; }

    /// How many data messages have ended.
    std::size_t messages() const noexcept { return messages_; }

private:
    std::size_t head_size() const noexcept {
        std::size_t length = head_[1] & 127;
        return 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + (head_[1] & 128 ? 4u : 0u);
    }

    void begin_frame() noexcept {
        std::uint64_t length = head_[1] & 127;
        if (length >= 126) {
            std::size_t end = length == 126 ? 4 : 10;
            length = 0;
            for (std::size_t i = 2; i < end; ++i) length = length << 8 | head_[i];
        }
        in_data_ = (head_[0] & 8) == 0;
        if (in_data_) peak_ = std::max(peak_, ++fragments_);
        have_ = 0;
        payload_left_ = length;
        if (length == 0) end_frame();
    }

    void end_frame() noexcept {
        if (!in_data_ || (head_[0] & 128) == 0) return;
        fragments_ = 0;
        ++messages_;
    }

    std::uint64_t payload_left_ = 0;
    std::size_t fragments_ = 0;
    std::size_t peak_ = 0;
    std::size_t messages_ = 0;
    std::uint8_t have_ = 0;
    bool in_data_ = false;
    unsigned char head_[14] = {};
};

}  // namespace kvolt::detail

#endif
