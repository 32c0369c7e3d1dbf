#ifndef KVOLT_RESPONSE_STREAM_HPP
#define KVOLT_RESPONSE_STREAM_HPP

#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/handler.hpp>

#include <string_view>

namespace kvolt {

/// A response whose body is sent in parts, made by `context.stream()`. It ends when the handler returns; a handler that
/// throws cuts it off, so that the peer does not take it for the whole.
///
/// @note Lifetime: that of the handler.
/// @note Thread safety: none; for the connection's loop, where the handler runs.
class ResponseStream {
public:
    explicit ResponseStream(detail::Exchange& exchange) noexcept : exchange_(&exchange) {}

    /// Send a part of the body, of any size; status and header go with the first one.
    ///
    /// Completes when at most 64 KiB wait for the peer to take them; one write at a time.
    ///
    /// @returns  false if nobody wants more: the peer is gone, or has asked for the head only. Then return.
    Task<bool> write(std::string_view part) { return exchange_->write(part); }

    /// False once what is written reaches nobody.
    bool is_open() const noexcept { return exchange_->streaming(); }

private:
    detail::Exchange* exchange_;
};

}  // namespace kvolt

#endif
