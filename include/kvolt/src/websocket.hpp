#ifndef KVOLT_SRC_WEBSOCKET_HPP
#define KVOLT_SRC_WEBSOCKET_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/utf8.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/websocket.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kvolt {

namespace detail {

KVOLT_INLINE void check_close(std::uint16_t code, std::string_view reason) {
    if (!is_sendable(code))
        throw std::invalid_argument("kvolt: close code " + std::to_string(code) + " must not be sent");
    if (!is_utf8(reason)) throw std::invalid_argument("kvolt: the reason of a close must be UTF-8");
}

}  // namespace detail

KVOLT_INLINE void WebSocket::close(std::uint16_t code, std::string_view reason) const {
    detail::check_close(code, reason);
    peer_->close(code, reason);
}

}  // namespace kvolt

#endif
