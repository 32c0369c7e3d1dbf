#ifndef KVOLT_MESSAGE_HPP
#define KVOLT_MESSAGE_HPP

// WebSocket messages, and the close codes of RFC 6455.

#include <kvolt/detail/core/utf8.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace kvolt {

/// A received WebSocket message. It owns its bytes.
struct Message {
    std::string payload;  ///< UTF-8 if text.
    bool binary = false;
};

/// A message to send: what `send` and `broadcast` take. It refers to bytes that the call copies.
///
/// Strings are text; `MessageView::bytes(...)` makes a binary message; a received Message keeps its kind.
struct MessageView {
    template <std::convertible_to<std::string_view> Text>
    MessageView(const Text& text) : payload(text) {}

    MessageView(const Message& message) : payload(message.payload), binary(message.binary) {}

    /// A binary message.
    static MessageView bytes(std::string_view payload) {
        MessageView view(payload);
        view.binary = true;
        return view;
    }

    /// Whether it may be sent: text is UTF-8 (RFC 6455, section 5.6).
    bool is_valid() const noexcept { return binary || detail::is_utf8(payload); }

    std::string_view payload;
    bool binary = false;
};

/// What became of a message that was sent to one connection.
enum class SendResult {
    queued,        ///< On its way.
    backpressure,  ///< On its way, behind others that the peer has not taken yet: `co_await socket.drained()` before
                   ///< more.
    dropped,       ///< Not sent: the connection is over or its backlog is full.
    invalid,       ///< Not sent: text that is not UTF-8, for which the peer would end the connection.
};

/// Close codes (RFC 6455, section 7.4.1). An application's own are 4000 to 4999.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;
inline constexpr std::uint16_t no_status = 1005;  ///< Never sent: the peer closed without a code.
inline constexpr std::uint16_t abnormal = 1006;   ///< Never sent: the connection was lost.
inline constexpr std::uint16_t invalid_payload = 1007;
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t message_too_big = 1009;
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t service_restart = 1012;
inline constexpr std::uint16_t try_again_later = 1013;
}  // namespace close_code

}  // namespace kvolt

#endif
