// The server that TLS clients are tried on: kvolt_tls_server THREADS CERTIFICATE KEY [CERTIFICATE KEY]..., on a free
// port of 127.0.0.1, which it prints. SIGHUP reads the certificates anew.

#include <kvolt/app.hpp>
#include <kvolt/server.hpp>
#include <kvolt/tls.hpp>

#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view page = R"(<!DOCTYPE html>
<title>connecting</title>
<script>
const socket = new WebSocket(`wss://${location.host}/echo`);
socket.onopen = () => socket.send("hello over TLS");
socket.onmessage = event => { document.title = `heard: ${event.data}`; socket.close(1000); };
socket.onclose = event => { document.title += `, closed: ${event.code}`; };
</script>
)";

void serve(unsigned threads, char** files, int count) {
    kvolt::Tls tls(files[0], files[1]);
    for (int i = 2; i + 1 < count; i += 2) tls.add(files[i], files[i + 1]);

    kvolt::App app;
    app.threads(threads);
    app.get("/", [](kvolt::Context& c) { c.html(std::string(page)); });
    app.get("/scheme", [](kvolt::Context& c) { c.text(std::string(c.scheme())); });
    app.get("/big", [](kvolt::Context& c) { c.text(std::string(10000000, 'x')); });
    app.post("/upload", [](kvolt::Context& c) { c.text(std::string(c.body())); });
    app.get("/echo", [](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        while (auto message = co_await socket.read()) socket.send(*message);
    });

    boost::asio::signal_set reload(app.executor(), SIGHUP);
    std::function<void()> await_reload = [&] {
        reload.async_wait([&](boost::system::error_code error, int) {
            if (error) return;
            try {
                tls.reload();
                std::cout << "reloaded" << std::endl;
            } catch (const std::exception& failure) {
                std::cout << failure.what() << std::endl;
            }
            await_reload();
        });
    };
    await_reload();

    std::cout << app.listen_tls("127.0.0.1:0", tls) << std::endl;
    app.run();
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 4 || argc % 2 != 0) {
        std::cerr << "usage: kvolt_tls_server THREADS CERTIFICATE KEY [CERTIFICATE KEY]...\n";
        return 2;
    }
    serve(static_cast<unsigned>(std::stoul(argv[1])), argv + 2, argc - 2);
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
