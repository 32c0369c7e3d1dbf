#ifndef KVOLT_DETAIL_CLIENT_CONNECTION_HPP
#define KVOLT_DETAIL_CLIENT_CONNECTION_HPP

#include <kvolt/connect_error.hpp>
#include <kvolt/connect_options.hpp>
#include <kvolt/detail/client/handshake.hpp>
#include <kvolt/detail/client/websocket_url.hpp>
#include <kvolt/detail/core/escape.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/http/answer_parser.hpp>
#include <kvolt/detail/net/alarm.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/perform.hpp>
#include <kvolt/detail/net/protocol.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/net/wire.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/detail/websocket/session.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// A WebSocket that this side has opened. It lives until it is over, and is closed when its last handle has gone.
template <class Stream>
class ClientConnection final : public Protocol, public std::enable_shared_from_this<ClientConnection<Stream>> {
public:
    ClientConnection(Loop& loop, Stream stream, const Limits& limits, std::string protocol, Extensions extensions)
        : limits_(limits),
          wire_(loop, std::move(stream), *this),
          session_(wire_, limits_, std::move(protocol), Role::client, std::move(extensions)) {}

    /// Begin to speak, and return the first handle.
    ///
    /// @param rest  What has come in behind the handshake.
    WebSocket start(std::string rest) {
        auto self = this->shared_from_this();
        auto handle = std::make_shared<LastHandle>(session_.peer(), self);
        wire_.owner(self);
        session_.begin(std::move(rest), self);
        wire_.protocol(*this);
        self_ = std::move(self);
        Peer* peer = handle->peer.get();
        return WebSocket(std::shared_ptr<Peer>(std::move(handle), peer));
    }

private:
    struct LastHandle {
        LastHandle(std::shared_ptr<Peer> of, std::weak_ptr<ClientConnection> on) noexcept
            : peer(std::move(of)), connection(std::move(on)) {}
        LastHandle(const LastHandle&) = delete;
        LastHandle& operator=(const LastHandle&) = delete;
        ~LastHandle() {
            try {
                if (peer->on_loop())
                    let_go(connection);
                else
                    peer->mailbox()->post([weak = connection] { let_go(weak); });
            } catch (...) {  // out of memory: the server will have to close
            }
        }

        static void let_go(const std::weak_ptr<ClientConnection>& weak) {
            if (auto alive = weak.lock()) alive->on_released();
        }

        const std::shared_ptr<Peer> peer;
        const std::weak_ptr<ClientConnection> connection;
    };

    void on_released() {
        if (!wire_.loop().cleared()) session_.handler_done(close_code::normal);
        self_.reset();  // the closing handshake keeps it alive
    }

    void on_backlog() override { session_.on_backlog(); }
    void on_drained() override { session_.on_drained(); }
    void on_late() override { session_.on_late(); }
    void on_shut_down() override { session_.on_shut_down(); }
    void on_overload() override { wire_.reset(); }

    void on_lost() override {
        session_.on_lost();
        self_.reset();
    }

    const Limits limits_;
    Wire<Stream> wire_;
    WebSocketSession<Stream> session_;
    std::shared_ptr<ClientConnection> self_;
};

/// What has been settled before a connection is made.
struct Handshake {
    const WebSocketUrl& url;
    const ConnectOptions& options;
    Tick due;  ///< When it must be over.
};

[[noreturn]] inline void fail_handshake(bool late, std::string_view where, boost::system::error_code error) {
    std::string what(where);
    if (late) throw ConnectError(ConnectError::Reason::timeout, what + " took too long");
    throw ConnectError(ConnectError::Reason::network, what + ": " + error.message());
}

/// Send all of it.
template <class Stream>
Task<boost::system::error_code> write_all(Loop& loop, Stream& stream, std::string_view bytes) {
    for (;;) {
        boost::system::error_code error;
        if (!bytes.empty()) bytes.remove_prefix(stream.write_some(boost::asio::buffer(bytes), error));
        bool waits = error == boost::asio::error::would_block || error == boost::asio::error::try_again;
        if (error && !waits) co_return error;
        if constexpr (requires { stream.unsent(); }) {
            if (bytes.empty()) stream.flush(error);
            if (bytes.empty() && error) co_return error;
            waits = waits || stream.unsent() > 0;
        }
        if (bytes.empty() && !waits) co_return boost::system::error_code();
        if (!waits) continue;
        auto [failed, size] = co_await perform(
            loop, [&](auto done) { stream.async_wait(boost::asio::socket_base::wait_write, std::move(done)); });
        if (failed) co_return failed;
    }
}

/// The opening handshake over a stream that is connected, encrypted already where it is to be.
///
/// @throws ConnectError  if there is no WebSocket in the end.
template <class Stream>
Task<WebSocket> open_websocket(Loop& loop, Stream stream, Handshake handshake) {
    using Error = boost::system::error_code;
    auto close = [&stream] {
        Error ignored;
        stream.close(ignored);
    };
    Alarm alarm(loop, handshake.due, close);
    const Limits& limits = handshake.options.limits();
    std::string key = make_websocket_key();
    std::string request = handshake_request(handshake.url, handshake.options, key);
    Error failed = co_await write_all(loop, stream, request);
    if (failed) fail_handshake(alarm.rang(), "sending the request", failed);

    AnswerParser parser(limits.header_size, limits.header_fields);
    std::string received;
    std::array<char, 1024> bytes;
    for (bool whole = false; !whole;) {
        auto [error, size] = co_await perform(
            loop, [&](auto done) { stream.async_read_some(boost::asio::buffer(bytes), std::move(done)); });
        received.append(bytes.data(), size);
        try {
            whole = parser.read(received);
        } catch (const boost::system::system_error& wrong) {
            if (parser.has_head()) break;  // only its body is of no use
            std::string what = "the server's answer is not that of HTTP (" + wrong.code().message() +
                               "): " + printable(std::string_view(bytes.data(), size), 100);
            throw ConnectError(ConnectError::Reason::handshake, what);
        }
        if (!error || whole) continue;
        if (parser.has_head()) break;  // a refusal, whose body does not matter that much
        if (error == boost::asio::error::eof && !alarm.rang())
            throw ConnectError(ConnectError::Reason::network, "the server closed the connection without an answer");
        fail_handshake(alarm.rang(), "waiting for the server's answer", error);
    }
    std::string protocol = check_answer(parser.answer(), handshake.options, key);
    Extensions extensions = accept_extensions(parser.answer(), handshake.options);
    if (loop.draining()) throw ConnectError(ConnectError::Reason::stopped, "the app stops");
    auto connection = std::make_shared<ClientConnection<Stream>>(loop, std::move(stream), limits, std::move(protocol),
                                                                 std::move(extensions));
    co_return connection->start(std::move(received));
}

/// What makes TLS of a connected socket: a seam, so that a client without it needs no OpenSSL.
class TlsConnector {
public:
    virtual ~TlsConnector() = default;

    /// Shake hands, then open_websocket(). Throws like that.
    virtual Task<WebSocket> open(Loop& loop, PlainStream socket, Handshake handshake) const = 0;
};

}  // namespace kvolt::detail

#endif
