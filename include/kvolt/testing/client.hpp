#ifndef KVOLT_TESTING_CLIENT_HPP
#define KVOLT_TESTING_CLIENT_HPP

#include <kvolt/app.hpp>
#include <kvolt/detail/http/forwarded.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/server/http_session.hpp>
#include <kvolt/detail/testing/client_connections.hpp>
#include <kvolt/detail/testing/memory_server.hpp>
#include <kvolt/detail/testing/memory_stream.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/handshake.hpp>
#include <kvolt/testing/request.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace kvolt::testing {

/// Drives an app without a server, sockets or threads: `Client client(app);`, then
/// `CHECK(client.get("/users/7").send().status() == 200);`.
///
/// All behind the sockets is real: parser, limits, middleware, handlers, WebSockets and hubs. What listeners do is not
/// there: TLS, the PROXY protocol and the limit of connections. The app runs in the test's own thread, on one loop
/// whatever App::threads() says, and only while the test waits for something, so a test goes the same way each time,
/// and handlers may use what the test uses without a lock.
///
/// The clock of all deadlines, those of Limits and of the timeout middleware, stands still; advance() moves it. Timers
/// of Asio and the rates of rate_limit keep real time.
///
/// Making one starts the app: set it up before. Destroying it ends the app: handlers that still wait are destroyed. A
/// file that makes one compiles the transport, as does one that calls App::run(). Move-only.
///
/// @note Thread safety: none; all in one thread, and not from within handlers.
/// @note Lifetime: declare it behind the app and all that handlers use.
class Client {
public:
    /// @throws std::logic_error  if the app was started before.
    template <class Stream = detail::MemoryStream>
    explicit Client(App& app) {
        auto begin = [core = app.core()](detail::Place place, Stream stream, detail::IpEndpoint peer) {
            std::make_shared<detail::HttpSession<Stream>>(core, std::move(place), std::move(stream),
                                                          detail::Sender{peer}, std::string_view())
                ->start();
        };
        auto server = std::make_shared<detail::MemoryServer>(app.core(), std::move(begin));
        app.serve_by(server);
        connections_ = std::make_unique<detail::ClientConnections>(std::move(server));
    }

    Client(Client&&) noexcept = default;
    Client& operator=(Client&&) = delete;
    ~Client() {
        if (connections_) connections_->server().end();
    }

    /// A request, to which more can be said, and which is then sent: `client.get("/").send()`.
    ///
    /// @param target  As it is sent, such as `/users/7?full=1`.
    Request request(std::string_view method, std::string_view target) { return Request(*connections_, method, target); }
    Request get(std::string_view target) { return request("GET", target); }
    Request head(std::string_view target) { return request("HEAD", target); }
    Request post(std::string_view target) { return request("POST", target); }
    Request put(std::string_view target) { return request("PUT", target); }
    Request patch(std::string_view target) { return request("PATCH", target); }
    Request del(std::string_view target) { return request("DELETE", target); }
    Request options(std::string_view target) { return request("OPTIONS", target); }

    /// A WebSocket, to whose handshake more can be said: `auto ann = client.websocket("/ws").connect();`.
    Handshake websocket(std::string_view target) { return Handshake(*connections_, target); }

    /// A connection, on which nothing was sent yet.
    Connection connect() { return connections_->make(); }

    /// Move the clock, and let happen what is due by then. Deadlines hold to within 200 ms: go a second further than
    /// the limit that is meant.
    void advance(std::chrono::milliseconds time) { connections_->server().advance(time); }

    /// Run all that can run now, such as for messages that were sent. Here, as wherever the app is run, what leaves a
    /// function that was posted to App::executor() comes out.
    ///
    /// @throws std::runtime_error  if there is no end to it.
    void settle() { connections_->server().settle(); }

    /// How much real time whatever waits for the app waits at most, and handlers have for timers and threads of their
    /// own; 5 s by default.
    Client& patience(std::chrono::milliseconds time) {
        connections_->server().patience(time);
        return *this;
    }

    /// Where connections seem to come from, from now on: `203.0.113.7:4000`; `127.0.0.1:50000` by default.
    ///
    /// @throws std::invalid_argument  if that is none.
    Client& address(std::string_view address) {
        connections_->address(address);
        return *this;
    }

    /// How many bytes the app can send on a connection made from now on before its client takes some; 64 KiB by
    /// default.
    Client& socket_buffer(std::size_t bytes) {
        connections_->room(bytes);
        return *this;
    }

private:
    std::unique_ptr<detail::ClientConnections> connections_;
};

}  // namespace kvolt::testing

#endif
