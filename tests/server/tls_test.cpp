#include "../catch.hpp"
#include "../certificate.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "tls_client.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/server.hpp>
#include <kvolt/tls.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using kvolt::Context;
using kvolt::Task;
using kvolt::Tls;
using test::Certificate;
using test::Client;
using test::eventually;
using test::TlsClient;
using namespace std::chrono_literals;

namespace {

// An app that serves TLS on one port and plain HTTP on another.
struct SecureServer : test::Server {
    explicit SecureServer(std::size_t threads = 1, const kvolt::Limits& limits = {}, bool behind_proxy = false)
        : test::Server(limits, threads) {
        app.get("/", [](Context& c) { c.text("hello"); });
        app.get("/scheme", [](Context& c) { c.text(std::string(c.scheme()) + (c.secure() ? " secure" : "")); });
        app.get("/size/:n", [](Context& c) { c.text(std::string(std::stoul(std::string(c.param("n"))), 'x')); });
        app.post("/echo", [](Context& c) { c.text(std::string(c.body())); });
        app.get("/slow", [this](Context& c) -> Task<> {
            ++slow_ones;
            boost::asio::steady_timer timer(c.executor(), 50ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
            c.text("slow");
        });
        app.get("/ws", test::echo);
        app.get("/chat", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket);
            while (auto message = co_await socket.read()) hub.broadcast(*message);
        });
        app.get("/ending", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (co_await socket.read()) {
            }
            endings.add(test::ending(socket));
        });
        if (behind_proxy) app.trust_proxies({"127.0.0.1"});
        auto options = behind_proxy ? kvolt::ListenOptions().proxy_protocol() : kvolt::ListenOptions();
        port = app.listen_tls("127.0.0.1:0", tls, options);
        plain_port = app.listen("127.0.0.1:0");
        app.start();
    }

    std::size_t connections() {
        std::size_t all = 0;
        for (const auto& loop : *app.loops()) all += loop->connections();
        return all;
    }

    std::atomic<int> slow_ones = 0;
    kvolt::Hub<> hub{app};
    Certificate certificate;
    Tls tls{certificate.file, certificate.key_file};
    unsigned short port = 0, plain_port = 0;
};

