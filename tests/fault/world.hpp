#ifndef KVOLT_TESTS_FAULT_WORLD_HPP
#define KVOLT_TESTS_FAULT_WORLD_HPP

// An app without sockets whose memory runs out, and its clients, whose memory does not.

#include "fail_each.hpp"
#include "memory.hpp"
#include <kvolt.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/detail/http/response_parser.hpp>
#include <kvolt/detail/server/http_session.hpp>
#include <kvolt/detail/testing/client_connections.hpp>
#include <kvolt/detail/testing/memory_server.hpp>
#include <kvolt/detail/testing/memory_stream.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/websocket.hpp>

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// The server's end of a connection. What would go on in the kernel and at the client does not fail.
class Stream : public kvolt::detail::MemoryStream {
    using Base = kvolt::detail::MemoryStream;

public:
    explicit Stream(Base base) noexcept : Base(std::move(base)) {}
    Stream(Stream&&) noexcept = default;
    ~Stream() {
        Memory::Armed off(false);
        Base ended(std::move(static_cast<Base&>(*this)));
    }

    template <class Buffers>
    std::size_t read_some(const Buffers& buffers, Error& error) {
        Memory::Armed off(false);
        return Base::read_some(buffers, error);
    }

    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, Error& error) {
        Memory::Armed off(false);
        return Base::write_some(buffers, error);
    }

    void shutdown(boost::asio::socket_base::shutdown_type what, Error& error) {
        Memory::Armed off(false);
        Base::shutdown(what, error);
    }

    void close(Error& error) {
        Memory::Armed off(false);
        Base::close(error);
    }
};

class World {
public:
    using Connection = kvolt::testing::Connection;
    using WebSocket = kvolt::testing::WebSocket;

    /// An app to which routes are still to be added.
    explicit World(const kvolt::HubOptions& options = kvolt::HubOptions().history(3)) : hub(app, options) {
        app.logger([](std::string_view) {});
        hub.on_join([this](const auto& presence) {
            ++joined_;
            hub.broadcast("+" + presence.member, presence.room);
        });
        hub.on_leave([this](const auto& presence) {
            ++left_;
            hub.broadcast("-" + presence.member, presence.room);
        });
        app.get("/hello", [](kvolt::Context& c) { c.text("hello"); });
        app.get("/hub", [this](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade(kvolt::UpgradeOptions().compression(kvolt::deflate()));
            auto seat = hub.join(socket, std::string(c.query("name")), "lobby");
            if (auto limit = c.query("slow"); !limit.empty())
                seat.slow(kvolt::SlowPolicy::drop_oldest).backlog(4000, 20);
            while (auto message = co_await socket.read())
                hub.broadcast(*message, "lobby", kvolt::BroadcastOptions().coalesce(c.query("key")));
        });
    }

    ~World() {
        friends_.clear();
        if (server_) server_->end();
    }

    World(const World&) = delete;
    World& operator=(const World&) = delete;

    /// Serve, and let two members join the hub whom nothing that follows may harm.
    void start() {
        auto begin = [this](kvolt::detail::Place place, kvolt::detail::MemoryStream stream,
                            kvolt::detail::IpEndpoint peer) {
            serve(std::move(place), Stream(std::move(stream)), std::move(peer));
        };
        server_ = std::make_shared<kvolt::detail::MemoryServer>(app.core(), begin);
        app.serve_by(server_);
        connections_.emplace(server_);
        for (const char* fields : {"", "Sec-WebSocket-Extensions: permessage-deflate\r\n"}) {
            auto joined = handshake("/hub?name=friend", fields);
            demand(joined.has_value(), "no friend has joined");
            friends_.push_back({speak(std::move(*joined)), {}});
        }
        for (Friend& each : friends_) each.socket.waiting();
    }

    Connection connect(std::size_t socket_buffer = 64 * 1024) {
        connections_->room(socket_buffer);
        return connections_->make();
    }

    /// Run all that can run now, with memory that may run out.
    void turn() {
        Memory::Armed on(armed_);
        run([this] { server_->settle(); });
    }

    /// Let time pass likewise.
    void advance(std::chrono::milliseconds time) {
        Memory::Armed on(armed_);
        run([&] { server_->advance(time); });
    }

