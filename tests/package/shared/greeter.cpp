#include "greeter.hpp"

#include <kvolt.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/run.hpp>
#include <kvolt/websocket_client.hpp>

struct Greeter::State {
    State() {
        auto options = kvolt::UpgradeOptions().compression(kvolt::deflate());
        app.get("/ws", [this, options](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade(options);
            auto seat = hub.join(socket);
            while (auto message = co_await socket.read()) hub.broadcast("hello, " + message->payload);
        });
        app.start("127.0.0.1:0");
    }

    kvolt::App app;
    kvolt::Hub<> hub{app};
};

Greeter::Greeter() : state_(std::make_unique<State>()) {}
Greeter::~Greeter() = default;

unsigned short Greeter::port() const { return state_->app.port(); }

void connect(const std::string& url) {
    kvolt::WebSocketClient client(url);
    kvolt::run(client.connect());
}