std::string tls_get(std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

// OpenSSL finds no more memory for as long as one of these lives. The way to do so has to be set before its first use.
class NoMemory {
public:
    /// @param after  How many more times it finds some.
    explicit NoMemory(int after) { left_ = after; }
    ~NoMemory() { left_ = plenty; }

    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;

    static bool can_happen() { return hooked_ == 1; }

private:
    static constexpr int plenty = 1 << 30;

    static bool now() { return left_ < plenty && left_-- <= 0; }

    static inline std::atomic<int> left_ = plenty;
    static inline const int hooked_ = CRYPTO_set_mem_functions(
        [](std::size_t size, const char*, int) { return now() ? nullptr : std::malloc(size); },
        [](void* old, std::size_t size, const char*, int) { return now() ? nullptr : std::realloc(old, size); },
        [](void* old, const char*, int) { std::free(old); });
};

// Why its handshake fails.
std::string failure(TlsClient& client) {
    try {
        client.tls->handshake();
        return {};
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("TLS carries HTTP, beside plain HTTP") {
    auto threads = GENERATE(1u, 4u);
    auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    SecureServer server(threads);
    TlsClient client(server.port);
    SSL_set_max_proto_version(client.tls->ssl(), version);
    client.tls->handshake();
    CHECK(SSL_version(client.tls->ssl()) == version);
    CHECK(client.get("/").body == "hello");
    CHECK(client.get("/slow").body == "slow");
    CHECK(client.get("/scheme").body == "https secure");
    CHECK(client.get("/nowhere").status == 404);
    CHECK(Client(server.plain_port).get("/scheme").body == "http");
}

TEST_CASE("requests over TLS are answered in order, however they come") {
    SecureServer server;
    std::string requests;
    for (int i = 0; i < 50; ++i) requests += tls_get("/size/" + std::to_string(i * 100));
    SECTION("in one record") {
        TlsClient client(server.port);
        client.send(requests);
        for (std::size_t i = 0; i < 50; ++i) CHECK(client.read_response().body.size() == i * 100);
    }
    SECTION("byte by byte") {
        TlsClient client(server.port);
        for (char c : requests.substr(0, 200)) client.send({&c, 1});
        client.send(requests.substr(200));
        for (std::size_t i = 0; i < 50; ++i) CHECK(client.read_response().body.size() == i * 100);
    }
    SECTION("and then no more") {
        TlsClient client(server.port);
        client.send(requests);
        client.half_close();
        for (std::size_t i = 0; i < 50; ++i) CHECK(client.read_response().body.size() == i * 100);
        CHECK(client.ended());
        CHECK(client.tls->closed_properly());
    }
}

TEST_CASE("large answers reach a slow reader over TLS") {
    auto threads = GENERATE(1u, 4u);
    SecureServer server(threads);
    TlsClient client(server.port, 4096);
    client.send(tls_get("/size/5000000") + tls_get("/size/3000000") + tls_get("/"));
    CHECK(client.read_response().body == std::string(5000000, 'x'));
    CHECK(client.read_response().body == std::string(3000000, 'x'));
    CHECK(client.read_response().body == "hello");
}

TEST_CASE("an answer that nobody reads is given up over TLS, too") {
    kvolt::Limits limits;
    limits.write_timeout = 300ms;
    SecureServer server(1, limits);
    auto size = GENERATE(30000000u, 0u);
    TlsClient client(server.port, 4096);
    client.tls->handshake();
    if (size > 0) {
        client.send(tls_get("/size/" + std::to_string(size)));
    } else {  // many small ones, until something waits
        for (int i = 0; i < 2000; ++i) client.send(tls_get("/size/16000"));
    }
    CHECK(eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("large uploads go over TLS") {
    SecureServer server;
    TlsClient client(server.port);
    std::string body(1024 * 1024, 'u');
    for (std::size_t i = 0; i < body.size(); i += 97) body[i] = static_cast<char>('a' + i % 26);
    for (int i = 0; i < 3; ++i) CHECK(client.post("/echo", body).body == body);
    CHECK(client.post("/echo", body + "x").status == 413);
}

TEST_CASE("WebSockets go over TLS") {
    auto threads = GENERATE(1u, 4u);
    SecureServer server(threads);
    TlsClient client(server.port);
    REQUIRE(client.handshake("/ws", "Origin: https://localhost\r\n").status == 101);
    for (std::size_t size : {0u, 1u, 125u, 126u, 20000u, 65536u}) {
        client.send_frame(test::binary, std::string(size, 'w'));
        CHECK(client.read_frame().payload == std::string(size, 'w'));
    }
    client.send_frame(test::ping, "p");
    CHECK(client.read_frame().opcode == test::pong);
    client.send_frame(test::close, test::close_payload(1000));
    CHECK(test::closing(client) == "1000");
    CHECK(client.ended());
    CHECK(client.tls->closed_properly());
}

TEST_CASE("frames behind the handshake in one record are not lost over TLS") {
    SecureServer server;
    TlsClient client(server.port);
    client.send(test::handshake_request("/ws") + test::frame(test::text, "one") + test::frame(test::text, "two"));
    CHECK(client.read_response().status == 101);
    CHECK(test::read_text(client) == "one");
    CHECK(test::read_text(client) == "two");
}

TEST_CASE("the same origin is that of https over TLS") {
    SecureServer server;
    CHECK(TlsClient(server.port).handshake("/ws", "Origin: https://localhost\r\n").status == 101);
    CHECK(TlsClient(server.port).handshake("/ws", "Origin: http://localhost\r\n").status == 403);
    CHECK(Client(server.plain_port).handshake("/ws", "Origin: https://localhost\r\n").status == 403);
    CHECK(Client(server.plain_port).handshake("/ws", "Origin: http://localhost\r\n").status == 101);
}

TEST_CASE("a hub reaches members over TLS and over plain sockets, in one order") {
    auto threads = GENERATE(1u, 4u);
    SecureServer server(threads);
    std::vector<TlsClient> secure;
    std::vector<Client> plain;
    for (int i = 0; i < 8; ++i) {
        secure.emplace_back(server.port);
        REQUIRE(secure.back().handshake("/chat").status == 101);
        plain.emplace_back(server.plain_port);
        REQUIRE(plain.back().handshake("/chat").status == 101);
    }
    REQUIRE(eventually([&] { return server.hub.size() == 16; }));
    for (int i = 0; i < 100; ++i) secure[static_cast<std::size_t>(i) % 8].send_frame(test::text, std::to_string(i));
    std::vector<std::string> order;
    for (int i = 0; i < 100; ++i) order.push_back(test::read_text(secure[0]));
    for (std::size_t m = 1; m < 8; ++m)
        for (const std::string& text : order) REQUIRE(test::read_text(secure[m]) == text);
    for (std::size_t m = 0; m < 8; ++m)
        for (const std::string& text : order) REQUIRE(test::read_text(plain[m]) == text);
}

TEST_CASE("a member over TLS that stops reading costs the others nothing") {
    SecureServer server;
    TlsClient slow(server.port, 4096), fast(server.port);
    REQUIRE(slow.handshake("/chat").status == 101);
    REQUIRE(fast.handshake("/chat").status == 101);
    REQUIRE(eventually([&] { return server.hub.size() == 2; }));
    std::string message(60000, 'm');
    for (int i = 0; i < 200; ++i) {
        fast.send_frame(test::text, message);
        REQUIRE(fast.read_frame().payload == message);
    }
    CHECK(eventually([&] { return server.hub.size() == 1; }));
    while (true) {  // whole frames only, and 1013 at the end
        test::Frame frame = slow.read_frame();
        if (frame.opcode == test::close) {
            CHECK(test::close_code(frame.payload) == 1013);
            break;
        }
        REQUIRE(frame.payload == message);
    }
}

TEST_CASE("plain HTTP on the TLS port is told so") {
    SecureServer server;
    Client client(server.port);
    auto answer = client.get("/");
    CHECK(answer.status == 400);
    CHECK(answer.body == "Client sent an HTTP request to an HTTPS server.\n");
    CHECK(client.ended());
    client.close();
    CHECK(eventually([&] { return server.connections() == 0; }));
}

TEST_CASE("junk on the TLS port gets an alert or nothing, and harms nobody") {
    SecureServer server;
    TlsClient good(server.port);
    CHECK(good.get("/").body == "hello");
    for (std::string junk :
         {std::string("\0\0\0\0\0\0\0\0", 8), std::string("\x16\x03\x01\xff\xff", 5),
          std::string("\x16\x03\x01\x00\x05hello", 10), std::string(100000, '\xff'),
          std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), std::string("\x80\x2e\x01\x00\x02", 5), std::string("x")}) {
        Client client(server.port);
        client.send(junk);
        client.half_close();
        std::string answer = client.read_to_end();
        CHECK((answer.empty() || answer[0] == '\x15'));
    }
    CHECK(good.get("/").body == "hello");
    CHECK(eventually([&] { return server.connections() == 1; }));
    CHECK(server.log.empty());
}

TEST_CASE("a client that does nothing but update its keys keeps nobody waiting") {
    SecureServer server;
    TlsClient busy(server.port);
    CHECK(busy.get("/").body == "hello");
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set0_wbio(busy.tls->ssl(), out);
    for (int i = 0; i < 40000; ++i) {
        SSL_key_update(busy.tls->ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(busy.tls->ssl());
    }
    busy.send(tls_get("/"));
    char* data = nullptr;
    const auto size = static_cast<std::size_t>(BIO_get_mem_data(out, &data));
    const std::string_view bytes(data, size);
    const std::size_t sent = busy.send_some(bytes, 1000);
    std::thread rest([&] {
        for (std::size_t at = sent; at < size;) at += busy.send_some(bytes.substr(at), 1000);
    });
    Client other(server.plain_port);
    int answers = 0;
    for (; !busy.readable(0ms); ++answers) CHECK(other.get("/").body == "hello");
    CHECK(answers > 3);
    rest.join();
    CHECK(busy.read_response().body == "hello");
}

TEST_CASE("a client that offers h2 alone is refused with an alert") {
    SecureServer server;
    TlsClient client(server.port);
    SSL_set_alpn_protos(client.tls->ssl(), reinterpret_cast<const unsigned char*>("\x02h2"), 3);
    CHECK(failure(client).find("no application protocol") != std::string::npos);
    TlsClient both(server.port);
    SSL_set_alpn_protos(both.tls->ssl(), reinterpret_cast<const unsigned char*>("\x02h2\x08http/1.1"), 12);
    CHECK(both.get("/").body == "hello");
    CHECK(both.tls->protocol() == "http/1.1");
}

TEST_CASE("clients that vanish in the middle of a handshake leave nothing behind") {
    auto threads = GENERATE(1u, 4u);
    SecureServer server(threads);
    for (int i = 0; i < 20; ++i) {
        Client probe(server.port);
        BIO* sent = BIO_new(BIO_s_mem());
        SSL_CTX* context = SSL_CTX_new(TLS_client_method());
        SSL* ssl = SSL_new(context);
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), sent);
        SSL_connect(ssl);
        char bytes[4096];
        int size = BIO_read(sent, bytes, sizeof bytes);
        SSL_free(ssl);
        SSL_CTX_free(context);
        REQUIRE(size > 100);
        auto part = static_cast<std::size_t>(i % 4 == 0 ? size : size / 2);
        probe.send({bytes, part});
        if (i % 4 == 0) CHECK(probe.read(1) == "\x16");
        i % 2 == 0 ? probe.reset() : probe.close();
    }
    CHECK(eventually([&] { return server.connections() == 0; }));
    CHECK(TlsClient(server.port).get("/").body == "hello");
}

TEST_CASE("a handshake that does not get on is closed after the time for a head") {
    kvolt::Limits limits;
    limits.header_timeout = 200ms;
    limits.close_timeout = 200ms;
    SecureServer server(1, limits);
    Client silent(server.port), half(server.port);
    half.send({"\x16\x03\x01\x02", 4});
    CHECK(silent.ended());
    CHECK(half.ended());
    CHECK(eventually([&] { return server.connections() == 0; }));
    TlsClient late(server.port);  // the handshake, but half a head
    late.send("GET / HTT");
    CHECK(late.read_response().status == 408);
    CHECK(late.ended());
    CHECK(late.tls->closed_properly());
}

TEST_CASE("stop() does not wait for handshakes, answers what is being handled, and says goodbye") {
    auto threads = GENERATE(1u, 4u);
    SecureServer server(threads);
    std::vector<Client> begun;
    for (int i = 0; i < 8; ++i) {
        begun.emplace_back(server.port);
        begun.back().send({"\x16\x03\x01\x02", i % 2 == 0 ? std::size_t(4) : std::size_t(0)});
    }
    TlsClient idle(server.port), busy(server.port), socket(server.port);
    CHECK(idle.get("/").body == "hello");
    REQUIRE(socket.handshake("/ws").status == 101);
    busy.send(tls_get("/slow"));
    REQUIRE(eventually([&] { return server.connections() == 11 && server.slow_ones == 1; }));
    std::string goodbye, last;
    std::thread answers([&] {
        goodbye = test::closing(socket);
        socket.send_frame(test::close, test::close_payload(1001));
        socket.half_close();
        socket.close();
        last = busy.read_response().body;
        busy.close();
    });
    auto begin = std::chrono::steady_clock::now();
    server.app.stop();
    CHECK(std::chrono::steady_clock::now() - begin < 4s);
    answers.join();
    CHECK(goodbye == "1001");
    CHECK(last == "slow");
    CHECK(idle.ended());
    CHECK(idle.tls->closed_properly());
    for (Client& client : begun) CHECK(client.ended());
}

TEST_CASE("close_notify comes before the end, and a client that says it is answered") {
    SecureServer server;
    TlsClient client(server.port);
    CHECK(client.request("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").body == "hello");
    CHECK(client.ended());
    CHECK(client.tls->closed_properly());
    TlsClient other(server.port);
    CHECK(other.get("/").body == "hello");
    other.half_close();
    CHECK(other.ended());
    CHECK(other.tls->closed_properly());
    TlsClient rude(server.port);
    CHECK(rude.get("/").body == "hello");
    ::shutdown(rude.socket(), SHUT_WR);  // without close_notify
    CHECK(rude.ended());
    CHECK(rude.tls->closed_properly());
}

TEST_CASE("a WebSocket whose TLS connection is cut ends with 1006") {
    SecureServer server;
    TlsClient client(server.port);
    REQUIRE(client.handshake("/ending").status == 101);
    SECTION("without a word") { client.reset(); }
    SECTION("by a broken record") {
        Client raw(std::move(static_cast<Client&>(client)));
        raw.layer(nullptr);
        raw.send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'j'));
        CHECK(server.endings.next() == "1006");
        return;
    }
    CHECK(server.endings.next() == "1006");
}

TEST_CASE("the certificate is chosen by the name that the client asks for, and can be changed while the server runs") {
    SecureServer server;
    Certificate one({"one.test"}), two({"*.two.test", "two.test"}), old({"old.test"}, true);
    server.tls.add(one.file, one.key_file).add(two.file, two.key_file).add(old.file, old.key_file);
    auto shown = [&](const char* name) {
        TlsClient client(server.port);
        if (name != nullptr) SSL_set_tlsext_host_name(client.tls->ssl(), name);
        CHECK(client.get("/").body == "hello");
        return client.tls->peer_name();
    };
    CHECK(shown(nullptr) == "localhost");
    CHECK(shown("one.test") == "one.test");
    CHECK(shown("ONE.test") == "one.test");
    CHECK(shown("two.test") == "*.two.test");
    CHECK(shown("www.two.test") == "*.two.test");
    CHECK(shown("a.www.two.test") == "localhost");
    CHECK(shown("old.test") == "old.test");
    CHECK(shown("unknown.test") == "localhost");

    TlsClient before(server.port);
    CHECK(before.get("/").body == "hello");
    one.write({"one.test", "uno.test"});
    std::atomic<bool> done = false;
    std::thread reloads([&] {
        for (int i = 0; i < 20; ++i) server.tls.reload();
        done = true;
    });
    while (!done) CHECK(shown("one.test") == "one.test");
    reloads.join();
    CHECK(shown("uno.test") == "one.test");
    CHECK(before.get("/").body == "hello");
}

TEST_CASE("a connection for which there is no memory is closed, and the next one is served") {
    auto threads = GENERATE(1u, 4u);
    auto behind_proxy = GENERATE(false, true);
    SecureServer server(threads, {}, behind_proxy);
    const std::string preamble = behind_proxy ? "PROXY UNKNOWN\r\n" : "";
    REQUIRE(NoMemory::can_happen());
    for (int after = 0; after < 5; ++after) {
        REQUIRE(eventually([&] { return server.connections() == 0; }));
        {
            NoMemory now(after);
            Client unlucky(server.port);
            unlucky.send(preamble);
            CHECK(unlucky.ended());
        }
        CHECK(server.log.next().starts_with("kvolt: a connection cannot be served: "));
        Client socket(server.port);
        socket.send(preamble);
        CHECK(TlsClient(std::move(socket)).get("/").body == "hello");
    }
}

TEST_CASE("run_tls() tells an https address, and throws for what it cannot use") {
    Certificate certificate;
    kvolt::App app;
    app.get("/", [](Context& c) { c.text("hello"); });
    CHECK_THROWS_AS(app.run_tls("127.0.0.1:0", certificate.key_file, certificate.key_file), std::runtime_error);
    std::string url;
    app.run_tls(":0", certificate.file, certificate.key_file, [&](std::string_view text) {
        url = text;
        app.stop();
    });
    CHECK(url == "https://localhost:" + std::to_string(app.port()));
}
