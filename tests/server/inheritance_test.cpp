#include "../catch.hpp"
#include "../certificate.hpp"
#include "../folder.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "socket_path.hpp"
#include "tls_client.hpp"
#include "websocket_server.hpp"
#include <kvolt.hpp>
#include <kvolt/tls.hpp>
#include <kvolt/tls_client.hpp>
#include <kvolt/websocket_client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <atomic>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <thread>

using kvolt::Context;
using kvolt::Task;
using test::Client;
using test::eventually;

namespace {

struct Descriptors {
    std::set<int> all, inherited;  // by programs that are started

    static Descriptors now() {
        Descriptors now;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            int number = std::stoi(entry.path().filename());
            int flags = ::fcntl(number, F_GETFD);
            if (flags < 0) continue;  // that of this very look
            now.all.insert(number);
            if ((flags & FD_CLOEXEC) == 0) now.inherited.insert(number);
        }
        return now;
    }
};

}  // namespace

TEST_CASE("programs that are started inherit nothing of a server, its connections, its files and its clients") {
    auto before = Descriptors::now();
    test::Certificate certificate;
    test::Folder folder;
    test::SocketPath path;
    folder.write("big", std::string(16 * 1024 * 1024, 'x'));
    kvolt::App app;
    std::atomic<int> sockets = 0, clients = 0;
    app.threads(2).files("/files", folder.path());
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        ++sockets;
        co_await socket.read();
    });
    auto connect = [&](std::string url, kvolt::ConnectOptions options) -> Task<> {
        kvolt::WebSocketClient client(url, options);
        auto socket = co_await client.connect();
        ++clients;
        co_await socket.read();
    };
    auto port = app.listen("127.0.0.1:0");
    auto secure_port = app.listen_tls(":0", kvolt::Tls(certificate.file, certificate.key_file));
    app.listen("unix:" + path.path);
    std::thread server([&] {
        app.run([&](std::string_view url) {
            if (!url.starts_with("unix:")) return;  // the last one
            kvolt::TlsClient trust;
            trust.ca_file(certificate.file);
            kvolt::ConnectOptions plain, local, secure;
            local.unix_socket(path.path);
            secure.tls(trust);
            boost::asio::co_spawn(app.executor(), connect("ws://localhost:" + std::to_string(port) + "/ws", plain),
                                  boost::asio::detached);
            boost::asio::co_spawn(app.executor(), connect("ws://localhost/ws", local), boost::asio::detached);
            boost::asio::co_spawn(app.executor(),
                                  connect("wss://localhost:" + std::to_string(secure_port) + "/ws", secure),
                                  boost::asio::detached);
        });
    });
    CHECK(eventually([&] { return sockets == 3 && clients == 3; }));
    Client downloading(port, 4096);
    test::TlsClient downloading_too(secure_port, 4096);
    for (Client* client : {&downloading, static_cast<Client*>(&downloading_too)}) {
        client->send("GET /files/big HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(client->readable(std::chrono::seconds(5)));
    }
    auto now = Descriptors::now();
    CHECK(now.all.size() >= before.all.size() + 20);
    CHECK(now.inherited == before.inherited);
    app.stop();
    server.join();
}
