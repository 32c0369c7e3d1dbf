#include "catch.hpp"
#include "certificate.hpp"
#include "raw_server.hpp"
#include "websocket_server.hpp"
#include <kvolt/run.hpp>
#include <kvolt/tls.hpp>
#include <kvolt/tls_client.hpp>
#include <kvolt/websocket_client.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using kvolt::ConnectError;
using kvolt::ConnectOptions;
using kvolt::Task;
using kvolt::WebSocket;
using kvolt::WebSocketClient;
using Reason = ConnectError::Reason;

// What comes back for each message that is sent, and how the connection ended.
std::vector<std::string> echoed(const std::string& url, const ConnectOptions& options,
                                const std::vector<std::string>& messages) {
    return kvolt::run(
        [](std::string to, ConnectOptions by, std::vector<std::string> all) -> Task<std::vector<std::string>> {
            WebSocketClient client(to, by);
            WebSocket socket = co_await client.connect();
            for (const std::string& message : all) socket.send(message);
            std::vector<std::string> answers;
            while (answers.size() < all.size()) {
                auto answer = co_await socket.read();
                if (!answer) break;
                answers.push_back(std::move(answer->payload));
            }
            co_return answers;
        }(url, options, messages));
}

struct TlsFailure {
    Reason reason;
    std::string what;
};
std::optional<TlsFailure> tls_failure_of(const std::string& url, const ConnectOptions& options) {
    try {
        echoed(url, options, {});
    } catch (const ConnectError& error) {
        return TlsFailure{error.reason(), std::string(error.what()).substr(("kvolt: " + url + ": ").size())};
    }
    return std::nullopt;
}

struct TlsServer : test::Server {
    explicit TlsServer(const test::Certificate& certificate, const kvolt::Limits& limits = {}) : Server(limits) {
        app.get("/ws", [this](kvolt::Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) socket.send(*message);
            endings.add(test::ending(socket));
        });
        app.listen_tls("127.0.0.1:0", kvolt::Tls(certificate.file, certificate.key_file));
        app.start();
    }

    std::string url(const std::string& host = "localhost") const {
        return "wss://" + host + ':' + std::to_string(app.port()) + "/ws";
    }
};

ConnectOptions trusting(const test::Certificate& certificate) {
    return ConnectOptions().tls(kvolt::TlsClient().ca_file(certificate.file));
}

TEST_CASE("tls_client: messages go and come back, and the connection ends properly") {
    test::Certificate certificate;
    kvolt::Limits limits;
    limits.message_size = 4 << 20;
    limits.backlog.bytes = 16 << 20;
    TlsServer server(certificate, limits);
    std::vector<std::string> messages = {"hi", "", std::string(65536, 'a'), std::string(3 << 20, 'b'), "last"};
    for (int i = 0; i < 100; ++i) messages.push_back(std::to_string(i));
    CHECK((echoed(server.url(), trusting(certificate).limits(limits), messages) == messages));
    CHECK(server.endings.next() == "1000");
}

TEST_CASE("tls_client: whose certificate is trusted, and for which name") {
    test::Certificate local, other({"other.example", "*.wild.example", "IP:127.0.0.1"});
    TlsServer server(local), elsewhere(other);
    auto what = [](const std::string& url, const kvolt::TlsClient& tls) {
        auto failure = tls_failure_of(url, ConnectOptions().tls(tls));
        if (!failure) return std::string("open");
        return failure->reason == Reason::tls ? failure->what : "not of TLS: " + failure->what;
    };
    const std::string untrusted = "the server's certificate is not to be trusted: ";
    CHECK(what(server.url(), kvolt::TlsClient().ca_file(local.file)) == "open");
    CHECK(what(server.url(), kvolt::TlsClient().ca_file(other.file).ca_file(local.file)) == "open");
    CHECK(what(elsewhere.url("127.0.0.1"), kvolt::TlsClient().ca_file(other.file)) == "open");
    CHECK(what(elsewhere.url(), kvolt::TlsClient().ca_file(other.file).server_name("other.example")) == "open");
    CHECK(what(elsewhere.url(), kvolt::TlsClient().ca_file(other.file).server_name("a.wild.example")) == "open");
    CHECK(what(server.url(), kvolt::TlsClient()) == untrusted + "self-signed certificate");
    CHECK(what(server.url(), kvolt::TlsClient().ca_file(other.file)) == untrusted + "self-signed certificate");
    CHECK(what(server.url("127.0.0.1"), kvolt::TlsClient().ca_file(local.file)) == untrusted + "IP address mismatch");
    CHECK(what(elsewhere.url(), kvolt::TlsClient().ca_file(other.file)) == untrusted + "hostname mismatch");
    CHECK(what(elsewhere.url(), kvolt::TlsClient().ca_file(other.file).server_name("a.b.wild.example")) ==
          untrusted + "hostname mismatch");
    CHECK(what(server.url(), kvolt::TlsClient().trust_anyone()) == "open");
    CHECK(what(elsewhere.url(), kvolt::TlsClient().trust_anyone()) == "open");
}

