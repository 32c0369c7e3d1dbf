// The server that outside checks and load generators are run against: kvolt_bench_server PORT [THREADS], on 127.0.0.1.

#include <kvolt/app.hpp>
#include <kvolt/deflate.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/server.hpp>

#include <cstddef>
#include <exception>
#include <iostream>
#include <string>

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

auto echo(const kvolt::UpgradeOptions& options = {}) {
    return [options](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade(options);
        while (auto message = co_await socket.read())
            if (socket.send(*message) == kvolt::SendResult::backpressure) co_await socket.drained();
    };
}

void serve(const std::string& port, unsigned threads) {
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
    app.get("/chat", [&](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        while (auto message = co_await socket.read()) hub.broadcast(*message);
    });

    app.run("127.0.0.1:" + port);
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 2 || argc > 3) {
        std::cerr << "usage: kvolt_bench_server PORT [THREADS]\n";
        return 2;
    }
    serve(argv[1], argc == 3 ? static_cast<unsigned>(std::stoul(argv[2])) : 1);
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
