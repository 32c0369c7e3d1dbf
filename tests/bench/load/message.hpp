#ifndef KVOLT_TESTS_BENCH_LOAD_MESSAGE_HPP
#define KVOLT_TESTS_BENCH_LOAD_MESSAGE_HPP

// WebSocket messages: those that are sent, which tell when they were due and by whom, and frames that come in.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

inline constexpr std::array<char, 4> mask{0x37, 0x5A, 0x21, 0x3D};

/// A whole, masked frame.
inline std::string make_frame(unsigned char opcode, std::string_view payload) {
    std::string frame(1, static_cast<char>(0x80 | opcode));
    std::size_t bytes = payload.size() < 126 ? 0 : payload.size() < 65536 ? 2 : 8;
    frame += static_cast<char>(0x80 | (bytes == 0 ? payload.size() : bytes == 2 ? 126 : 127));
    while (bytes > 0) frame += static_cast<char>(payload.size() >> (8 * --bytes));
    frame.append(mask.data(), mask.size());
    for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
    return frame;
}

/// What a message begins with: when it was due, and then its sender, each as 16 digits.
class Stamp {
public:
    static constexpr std::size_t size = 32;

    static std::string digits(std::uint64_t value) {
        std::string text(16, '0');
        for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = "0123456789abcdef"[value & 15];
        return text;
    }

    /// @param text  At least so many bytes.
    explicit Stamp(std::string_view text) noexcept : text_(text) {}

    std::uint64_t due() const noexcept {
        std::uint64_t value = 0;
        for (char c : text_.substr(0, 16))
            value = value << 4 | static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
        return value;
    }

    std::string_view sender() const noexcept { return text_.substr(16, 16); }

private:
    std::string_view text_;
};

/// What one sender sends.
class Message {
public:
    /// @param bytes  Of the payload, at least Stamp::size.
    Message(std::size_t sender, std::size_t bytes) : sender_(Stamp::digits(sender)) {
        std::string payload = Stamp::digits(0) + sender_;
        for (std::size_t i = sender; payload.size() < bytes; i = i * 7 + 13)
            payload +=
                "{\"id\":" + std::to_string(i % 9973) + ",\"text\":\"the price is " + std::to_string(i % 89) + "\"},";
        payload.resize(std::max(bytes, Stamp::size));
        frame_ = make_frame(1, payload);
        stamp_ = frame_.size() - payload.size();
    }

    std::string_view sender() const noexcept { return sender_; }

    /// The frame of the next one.
    std::string_view due(std::uint64_t when) {
        const std::string digits = Stamp::digits(when);
        for (std::size_t i = 0; i < digits.size(); ++i) frame_[stamp_ + i] = static_cast<char>(digits[i] ^ mask[i % 4]);
        return frame_;
    }

private:
    std::string sender_;
    std::string frame_;
    std::size_t stamp_ = 0;  // where it is in the frame
};

/// A whole frame of a server's.
struct Frame {
    unsigned char opcode;
    bool last;  // of its message
    bool compressed;
    std::string_view payload;
    std::size_t size;  // with its head
};

/// The frame that `bytes` begins with, if it is all there.
inline std::optional<Frame> read_frame(std::string_view bytes) noexcept {
    auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    if (bytes.size() < 2) return std::nullopt;
    std::size_t head = at(1) < 126 ? 2 : at(1) == 126 ? 4 : 10;
    if (bytes.size() < head) return std::nullopt;
    std::uint64_t length = at(1);
    if (head > 2) {
        length = 0;
        for (std::size_t i = 2; i < head; ++i) length = length << 8 | at(i);
    }
    if (bytes.size() - head < length) return std::nullopt;
    auto opcode = static_cast<unsigned char>(at(0) & 15);
    return Frame{opcode, (at(0) & 0x80) != 0, (at(0) & 0x40) != 0, bytes.substr(head, length), head + length};
}

}  // namespace bench

#endif
