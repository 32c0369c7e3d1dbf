// The server that outside checks and load generators are run against, on 127.0.0.1:
// kvolt_bench_server PORT [THREADS [CERTIFICATE KEY]]

#include <kvolt/app.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/tls.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

auto echo(const kvolt::UpgradeOptions& options = {}) {
    return [options](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade(options);
        while (auto message = co_await socket.read())
            if (socket.send(*message) == kvolt::SendResult::backpressure) co_await socket.drained();
    };
}

/// Everybody gets what anybody says; in a room of its own, those who are there.
auto chat(kvolt::Hub<>& hub, const kvolt::UpgradeOptions& options = {}) {
    return [&hub, options](kvolt::Context& c) -> kvolt::Task<> {
        const std::string room(c.param("room"));
        auto socket = co_await c.upgrade(options);
        auto seat = hub.join(socket, {}, room);
        while (auto message = co_await socket.read()) hub.broadcast(*message, room);
    };
}

void serve(const std::string& address, unsigned threads, const std::vector<std::string>& certificate_and_key) {
    kvolt::Limits limits;
    limits.message_size = 16 * mebibyte;
    limits.message_fragments = 131072;
    limits.backlog = {64 * mebibyte, 1000000};
    limits.all_backlogs = 4096 * mebibyte;

    kvolt::App app;
    app.threads(threads).limits(limits);
    kvolt::Hub<> hub(app, kvolt::HubOptions().slow(kvolt::SlowPolicy::disconnect).backlog(16 * mebibyte, 1000000));

    app.get("/plaintext", [](kvolt::Context& c) { c.text("Hello, World!"); });
    app.get("/json", [](kvolt::Context& c) { c.json(R"({"message":"Hello, World!"})"); });
    app.get("/users/:id", [](kvolt::Context& c) { c.text(std::string(c.param("id"))); });
    app.post("/echo-body", [](kvolt::Context& c) { c.blob(std::string(c.body()), "application/octet-stream"); });

    auto takeover = kvolt::DeflateOptions().context_takeover().min_size(1);
    app.get("/echo", echo());
    app.get("/deflate", echo(kvolt::UpgradeOptions().compression(kvolt::deflate())));
    app.get("/deflate/takeover", echo(kvolt::UpgradeOptions().compression(kvolt::deflate(takeover))));
    auto fast = kvolt::DeflateOptions().level(1).min_size(1);
    app.get("/chat", chat(hub));
    app.get("/rooms/:room", chat(hub));
    app.get("/deflate/chat", chat(hub, kvolt::UpgradeOptions().compression(kvolt::deflate(fast))));

    if (certificate_and_key.empty())
        app.run(address);
    else
        app.run_tls(address, certificate_and_key[0], certificate_and_key[1]);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2 || argc == 4 || argc > 5) {
        std::cerr << "usage: kvolt_bench_server PORT [THREADS [CERTIFICATE KEY]]\n";
        return 2;
    }
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    serve("127.0.0.1:" + arguments[0], arguments.size() > 1 ? static_cast<unsigned>(std::stoul(arguments[1])) : 1,
          {arguments.begin() + std::min<std::ptrdiff_t>(2, argc - 1), arguments.end()});
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