TEST_CASE("tls_client: the server that is asked for by name shows the certificate of that name") {
    test::Certificate first({"first.example"}), second({"localhost"});
    test::Server server;
    server.app.get("/ws", test::echo);
    kvolt::Tls tls(first.file, first.key_file);
    tls.add(second.file, second.key_file);
    server.app.listen_tls("127.0.0.1:0", tls);
    server.app.start();
    CHECK_FALSE(tls_failure_of("wss://localhost:" + std::to_string(server.app.port()) + "/ws", trusting(second)));
}

TEST_CASE("tls_client: set up further, such as for client certificates") {
    test::Certificate certificate, own({"client"});
    kvolt::Tls tls(certificate.file, certificate.key_file);
    tls.configure([&](SSL_CTX* context) {
        SSL_CTX_load_verify_file(context, own.file.c_str());
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);  // where a refusal comes within the handshake
    });
    test::Server server;
    server.app.get("/ws", test::echo);
    server.app.listen_tls("127.0.0.1:0", tls);
    server.app.start();
    std::string url = "wss://localhost:" + std::to_string(server.app.port()) + "/ws";
    kvolt::TlsClient client;
    client.ca_file(certificate.file);
    auto failure = tls_failure_of(url, ConnectOptions().tls(client));
    REQUIRE(failure);
    CHECK(failure->reason == Reason::tls);
    client.configure([&](SSL_CTX* context) {
        SSL_CTX_use_certificate_chain_file(context, own.file.c_str());
        SSL_CTX_use_PrivateKey_file(context, own.key_file.c_str(), SSL_FILETYPE_PEM);
    });
    CHECK(echoed(url, ConnectOptions().tls(client), {"hi"}) == std::vector<std::string>{"hi"});
}

TEST_CASE("tls_client: servers that speak something else") {
    test::Certificate certificate;
    test::Server plain(test::echo);
    auto failure = tls_failure_of("wss://localhost:" + std::to_string(plain.app.port()) + "/ws", trusting(certificate));
    REQUIRE(failure);
    CHECK(failure->reason == Reason::tls);
    CHECK(failure->what == "the handshake of TLS failed: wrong version number");

    TlsServer server(certificate);
    failure = tls_failure_of("ws://localhost:" + std::to_string(server.app.port()) + "/ws", {});
    REQUIRE(failure);
    CHECK(failure->what == "the server answered 400 Bad Request: Client sent an HTTP request to an HTTPS server. ");

    test::RawServer gone([](test::Client& client) { client.read(10); });
    failure = tls_failure_of("wss://127.0.0.1:" + std::to_string(gone.port()) + "/ws", trusting(certificate));
    REQUIRE(failure);
    CHECK(failure->reason == Reason::network);

    test::Listening mute;
    failure = tls_failure_of("wss://127.0.0.1:" + std::to_string(mute.port()) + "/ws",
                             trusting(certificate).handshake_timeout(std::chrono::milliseconds(100)));
    REQUIRE(failure);
    CHECK(failure->reason == Reason::timeout);
    CHECK(failure->what == "the handshake of TLS took too long");
}

TEST_CASE("tls_client: a CA file that is none throws at once") {
    CHECK_THROWS_AS(ConnectOptions().tls(kvolt::TlsClient().ca_file("/nowhere/ca.pem")), std::runtime_error);
    test::Certificate certificate;
    CHECK_THROWS_AS(ConnectOptions().tls(kvolt::TlsClient().ca_file(certificate.key_file)), std::runtime_error);
}

}  // namespace
