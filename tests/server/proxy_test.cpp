#include "../catch.hpp"
#include "../certificate.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "tls_client.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/server.hpp>
#include <kvolt/tls.hpp>

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::App;
using kvolt::Context;
using kvolt::ListenOptions;
using kvolt::ProxyHeaders;
using test::Client;
using test::eventually;
using test::TlsClient;
using namespace std::chrono_literals;

namespace {

void tell(Context& c) { c.text(std::string(c.scheme()) + ' ' + c.host() + ' ' + c.remote_address()); }

std::size_t all_connections(App& app) {
    std::size_t all = 0;
    for (const auto& loop : *app.loops()) all += loop->connections();
    return all;
}

const std::string line = "PROXY TCP4 192.0.2.1 127.0.0.1 50312 443\r\n";
const std::string data =
    std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\x7f\x00\x00\x01\xc4\x88\x01\xbb", 28);
const std::string local = std::string("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", 16);
const std::string request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace

TEST_CASE("without trusted proxies nobody is believed what they tell about the client") {
    App app;
    app.get("/", tell);
    app.start("127.0.0.1:0");
    auto body = Client(app.port())
                    .get("/",
                         "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: x\r\n"
                         "Forwarded: for=192.0.2.1;proto=https\r\n")
                    .body;
    CHECK(body.starts_with("http localhost 127.0.0.1:"));
}

TEST_CASE("a trusted proxy tells who the client is") {
    App app;
    app.get("/", tell);
    app.get("/ws", test::echo);
    SECTION("by X-Forwarded fields") {
        bool host = GENERATE(true, false);
        app.trust_proxies({"127.0.0.1", "10.0.0.0/8"}, ProxyHeaders().x_forwarded_host(host));
        app.start("127.0.0.1:0");
        Client client(app.port());
        CHECK(client
                  .get("/",
                       "X-Forwarded-For: 192.0.2.1, 10.1.1.1\r\nX-Forwarded-Proto: https\r\n"
                       "X-Forwarded-Host: example.com\r\n")
                  .body == (host ? "https example.com 192.0.2.1:0" : "https localhost 192.0.2.1:0"));
        CHECK(
            client.get("/", "Forwarded: for=192.0.2.1;proto=https\r\n").body.starts_with("http localhost 127.0.0.1:"));
        CHECK(client.get("/").body.starts_with("http localhost 127.0.0.1:"));
        CHECK(client.request("GET http://absolute.test:81/ HTTP/1.1\r\nHost: absolute.test:81\r\n\r\n")
                  .body.starts_with("http absolute.test:81 127.0.0.1:"));
        // The same origin is what the browser sees.
        CHECK(client.handshake("/ws", "Origin: https://localhost\r\n").status == 403);
        CHECK(Client(app.port())
                  .handshake("/ws",
                             "Origin: https://example.com\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
                             "example.com\r\n")
                  .status == (host ? 101 : 403));
        CHECK(Client(app.port()).handshake("/ws", "Origin: https://localhost\r\nX-Forwarded-Proto: https\r\n").status ==
              101);
    }
    SECTION("by Forwarded") {
        app.trust_proxies({"127.0.0.1"}, ProxyHeaders::forwarded);
        app.start("127.0.0.1:0");
        Client client(app.port());
        CHECK(client.get("/", "Forwarded: for=\"[2001:db8::1]:99\";proto=https;host=example.com\r\n").body ==
              "https example.com [2001:db8::1]:99");
        CHECK(client.get("/", "X-Forwarded-For: 192.0.2.1\r\n").body.starts_with("http localhost 127.0.0.1:"));
    }
    SECTION("on a Unix socket") {
        std::string path = std::filesystem::temp_directory_path() / ("kvolt_proxy_test_" + std::to_string(::getpid()));
        app.trust_proxies({"unix"});
        app.start("unix:" + path);
        Client client = Client::unix_socket(path);
        CHECK(client.get("/", "X-Forwarded-For: 192.0.2.1\r\n").body == "http localhost 192.0.2.1:0");
        CHECK(client.get("/").body == "http localhost unix");
    }
    SECTION("but not another one") {
        app.trust_proxies({"10.0.0.0/8"});
        app.start("127.0.0.1:0");
        CHECK(Client(app.port()).get("/", "X-Forwarded-For: 192.0.2.1\r\n").body.starts_with("http localhost 127."));
    }
}

TEST_CASE("what is no proxy's address throws at setup, and so does a demand that nobody can meet") {
    App app;
    CHECK_THROWS_AS(app.trust_proxies({"example.com"}), std::invalid_argument);
    app.listen("127.0.0.1:0", ListenOptions().proxy_protocol());
    CHECK_THROWS_AS(app.start(), std::logic_error);
    app.trust_proxies({"127.0.0.1"});
    app.start();
    CHECK_THROWS_AS(app.trust_proxies({}), std::logic_error);
    App other;
    CHECK_THROWS_AS(other.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"example.com"})),
                    std::invalid_argument);
    other.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"127.0.0.1"}));
    other.start();
    App nobody;
    nobody.listen("127.0.0.1:0", ListenOptions().proxy_protocol(std::vector<std::string>()));
    CHECK_THROWS_AS(nobody.start(), std::logic_error);
    App without;
    without.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"127.0.0.1"}).proxy_protocol(false));
    without.get("/", tell);
    without.start();
    CHECK(Client(without.port()).get("/").status == 200);
}

