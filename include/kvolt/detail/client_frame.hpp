#ifndef KVOLT_DETAIL_CLIENT_FRAME_HPP
#define KVOLT_DETAIL_CLIENT_FRAME_HPP

// WebSocket frames as a client has to write them, masked (RFC 6455, section 5.3).

#include <kvolt/detail/frame.hpp>

#include <array>
#include <cstddef>
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

}  // namespace kvolt::detail

#endif
