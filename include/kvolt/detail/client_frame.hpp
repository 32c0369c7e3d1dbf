#ifndef KVOLT_DETAIL_CLIENT_FRAME_HPP
#define KVOLT_DETAIL_CLIENT_FRAME_HPP

// WebSocket frames as a client has to write them, masked (RFC 6455, section 5.3).

#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/mask.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// Append one whole, masked frame.
inline void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, const Mask& mask) {
    std::size_t begin = out.size();
    append_frame(out, opcode, payload);
    out[begin + 1] = static_cast<char>(out[begin + 1] | 0x80);
    std::size_t masked = out.size() - payload.size();
    apply_mask(std::span<char>(out).subspan(masked), mask);
    out.insert(masked, reinterpret_cast<const char*>(mask.data()), mask.size());
}

}  // namespace kvolt::detail

#endif
