#include <kvolt.hpp>

int main() {
    kvolt::App app;
    kvolt::Hub<> hub(app);

    app.get("/ws", [&](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();            // 101, or a proper HTTP error and no socket
        auto seat = hub.join(socket);                  // leaves when it goes out of scope
        while (auto message = co_await socket.read())  // ends when the peer is gone
            seat.broadcast(*message);                  // text stays text, binary stays binary
    });

    app.run(":8080");  // until SIGINT or SIGTERM; drains; throws if the port is taken
}
