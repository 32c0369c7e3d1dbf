// Files, uploads, streams and events over HTTPS, behind the usual middleware.
//
//     kvolt_files_and_tls ADDRESS FOLDER CERTIFICATE_FILE KEY_FILE

#include <kvolt.hpp>
#include <kvolt/middleware.hpp>
#include <kvolt/tls.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>

namespace middleware = kvolt::middleware;

// A body of any size, part by part: a slow disk would slow the client down, not fill the memory.
kvolt::Task<> upload(kvolt::Context& c) {
    std::uint64_t bytes = 0;
    while (auto part = co_await c.read_some()) bytes += part->size();
    c.json("{\"bytes\":" + std::to_string(bytes) + '}');
}

// A response of any size, as fast as the client takes it.
kvolt::Task<> count(kvolt::Context& c) {
    auto stream = c.stream("text/csv");
    for (int row = 1; row <= 1000000; ++row)
        if (!co_await stream.write(std::to_string(row) + '\n')) break;
}

// Events for the page: new EventSource("/api/clock").onmessage = event => ...
kvolt::Task<> tick(kvolt::Context& c) {
    auto events = c.events();
    boost::asio::steady_timer timer(c.executor());
    for (int i = 1; co_await events.send("tick " + std::to_string(i)); ++i) {
        timer.expires_after(std::chrono::seconds(1));
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
}

int main(int argc, char** argv) try {
    if (argc != 5) {
        std::cerr << "usage: " << argv[0] << " ADDRESS FOLDER CERTIFICATE_FILE KEY_FILE\n";
        return 2;
    }
    kvolt::App app;
    middleware::Metrics metrics(app);
    app.use(metrics.count());
    app.use(middleware::request_id());
    app.use(middleware::logger());
    app.use(middleware::secure_headers());

    app.files("/", argv[2], kvolt::FilesOptions().max_age(std::chrono::hours(1)));

    auto api = app.group("/api");
    api.use(middleware::rate_limit());
    api.post("/upload", kvolt::stream_body, upload);
    api.get("/count", count);
    api.get("/clock", tick);
    api.get("/metrics", metrics.page());

    app.run_tls(argv[1], argv[3], argv[4], [](std::string_view url) { std::cout << "Open " << url << std::endl; });
} catch (const std::exception& error) {
    std::cerr << "kvolt_files_and_tls: " << error.what() << '\n';
    return 1;
}