    /// A connection on which the handshake has succeeded, or nothing if that was refused properly.
    std::optional<Connection> handshake(std::string_view target, std::string_view fields = {},
                                        std::size_t socket_buffer = 64 * 1024) {
        Connection connection = connect(socket_buffer);
        connection.send("GET " + std::string(target) +
                        " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                        std::string(fields) + "\r\n");
        turn();
        std::string came = connection.read_some();
        kvolt::detail::ResponseParser parser;
        parser.read(came);
        if (!parser.has_head()) {
            demand(came.empty() && connection.ended(), "a handshake hangs");
            return std::nullopt;
        }
        if (parser.status() != 101) {
            demand(parser.status() == 500 || parser.status() == 503, "a handshake is answered wrongly");
            return std::nullopt;
        }
        connection.received() = std::move(came);
        return connection;
    }

    static WebSocket speak(Connection connection) { return WebSocket(std::move(connection), {}); }

    /// What has come on a connection are these bodies in answers with 200, or errors of the server, or it was closed.
    static void judge(Connection& connection, const std::vector<std::string>& bodies) {
        std::string came = connection.read_some();
        bool ended = connection.ended();
        for (const std::string& body : bodies) {
            kvolt::detail::ResponseParser parser;
            parser.read(came);
            std::string got = parser.take_body();
            if (!parser.complete()) {
                demand(ended, "a request hangs");
                demand(!parser.has_head() || parser.status() != 200 || body.starts_with(got), "an answer is garbled");
                return;
            }
            if (parser.status() == 200)
                demand(got == body, "an answer is wrong: " + got.substr(0, 100));
            else
                demand(parser.status() == 500 || parser.status() == 503,
                       "an answer is " + std::to_string(parser.status()));
        }
        demand(came.empty(), "more has come than was asked for: " + came);
    }

    /// The messages that have come; none are broken.
    static std::vector<std::string> messages(WebSocket& socket) {
        std::vector<std::string> all;
        while (socket.waiting() > 0) all.push_back(socket.read()->payload);
        return all;
    }

    /// All that must hold once there is memory again and the clients of the scenario are gone.
    void check() {
        armed_ = false;
        demand(!left_loop_, "an exception has left the loop");
        if (stopped_) return;
        server_->settle();
        {
            Connection connection = connect();
            connection.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");
            demand(connection.read_response().body() == "hello", "a plain request is answered wrongly");
        }
        server_->advance(std::chrono::milliseconds(500));
        demand(hub.broadcast("last", "lobby") == kvolt::BroadcastResult::taken, "the hub takes no broadcast");
        server_->settle();
        std::size_t open = 0;
        const std::vector<std::string>* most = nullptr;
        for (Friend& each : friends_) {
            each.got = messages(each.socket);
            if (each.socket.close_code() != 0) continue;
            ++open;
            demand(!each.got.empty() && each.got.back() == "last", "a friend has missed the last message");
            demand(most == nullptr || *most == each.got, "friends have seen different orders");
            most = &each.got;
        }
        demand(hub.size() == open, "the hub has " + std::to_string(hub.size()) + " seats of " + std::to_string(open));
        demand(hub.size("lobby") == open, "the lobby has another size");
        demand(members() == open, "the roster has " + std::to_string(members()) + " seats of " + std::to_string(open));
        demand(joined_ - left_ == open, "of " + std::to_string(joined_) + " who came " + std::to_string(left_) +
                                            " went, but " + std::to_string(open) + " are there");
        auto load = app.loops()->front()->load();
        demand(load.connections == open, std::to_string(load.connections) + " connections of " + std::to_string(open));
        demand(app.loops()->front()->connections() == open, "connections are counted wrongly");
    }

    void stop() { server_->stop(); }

    /// The app has been stopped: once the time to drain is over nothing is left of it.
    void stopped() {
        armed_ = false;
        stopped_ = true;
        friends_.clear();
        server_->settle();
        server_->wait();
        demand(app.loops()->front()->load().connections == 0, "a connection has outlived the app");
        demand(hub.size() == 0, "a seat has outlived the app");
    }

    kvolt::App app;
    kvolt::Hub<std::string> hub;

private:
    struct Friend {
        WebSocket socket;
        std::vector<std::string> got;
    };

    // As a listener does.
    void serve(kvolt::detail::Place place, Stream stream, kvolt::detail::IpEndpoint peer) {
        using Session = kvolt::detail::HttpSession<Stream>;
        Memory::Armed on(armed_);
        try {
            std::make_shared<Session>(app.core(), std::move(place), std::move(stream), kvolt::detail::Sender{peer},
                                      std::string_view())
                ->start();
        } catch (const std::bad_alloc&) {
        }
    }

    template <class Function>
    void run(Function function) {
        try {
            function();
        } catch (const std::bad_alloc&) {
            left_loop_ = true;
        }
    }

    std::size_t members() {
        std::size_t count = 0;
        boost::asio::co_spawn(app.executor(), hub.members("lobby"),
                              [&](std::exception_ptr, const auto& all) { count = all.size(); });
        server_->settle();
        return count;
    }

    std::shared_ptr<kvolt::detail::MemoryServer> server_;
    std::optional<kvolt::detail::ClientConnections> connections_;
    std::vector<Friend> friends_;
    std::size_t joined_ = 0, left_ = 0;
    bool armed_ = true;
    bool left_loop_ = false;
    bool stopped_ = false;
};

}  // namespace test

#endif