TEST_CASE("the PROXY protocol tells who the client is, on the listeners that demand it") {
    auto threads = GENERATE(1u, 4u);
    App app;
    app.threads(threads).trust_proxies({"127.0.0.1"}).get("/", tell);
    auto port = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol());
    auto plain_port = app.listen("127.0.0.1:0");
    app.start();
    for (const std::string& preamble : {line, data}) {
        Client whole(port);
        CHECK(whole.request(preamble + request).body == "http localhost 192.0.2.1:50312");
        CHECK(whole.get("/").body == "http localhost 192.0.2.1:50312");
        Client dripping(port);
        for (char c : preamble + request.substr(0, 5)) dripping.send({&c, 1});
        CHECK(dripping.request(request.substr(5)).body == "http localhost 192.0.2.1:50312");
        Client pipelined(port);
        std::string many = preamble;
        for (int i = 0; i < 50; ++i) many += request;
        pipelined.send(many);
        for (int i = 0; i < 50; ++i) REQUIRE(pipelined.read_response().status == 200);
    }
    CHECK(Client(port).request(local + request).body.starts_with("http localhost 127.0.0.1:"));
    CHECK(Client(plain_port).get("/").body.starts_with("http localhost 127.0.0.1:"));
    CHECK(Client(plain_port).request(line + request).status == 400);
    CHECK(eventually([&] { return all_connections(app) == 0; }));
}

TEST_CASE("who speaks the PROXY protocol and whose header fields count are two lists") {
    const std::string fields = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n";
    App app;
    app.get("/", tell);
    app.trust_proxies({"127.0.0.1", "192.0.2.1"});
    auto port = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"127.0.0.1"}));
    auto one_list = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol());
    auto other_peer = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"10.0.0.0/8"}));
    app.start();
    struct Case {
        unsigned short port;
        std::string preamble, client;
    };
    const std::string named = "192.0.2.1:50312", stranger = "[2001:db8::1]:80";
    for (const Case& c : {
             Case{port, line, "https localhost 203.0.113.5:0"},  // a proxy in front of the one that speaks PROXY
             Case{port, data, "https localhost 203.0.113.5:0"},
             Case{port, "PROXY TCP6 2001:db8::1 ::1 80 443\r\n", "http localhost " + stranger},
             Case{port, "PROXY UNKNOWN\r\n", "http localhost 127.0.0.1:"},  // a stranger, by way of the proxy
             Case{port, local, "http localhost 127.0.0.1:"},
             Case{one_list, line, "http localhost " + named},
             Case{one_list, "PROXY UNKNOWN\r\n", "http localhost 127.0.0.1:"},
             Case{one_list, "PROXY TCP4 127.0.0.1 127.0.0.1 80 443\r\n", "http localhost 127.0.0.1:80"},
         }) {
        INFO(c.preamble);
        Client client(c.port);
        client.send(c.preamble);
        CHECK(client.get("/", fields).body.starts_with(c.client));
    }
    Client refused(other_peer);
    refused.send(line);
    CHECK(refused.ended());
}

