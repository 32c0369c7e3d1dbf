#ifndef KVOLT_TESTS_SERVER_HUB_SERVER_HPP
#define KVOLT_TESTS_SERVER_HUB_SERVER_HPP

#include "websocket_server.hpp"
#include <kvolt/hub.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <cstddef>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// The route `/ws?name=NAME&room=ROOM` joins a hub and says so, and broadcasts to its room what it is sent.
struct HubServer : Server {
    explicit HubServer(const kvolt::HubOptions& options = {}, std::size_t threads = 1, const kvolt::Limits& limits = {})
        : Server(limits, threads), hub(app, options) {
        app.get("/ws", [this](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, std::string(c.query("name")), c.query("room"));
            socket.send("joined");
            sockets.add(socket);
            while (auto message = co_await socket.read()) hub.broadcast(*message, seat.room());
            endings.add(ending(socket));
        });
    }

    HubServer& go() {
        start();
        return *this;
    }

    Client join(std::string_view name = "", std::string_view room = "", int receive_buffer = 0) {
        auto client = connect("/ws?name=" + std::string(name) + "&room=" + std::string(room), receive_buffer);
        if (read_text(client) != "joined") throw std::runtime_error("not joined");
        return client;
    }

    std::vector<std::string> members(std::string room = "") {
        auto names = boost::asio::co_spawn(app.executor(), hub.members(std::move(room)), boost::asio::use_future).get();
        std::sort(names.begin(), names.end());
        return names;
    }

    /// Wait until all loops have dealt with what was broadcast before.
    void settle() {
        for (const auto& loop : *app.loops()) {  // the first one gives the order
            std::promise<void> passed;
            boost::asio::post(loop->io(), [&] { passed.set_value(); });
            passed.get_future().wait();
        }
    }

    void broadcast(kvolt::MessageView message, std::string_view room = "") {
        hub.broadcast(message, room);
        settle();
    }

    Reports<kvolt::WebSocket> sockets;
    kvolt::Hub<std::string> hub;
};

}  // namespace test

#endif
