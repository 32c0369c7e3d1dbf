// A server, and a client that hears from its hub: what an outside project uses, by headers alone (add_subdirectory) or
// compiled once (find_package).

#include <kvolt.hpp>
#include <kvolt/run.hpp>
#include <kvolt/websocket_client.hpp>

#include <string>

namespace {

kvolt::Task<bool> hears_itself(std::string url) {
    kvolt::WebSocketClient client(url);
    auto socket = co_await client.connect();
    socket.send("hello");
    auto message = co_await socket.read();
    co_return message && message->payload == "hello";
}

}  // namespace

int main() {
    kvolt::App app;
    kvolt::Hub<> hub(app);
    app.get("/ws", [&](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        while (auto message = co_await socket.read()) hub.broadcast(*message);
    });
    app.start("127.0.0.1:0");
    bool heard = kvolt::run(hears_itself("ws://127.0.0.1:" + std::to_string(app.port()) + "/ws"));
    app.stop();
    return heard ? 0 : 1;
}
