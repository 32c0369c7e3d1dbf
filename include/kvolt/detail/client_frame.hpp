#ifndef KVOLT_DETAIL_CLIENT_FRAME_HPP
#define KVOLT_DETAIL_CLIENT_FRAME_HPP

// WebSocket frames on the client's side (RFC 6455, section 5.2): writing its own, and taking those of a server apart.

#include <kvolt/detail/frame.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kvolt::detail {

using Mask = std::array<unsigned char, 4>;

/// Append one whole, masked frame.
inline void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, const Mask& mask) {
    std::size_t begin = out.size();
    append_frame(out, opcode, payload);
    out[begin + 1] = static_cast<char>(out[begin + 1] | 0x80);
    std::size_t masked = out.size() - payload.size();
    for (std::size_t i = 0; i < payload.size(); ++i)
        out[masked + i] = static_cast<char>(static_cast<unsigned char>(out[masked + i]) ^ mask[i % mask.size()]);
    out.insert(masked, reinterpret_cast<const char*>(mask.data()), mask.size());
}

/// A frame that a server has sent.
struct ServerFrame {
    Opcode opcode{};
    bool last = false;  ///< Of its message.
    std::string_view payload;
};

/// Take the first frame off the front of `input`; nothing if not all of it has come.
///
/// @throws std::runtime_error  if a server must not send it: with a mask, or with reserved bits.
inline std::optional<ServerFrame> take_server_frame(std::string_view& input) {
    auto at = [&](std::size_t i) { return static_cast<unsigned char>(input[i]); };
    if (input.size() < 2) return std::nullopt;
    if ((at(1) & 0x80) != 0) throw std::runtime_error("kvolt: the server has sent a frame with a mask");
    if ((at(0) & 0x70) != 0) throw std::runtime_error("kvolt: the server has sent a frame with reserved bits");
    std::size_t length = at(1), head = length == 126 ? 4 : length == 127 ? 10 : 2;
    if (input.size() < head) return std::nullopt;
    std::size_t size = frame_size(input);
    if (input.size() < size) return std::nullopt;
    ServerFrame frame{static_cast<Opcode>(at(0) & 0x0F), (at(0) & 0x80) != 0, input.substr(head, size - head)};
    input.remove_prefix(size);
    return frame;
}

}  // namespace kvolt::detail

#endif