TEST_CASE("behind a balancer that ends TLS, pages of https:// are of the same origin") {
    const std::string by_tls =
        std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x14\xc0\x00\x02\x01\x7f\x00\x00\x01\xc4\x88\x01\xbb", 28) +
        std::string("\x20\x00\x05\x01\x00\x00\x00\x00", 8);
    App app;
    app.get("/", tell);
    app.get("/ws", test::echo);
    auto port = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"127.0.0.1"}));
    auto told = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol({"127.0.0.1"}).tls_in_front());
    auto plain = app.listen("127.0.0.1:0", ListenOptions().tls_in_front());
    app.start();
    struct Case {
        unsigned short port;
        std::string preamble;
        bool secure;
    };
    for (const Case& c : {Case{port, by_tls, true}, Case{port, data, false}, Case{port, line, false},
                          Case{port, local, false}, Case{told, line, true}, Case{plain, "", true}}) {
        INFO(c.preamble);
        Client page(c.port), socket(c.port), other(c.port);
        for (Client* client : {&page, &socket, &other}) client->send(c.preamble);
        CHECK(page.get("/").body.starts_with(c.secure ? "https localhost " : "http localhost "));
        CHECK(socket.handshake("/ws", "Origin: https://localhost\r\n").status == (c.secure ? 101 : 403));
        CHECK(other.handshake("/ws", "Origin: http://localhost\r\n").status == (c.secure ? 403 : 101));
    }
}

TEST_CASE("the PROXY protocol goes in front of TLS") {
    test::Certificate certificate;
    App app;
    app.get("/", tell);
    app.trust_proxies({"127.0.0.1"});
    auto port = app.listen_tls("127.0.0.1:0", kvolt::Tls(certificate.file, certificate.key_file),
                               ListenOptions().proxy_protocol());
    app.start();
    for (const std::string& preamble : {line, data}) {
        Client socket(port);
        socket.send(preamble);
        TlsClient client(std::move(socket));
        CHECK(client.get("/").body == "https localhost 192.0.2.1:50312");
    }
    // In one segment with the first bytes of the handshake
    Client socket(port);
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_connect(ssl);
    char bytes[4096];
    int size = BIO_read(SSL_get_wbio(ssl), bytes, sizeof bytes);
    SSL_free(ssl);
    SSL_CTX_free(context);
    socket.send(line + std::string(bytes, static_cast<std::size_t>(size)));
    CHECK(socket.read(1) == "\x16");
    CHECK(TlsClient(Client(port)).tls->protocol().empty());
}

TEST_CASE("a connection without a good PROXY preamble, or from somebody else, is closed") {
    auto threads = GENERATE(1u, 4u);
    kvolt::Limits limits;
    limits.header_timeout = 300ms;
    App app;
    app.threads(threads).limits(limits).get("/", tell);
    SECTION("a bad one, or none in time") {
        app.trust_proxies({"127.0.0.1"});
        auto port = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol());
        app.start();
        for (const std::string& bytes : std::vector<std::string>{
                 request, "PROXY TCP4 nonsense\r\n", "PROXY " + std::string(10000, 'x'), "PROXY TCP4 192.0.2.1", "",
                 data.substr(0, 20), std::string("\x16\x03\x01\x00\x05hello", 10)}) {
            INFO(bytes);
            Client client(port);
            client.send(bytes);
            CHECK(client.ended());
        }
        Client vanishing(port);
        vanishing.send("PROXY");
        vanishing.reset();
        CHECK(Client(port).request(line + request).status == 200);
    }
    SECTION("somebody else") {
        app.trust_proxies({"10.0.0.0/8"});
        auto port = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol());
        app.start();
        Client client(port);
        client.send(line + request);
        CHECK(client.ended());
    }
    CHECK(eventually([&] { return all_connections(app) == 0; }));
}

TEST_CASE("stop() does not wait for PROXY preambles") {
    auto threads = GENERATE(1u, 4u);
    App app;
    app.threads(threads).trust_proxies({"127.0.0.1"}).get("/", tell);
    auto port = app.listen("127.0.0.1:0", ListenOptions().proxy_protocol());
    app.start();
    std::vector<Client> clients;
    for (int i = 0; i < 8; ++i) {
        clients.emplace_back(port);
        clients.back().send("PROXY TCP4");
    }
    REQUIRE(eventually([&] { return all_connections(app) == 8; }));
    auto begin = std::chrono::steady_clock::now();
    app.stop();
    CHECK(std::chrono::steady_clock::now() - begin < 4s);
    for (Client& client : clients) CHECK(client.ended());
}
