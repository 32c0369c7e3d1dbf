#ifndef KVOLT_DETAIL_WEBSOCKET_FRAME_READER_HPP
#define KVOLT_DETAIL_WEBSOCKET_FRAME_READER_HPP

#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/mask.hpp>
#include <kvolt/detail/core/utf8.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/message.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// Takes the bytes that the other side sends apart into messages and control frames (RFC 6455, section 5; RFC 7692).
///
/// Text is checked as it comes, or as it is inflated, and lengths are checked before what they announce is there.
class FrameReader {
public:
    enum class Result {
        more,     ///< Nothing to tell before more has come.
        message,  ///< take_message()
        ping,     ///< control() is to be sent back.
        pong,
        close,  ///< code() and reason(); nothing may follow.
        fault,  ///< The other side broke the protocol or a limit: code() and reason() tell how. Nothing is read any
                ///< more.
    };

    /// @param most_bytes, most_frames  Of a message.
    /// @param role                     Who reads: a server wants masks, and a client none.
    /// @param inflater                 Of compressed messages; without one there may be none.
    FrameReader(std::size_t most_bytes, std::size_t most_frames, Role role = Role::server,
                std::unique_ptr<Inflater> inflater = {})
        : most_bytes_(most_bytes),
          most_frames_(most_frames),
          mask_size_(role == Role::server ? 4 : 0),
          inflater_(std::move(inflater)) {}

    /// Take bytes off the front of `input` until there is something to tell. The input is changed: masks are taken off.
    ///
    /// After `more`, `input` is what of a frame is too short to be taken, at most 130 bytes: give it again, together
    /// with what follows.
    Result read(std::span<char>& input) {
        for (;;) {
            if (in_payload_) {
                take_payload(input);
                if (code_ != 0) return Result::fault;
                if (payload_left_ > 0) return Result::more;
                in_payload_ = false;
                if (!last_) continue;
                if (compressed_ && !inflater_->end_message()) return fail(close_code::invalid_payload, cut_off);
                if (text_ && !text_check_.complete()) return fail(close_code::invalid_payload, "text is not UTF-8");
                in_message_ = false;
                return Result::message;
            }
            Head head;
            if (!take_head(input, head)) return Result::more;
            if (head.fault != nullptr) return fail(close_code::protocol_error, head.fault);
            if (is_control(head.opcode)) {
                if (input.size() < head.size + head.length) return Result::more;
                return take_control(input, head);
            }
            input = input.subspan(head.size);
            if (!begin_data(head)) return Result::fault;
        }
    }

    /// The message that has come; once.
    Message take_message() { return {std::exchange(payload_, {}), !text_}; }

    /// The payload of a ping or pong. It lies in the input that was given.
    std::string_view control() const noexcept { return control_; }

    /// The close code: what the other side has sent, `no_status` if nothing; after a fault, what it is to be told.
    std::uint16_t code() const noexcept { return code_; }
    std::string_view reason() const noexcept { return control_; }

    /// From the head of a message's first frame to the end of its last.
    bool in_message() const noexcept { return in_message_; }

private:
    struct Head {
        std::size_t size = 0;
        std::uint64_t length = 0;
        Opcode opcode{};
        bool last = false;
        bool compressed = false;
        const char* fault = nullptr;
    };

    static bool is_control(Opcode opcode) noexcept { return static_cast<unsigned>(opcode) >= 8; }

    // Read the head of a frame, without taking it off. What is wrong with it is told as soon as it can be seen.
    bool take_head(std::span<const char> input, Head& head) {
        auto at = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
        if (input.empty()) return false;
        head.last = (at(0) & 0x80) != 0;
        head.opcode = static_cast<Opcode>(at(0) & 0x0F);
        bool may_be_compressed = inflater_ && (head.opcode == Opcode::text || head.opcode == Opcode::binary);
        if ((at(0) & (may_be_compressed ? 0x30 : 0x70)) != 0) return refuse(head, "reserved bits are set");
        head.compressed = (at(0) & 0x40) != 0;
        switch (head.opcode) {
            case Opcode::continuation:
                if (!in_message_) return refuse(head, "a continuation of nothing");
                break;
            case Opcode::text:
            case Opcode::binary:
                if (in_message_) return refuse(head, "a message within another one");
                break;
            case Opcode::close:
            case Opcode::ping:
            case Opcode::pong:
                if (!head.last) return refuse(head, "a control frame in fragments");
                break;
            default: return refuse(head, "an unknown opcode");
        }
        if (input.size() < 2) return false;
        bool masked = (at(1) & 0x80) != 0;
        if (masked != (mask_size_ > 0)) return refuse(head, masked ? "a frame with a mask" : "a frame without a mask");
        head.length = at(1) & 0x7F;
        if (is_control(head.opcode) && head.length > 125) return refuse(head, "a control frame that is too long");
        std::size_t more = head.length == 126 ? 2 : head.length == 127 ? 8 : 0;
        head.size = 2 + more + mask_size_;
        if (input.size() < head.size) return false;
        if (more > 0) {
            head.length = 0;
            for (std::size_t i = 2; i < 2 + more; ++i) head.length = head.length << 8 | at(i);
            if (head.length < (more == 2 ? 126u : 65536u)) return refuse(head, "a length in too many bytes");
            if (head.length > (std::numeric_limits<std::int64_t>::max)()) return refuse(head, "a length above 2^63");
        }
        std::memcpy(mask_.data(), input.data() + 2 + more, mask_size_);
        masked_ = 0;
        return true;
    }

