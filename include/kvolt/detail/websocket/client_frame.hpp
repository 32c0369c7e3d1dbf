#ifndef KVOLT_DETAIL_WEBSOCKET_CLIENT_FRAME_HPP
#define KVOLT_DETAIL_WEBSOCKET_CLIENT_FRAME_HPP

// WebSocket frames as a client has to write them, masked (RFC 6455, section 5.3).

#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/mask.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Put a mask on the whole, unmasked frame that begins at `begin` and ends with `out`.
inline void mask_frame(std::string& out, std::size_t begin, const Mask& mask) {
    std::size_t payload = out.size() - frame_payload(std::string_view(out).substr(begin)).size();
    out[begin + 1] = static_cast<char>(out[begin + 1] | 0x80);
    apply_mask(std::span<char>(out).subspan(payload), mask);
    out.insert(payload, reinterpret_cast<const char*>(mask.data()), mask.size());
}

/// Append one whole, masked frame.
inline void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, const Mask& mask) {
    std::size_t begin = out.size();
    append_frame(out, opcode, payload);
    mask_frame(out, begin, mask);
}

}  // namespace kvolt::detail

#endif
