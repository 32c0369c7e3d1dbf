#ifndef KVOLT_DETAIL_SERVER_EXCHANGE_HPP
#define KVOLT_DETAIL_SERVER_EXCHANGE_HPP

#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/request.hpp>
#include <kvolt/upgrade_options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// The connection that a request came over, for what a Context cannot do by itself. This is a seam: behind it the
/// transport begins, which files that only define handlers need not compile.
class Exchange {
public:
    virtual std::string remote_address() const = 0;
    virtual Task<>::executor_type executor() = 0;

    /// What the client calls the server, and whether it speaks TLS; by way of trusted proxies, too.
    virtual std::string host() const = 0;
    virtual bool secure() const = 0;

    /// Answer a handshake with 101 and speak WebSocket from now on, or throw the HttpError that refuses it.
    virtual std::shared_ptr<Peer> upgrade(const Request& request, const UpgradeOptions& options) = 0;

    /// False once the connection is lost.
    virtual bool connected() const noexcept = 0;

    /// True while the request's body is not there whole, as handlers want it, or will never be.
    virtual bool body_to_come() const noexcept = 0;

    /// Wait until it is whole. Throws an HttpError if it will not come.
    virtual Task<> read_body() = 0;

    /// How long the handler has waited for the body so far.
    virtual std::chrono::milliseconds body_wait() const noexcept = 0;

    /// The next part of the request's body; nothing at its end. Throws an HttpError if the rest will not come.
    virtual Task<std::optional<std::string_view>> read_some() = 0;

    /// Let read_some() throw if the body is longer than this many bytes.
    virtual void limit_body(std::uint64_t limit) = 0;

    enum class Streaming {
        bytes,   ///< The head goes with the first part.
        events,  ///< The head goes at once, and a comment whenever there was nothing to say for a while.
    };

    /// From now on the response's body comes by write().
    virtual void begin_stream(Streaming kind) = 0;

    /// Send a part of the body, and wait while the peer has much to take. False once the peer takes no more.
    virtual Task<bool> write(std::string_view part) = 0;

    /// Bytes of a streamed body that were sent.
    virtual std::size_t written() const noexcept = 0;

    /// False once what is written reaches nobody.
    virtual bool streaming() const noexcept = 0;

protected:
    ~Exchange() = default;
};

}  // namespace kvolt::detail

#endif