    static bool refuse(Head& head, const char* why) {
        head.fault = why;
        return true;
    }

    bool begin_data(const Head& head) {
        if (!in_message_) {
            in_message_ = true;
            text_ = head.opcode == Opcode::text;
            compressed_ = head.compressed;
            text_check_ = {};
            frames_ = 0;
        }
        if (++frames_ > most_frames_) return fail(close_code::policy_violation, "too many fragments"), false;
        if (head.length > (compressed_ ? most_compressed() : most_bytes_ - payload_.size()))
            return fail(close_code::message_too_big, too_big), false;
        last_ = head.last;
        payload_left_ = head.length;
        in_payload_ = true;
        return true;
    }

    void take_payload(std::span<char>& input) {
        auto part = input.first(static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, input.size())));
        input = input.subspan(part.size());
        payload_left_ -= part.size();
        unmask(part);
        std::string_view bytes(part.data(), part.size());
        if (compressed_) return inflate(bytes);
        if (text_ && !text_check_.feed(bytes)) fail(close_code::invalid_payload, "text is not UTF-8");
        payload_ += bytes;
    }

    void inflate(std::string_view bytes) {
        for (bool more = true; more && code_ == 0;) {
            std::size_t before = payload_.size();
            auto result = inflater_->inflate(bytes, payload_);
            more = result == Inflater::Result::more;
            std::string_view allowed = std::string_view(payload_).substr(before, most_bytes_ - before);
            if (text_ && !text_check_.feed(allowed))
                fail(close_code::invalid_payload, "text is not UTF-8");
            else if (payload_.size() > most_bytes_)
                fail(close_code::message_too_big, too_big);
            else if (result == Inflater::Result::bad)
                fail(close_code::invalid_payload, "not deflated data");
        }
    }

    // Bytes of a frame. What cannot be compressed gets a little longer.
    std::size_t most_compressed() const noexcept {
        std::size_t more = most_bytes_ / 8 + 1024;
        return most_bytes_ < (std::numeric_limits<std::size_t>::max)() - more ? most_bytes_ + more : most_bytes_;
    }

    Result take_control(std::span<char>& input, const Head& head) {
        auto payload = input.subspan(head.size, static_cast<std::size_t>(head.length));
        input = input.subspan(head.size + payload.size());
        unmask(payload);
        control_ = {payload.data(), payload.size()};
        if (head.opcode == Opcode::ping) return Result::ping;
        if (head.opcode == Opcode::pong) return Result::pong;
        if (control_.empty()) {
            code_ = close_code::no_status;
            return Result::close;
        }
        if (control_.size() == 1) return fail(close_code::protocol_error, "half a close code");
        auto byte = [&](std::size_t i) { return static_cast<unsigned char>(control_[i]); };
        auto code = static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
        control_.remove_prefix(2);
        if (!is_sendable(code)) return fail(close_code::protocol_error, "a close code that must not be sent");
        if (!is_utf8(control_)) return fail(close_code::invalid_payload, "the reason of a close is not UTF-8");
        code_ = code;
        return Result::close;
    }

    void unmask(std::span<char> bytes) noexcept {
        if (mask_size_ == 0) return;
        apply_mask(bytes, mask_, masked_);
        masked_ = (masked_ + bytes.size()) % mask_.size();
    }

    Result fail(std::uint16_t code, std::string_view reason) {
        code_ = code;
        control_ = reason;
        return Result::fault;
    }

    static constexpr std::string_view too_big = "the message is too big";
    static constexpr std::string_view cut_off = "deflated data is cut off";

    const std::size_t most_bytes_;
    const std::size_t most_frames_;
    const std::size_t mask_size_;
    const std::unique_ptr<Inflater> inflater_;
    std::string payload_;  // of the message, as far as it has come
    std::string_view control_;
    std::uint64_t payload_left_ = 0;  // of the frame
    std::size_t frames_ = 0;          // of the message
    std::size_t masked_ = 0;          // where in the mask the frame's next byte is
    Mask mask_{};
    std::uint16_t code_ = 0;
    Utf8Check text_check_;
    bool in_message_ = false;
    bool in_payload_ = false;
    bool last_ = false;  // frame of the message
    bool text_ = false;
    bool compressed_ = false;
};

}  // namespace kvolt::detail

#endif
