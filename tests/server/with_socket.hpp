#ifndef KVOLT_TESTS_SERVER_WITH_SOCKET_HPP
#define KVOLT_TESTS_SERVER_WITH_SOCKET_HPP

#include <kvolt/run.hpp>
#include <kvolt/websocket_client.hpp>

#include <string>
#include <utility>

namespace test {

/// Connect on a loop of its own, and do something with the connection there.
template <class Use>
void with_socket(const std::string& url, const kvolt::ConnectOptions& options, Use use) {
    kvolt::run([](std::string to, kvolt::ConnectOptions by, Use then) -> kvolt::Task<> {
        kvolt::WebSocketClient client(to, by);
        kvolt::WebSocket socket = co_await client.connect();
        co_await then(socket);
    }(url, options, std::move(use)));
}

}  // namespace test

#endif
