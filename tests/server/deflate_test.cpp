#include "catch.hpp"
#include "deflate_peer.hpp"
#include "raw_server.hpp"
#include "websocket_server.hpp"
#include "with_socket.hpp"
#include <kvolt/deflate.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/upgrade_options.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::string_literals;
using kvolt::ConnectError;
using kvolt::ConnectOptions;
using kvolt::Context;
using kvolt::DeflateOptions;
using kvolt::Limits;
using kvolt::SendResult;
using kvolt::Task;
using kvolt::UpgradeOptions;
using kvolt::WebSocket;
using test::Client;
using test::DeflatePeer;
using test::noise;
using test::RawServer;
using test::Reports;
using test::with_socket;
using test::words;

constexpr std::string_view alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The route `/ws` echoes, compressed.
struct DeflateServer : test::Server {
    explicit DeflateServer(const DeflateOptions& options = {}, const Limits& limits = {}, std::size_t threads = 1)
        : Server(limits, threads) {
        auto upgrade = UpgradeOptions().compression(kvolt::deflate(options));
        app.get("/ws", [this, upgrade](Context& c) -> Task<> {
            auto socket = co_await c.upgrade(upgrade);
            while (auto message = co_await socket.read()) socket.send(*message);
            endings.add(test::ending(socket));
        });
        start();
    }

    std::string url() const { return "ws://127.0.0.1:" + std::to_string(app.port()) + "/ws"; }

    Client connect(std::string_view answer = alone, std::string_view offer = "permessage-deflate") {
        Client one = client();
        auto response = one.handshake("/ws", "Sec-WebSocket-Extensions: " + std::string(offer) + "\r\n");
        CHECK(response.status == 101);
        CHECK(response.field("sec-websocket-extensions") == answer);
        return one;
    }
};

// A frame with RSV1.
std::string compressed(int opcode, std::string_view payload, bool fin = true, bool mask = true) {
    std::string bytes = test::frame(opcode, payload, fin, mask);
    bytes[0] = static_cast<char>(bytes[0] | 0x40);
    return bytes;
}

std::string read(Client& client, DeflatePeer& peer) {
    auto frame = client.read_frame();
    return frame.compressed ? peer.inflate(frame.payload) : frame.payload;
}

}  // namespace

TEST_CASE("deflate: only what asks for it agrees, and what middleware says does not count") {
    test::Server server;
    server.app.use([](Context& c) { c.header("Sec-WebSocket-Extensions", "permessage-deflate; x"); });
    server.app.get("/plain", test::echo);
    server.app.get("/deflate", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade(
            UpgradeOptions().compression(kvolt::deflate(DeflateOptions().level(9).window_bits(9).min_size(1))));
        while (auto message = co_await socket.read()) socket.send(*message);
    });
    server.start();
    const std::string offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n", message = words(3000);
    DeflatePeer peer(false, 15, 9);

    Client plain = server.client();
    CHECK(plain.handshake("/plain", offer).field("sec-websocket-extensions").empty());
    plain.send_frame(test::text, message);
    auto answer = plain.read_frame();
    CHECK((!answer.compressed && answer.payload == message));
    plain.send(compressed(test::text, peer.deflate(message)));
    CHECK(test::closing(plain) == "1002 reserved bits are set");

    Client smaller = server.client();
    CHECK(smaller.handshake("/deflate", offer).field("sec-websocket-extensions") ==
          std::string(alone) + "; server_max_window_bits=9");
    for (std::size_t size : {0, 1, 1000, 3000}) {
        smaller.send(compressed(test::text, peer.deflate(words(size))));
        CHECK((read(smaller, peer) == words(size)));
    }

    Client without = server.client();
    CHECK(without.handshake("/deflate").field("sec-websocket-extensions").empty());
    without.send_frame(test::text, message);
    answer = without.read_frame();
    CHECK((!answer.compressed && answer.payload == message));

    Client malformed = server.client();
    CHECK(malformed.handshake("/deflate", "Sec-WebSocket-Extensions: permessage-deflate;\r\n").status == 400);
}

TEST_CASE("deflate: with context takeover, in both directions, from any thread") {
    Reports<kvolt::WebSocket> sockets;
    test::Server server({}, GENERATE(1, 4));
    auto upgrade = UpgradeOptions().compression(kvolt::deflate(DeflateOptions().context_takeover().min_size(1)));
    server.app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade(upgrade);
        sockets.add(socket);
        while (auto message = co_await socket.read()) socket.send(*message);
    });
    server.start();
    Client client = server.client();
    CHECK(
        client.handshake("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n").field("sec-websocket-extensions") ==
        "permessage-deflate");
    DeflatePeer peer(true);
    for (std::size_t size : {0, 1, 32768, 32768, 32768, 100, 100, 65536, 0, 1, 10})
        for (const std::string& message : {words(size), noise(size)}) {
            client.send(compressed(test::binary, peer.deflate(message)));
            CHECK((read(client, peer) == message));
        }
    auto socket = sockets.next();
    for (int i = 0; i < 100; ++i) socket.send(words(100 * static_cast<std::size_t>(i)));
    for (int i = 0; i < 100; ++i) CHECK((read(client, peer) == words(100 * static_cast<std::size_t>(i))));
    client.send(compressed(test::text, peer.deflate(words(1000))));
    auto answer = client.read_frame();
    CHECK(answer.payload.size() < 50);
    CHECK((peer.inflate(answer.payload) == words(1000)));
}

TEST_CASE("deflate: what a slow reader misses is not referred to") {
    Limits limits;
    limits.backlog = {100000, 100};
    Reports<std::size_t> dropped;
    test::Server server(limits);
    auto upgrade = UpgradeOptions().compression(kvolt::deflate(DeflateOptions().context_takeover()));
    server.app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade(upgrade);
        std::size_t sent = 0;
        for (unsigned seed = 1; socket.send(words(20000, seed)) != SendResult::dropped; ++seed) ++sent;
        dropped.add(sent);
        co_await socket.read();
        co_await socket.drained();
        auto lost = static_cast<unsigned>(sent + 1);
        socket.send(words(20000, lost));  // the one that was dropped, again
    });
    server.start();
    Client client(server.app.port(), 4096);
    client.handshake("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    DeflatePeer peer(true);
    auto sent = static_cast<unsigned>(dropped.next());
    for (unsigned seed = 1; seed <= sent; ++seed) REQUIRE((read(client, peer) == words(20000, seed)));
    client.send_frame(test::text, "go on");
    CHECK((read(client, peer) == words(20000, sent + 1)));
}

TEST_CASE("deflate: many messages that come in parts at the same time") {
    DeflateServer server({}, {}, GENERATE(1, 3));
    std::vector<Client> clients;
    std::vector<std::string> left;
    for (unsigned i = 0; i < 30; ++i) {
        clients.push_back(server.connect());
        left.push_back(DeflatePeer().deflate(words(20000, i)));
    }
    const std::size_t part = left[0].size() / 7;
    for (std::size_t at = 0; at < 10; ++at)
        for (std::size_t i = 0; i < clients.size(); ++i) {
            std::string payload = left[i].substr(std::min(at * part, left[i].size()), part);
            if (at == 0)
                clients[i].send(compressed(test::text, payload, false));
            else
                clients[i].send_frame(test::continuation, payload, at == 9);
        }
    DeflatePeer peer;
    for (std::size_t i = 0; i < clients.size(); ++i)
        CHECK((read(clients[i], peer) == words(20000, static_cast<unsigned>(i))));
}

TEST_CASE("deflate: a bomb ends its own connection alone") {
    DeflateServer server;
    Client good = server.connect(), bad = server.connect();
    DeflatePeer peer;
    good.send(compressed(test::text, peer.deflate(words(65536)).substr(0, 100), false));
    bad.send(compressed(test::text, peer.deflate(std::string(50 << 20, 'a')), false));
    CHECK(test::closing(bad) == "1009 the message is too big");
    CHECK(server.endings.next() == "1009 the message is too big");
    good.send_frame(test::continuation, peer.deflate(words(65536)).substr(100));
    CHECK((read(good, peer) == words(65536)));
    good.send(compressed(test::text, "\xFF"));
    CHECK(test::closing(good) == "1007 not deflated data");
    CHECK(server.endings.next() == "1007 not deflated data");
}

TEST_CASE("deflate: a connection at rest keeps no window") {
    if (test::sanitized) return;
    DeflateServer server;
    DeflatePeer peer;
    const std::string payload = peer.deflate(words(40000));
    std::vector<Client> clients;
    auto exchange = [&] {
        clients.push_back(server.connect());
        clients.back().send(compressed(test::text, payload));
        CHECK((read(clients.back(), peer) == words(40000)));
    };
    for (int i = 0; i < 50; ++i) exchange();
    std::size_t before = test::resident_bytes();
    for (int i = 0; i < 300; ++i) exchange();
    CHECK(test::resident_bytes() - before < 300 * 20 * 1024);  // the test's own side included
}

// Hubs

TEST_CASE("deflate: a broadcast is compressed once for those members on a loop that agreed on it") {
    std::size_t threads = GENERATE(1, 4);
    test::Server server({}, threads);
    kvolt::Hub<> hub(server.app);
    auto route = [&](std::string_view path, const UpgradeOptions& options) {
        server.app.get(path, [&hub, options](Context& c) -> Task<> {
            auto socket = co_await c.upgrade(options);
            auto seat = hub.join(socket);
            socket.send("joined");
            while (auto message = co_await socket.read()) socket.send(*message);
        });
    };
    route("/plain", {});
    route("/deflate", UpgradeOptions().compression(kvolt::deflate()));
    route("/takeover", UpgradeOptions().compression(kvolt::deflate(DeflateOptions().context_takeover().min_size(1))));
    server.start();

    struct Member {
        Client client;
        std::unique_ptr<DeflatePeer> peer;
    };
    std::vector<Member> members;
    auto join = [&](const std::string& path, const std::string& offer, std::unique_ptr<DeflatePeer> peer) {
        Client client = server.client();
        CHECK(client.handshake(path, peer ? "Sec-WebSocket-Extensions: " + offer + "\r\n" : "").status == 101);
        members.push_back({std::move(client), std::move(peer)});
        CHECK(read(members.back().client, *members.front().peer) == "joined");
    };
    const std::string offer = "permessage-deflate", narrow = offer + "; server_max_window_bits=9";
    members.reserve(60);
    for (int i = 0; i < 12; ++i) {
        join("/deflate", offer, std::make_unique<DeflatePeer>());
        join("/plain", "", nullptr);
        join("/deflate", "", nullptr);  // which does not know how
        join("/deflate", narrow, std::make_unique<DeflatePeer>(false, 15, 9));
        join("/takeover", offer, std::make_unique<DeflatePeer>(true));
    }
    auto expect = [&](const std::string& message, bool broadcast) {
        for (Member& member : members) {
            auto frame = member.client.read_frame();
            CHECK((!frame.compressed || member.peer));
            std::string payload = frame.compressed ? member.peer->inflate(frame.payload) : frame.payload;
            CHECK((payload == message));
            bool must = broadcast && (&member - members.data()) % 5 == 0 && message.size() > 1024;
            if (must) CHECK(frame.compressed);
        }
    };
    for (int round = 0; round < 3; ++round)
        for (std::size_t size : {3, 1500, 40000}) {
            const std::string message = words(size, static_cast<unsigned>(round + 1));
            CHECK(hub.broadcast(message) == kvolt::BroadcastResult::taken);
            expect(message, true);
            for (Member& member : members) member.client.send_frame(test::text, message);
            expect(message, false);  // of a context that the broadcast is no part of
            CHECK(hub.broadcast(kvolt::MessageView::bytes(noise(size))) == kvolt::BroadcastResult::taken);
            expect(noise(size), false);
        }
    CHECK(hub.stats().deliveries == 18 * members.size());
}

// WebSocketClient

namespace {

constexpr std::string_view extensions = "Sec-WebSocket-Extensions: ";

ConnectOptions compressing(const DeflateOptions& options = {}) {
    return ConnectOptions().compression(kvolt::deflate(options));
}

// A client's next message, which must be compressed.
std::string read_compressed(Client& client, DeflatePeer& peer) {
    auto frame = test::read_masked_frame(client);
    return frame.compressed ? peer.inflate(frame.payload) : "not compressed: " + frame.payload;
}

}  // namespace

TEST_CASE("deflate: a client and a server of any options exchange messages of any size") {
    const int client_bits = GENERATE(9, 15), server_bits = GENERATE(9, 15);
    const bool client_keeps = GENERATE(false, true), server_keeps = GENERATE(false, true);
    auto options = [](int bits, bool keeps) {
        return DeflateOptions().min_size(1).window_bits(bits).context_takeover(keeps);
    };
    DeflateServer server(options(server_bits, server_keeps));
    std::vector<std::string> messages;
    for (std::size_t size : {0, 1, 1000, 1000, 32768, 32768, 65536, 10}) {
        messages.push_back(words(size));
        messages.push_back(noise(size));
    }
    std::size_t same = 0;
    with_socket(server.url(), compressing(options(client_bits, client_keeps)), [&](WebSocket& socket) -> Task<> {
        for (const std::string& message : messages) socket.send(kvolt::MessageView::bytes(message));
        for (const std::string& message : messages) {
            auto answer = co_await socket.read();
            same += answer && answer->binary && answer->payload == message;
        }
    });
    CHECK(same == messages.size());
    CHECK(server.endings.next() == "1000");
}

TEST_CASE("deflate: a client's messages are compressed, and refer to those before if that was agreed on") {
    const bool takeover = GENERATE(false, true);
    const std::string offer =
        takeover ? "permessage-deflate; client_max_window_bits"
                 : "permessage-deflate; client_max_window_bits; " + std::string(alone.substr(alone.find("server")));
    const std::string message = words(5000);
    Reports<std::string> offers, got;
    Reports<std::size_t> sizes;
    RawServer server([&](Client& client) {
        std::string head = test::read_head(client);
        std::size_t begin = head.find(extensions) + extensions.size();
        offers.add(head.substr(begin, head.find("\r\n", begin) - begin));
        client.send(test::handshake_answer(
            head, std::string(extensions) + (takeover ? "permessage-deflate" : std::string(alone)) + "\r\n"));
        DeflatePeer peer(takeover);
        for (int i = 0; i < 2; ++i) {
            auto frame = test::read_masked_frame(client);
            sizes.add(frame.compressed ? frame.payload.size() : 0);
            got.add(peer.inflate(frame.payload));
        }
        auto small = test::read_masked_frame(client);
        got.add(small.compressed ? "compressed" : small.payload);
        for (int i = 0; i < 2; ++i) {
            const std::string payload = peer.deflate(message);
            client.send(compressed(test::text, payload.substr(0, 7), false, false) +
                        test::frame(test::ping, "between", true, false) +
                        test::frame(test::continuation, payload.substr(7), true, false));
            got.add(test::read_masked_frame(client).payload);
        }
        client.send(test::frame(test::text, "plain", true, false));
        test::read_masked_frame(client);
    });
    std::vector<std::string> read;
    with_socket(server.url(), compressing(DeflateOptions().context_takeover(takeover)), [&](WebSocket& s) -> Task<> {
        s.send(message);
        s.send(message);
        s.send("small");
        while (read.size() < 3) {
            auto next = co_await s.read();
            read.push_back(next ? next->payload : test::ending(s));
        }
    });
    CHECK(offers.next() == offer);
    CHECK((got.next() == message));
    CHECK((got.next() == message));
    CHECK(got.next() == "small");
    CHECK(got.next() == "between");
    CHECK(got.next() == "between");
    std::size_t first = sizes.next(), second = sizes.next();
    CHECK((first > 0 && first < 5000 / 2));
    CHECK((takeover ? second < first / 4 : second == first));
    CHECK((read == std::vector<std::string>{message, message, "plain"}));
}

TEST_CASE("deflate: a client whose offer is declined speaks plainly") {
    Reports<bool> plain;
    RawServer server([&](Client& client) {
        client.send(test::handshake_answer(test::read_head(client)));
        auto frame = test::read_masked_frame(client);
        plain.add(!frame.compressed && frame.payload == words(5000));
        client.send(compressed(test::text, DeflatePeer().deflate("hi"), true, false));
        test::read_masked_frame(client);
    });
    std::string ending;
    with_socket(server.url(), compressing(), [&](WebSocket& socket) -> Task<> {
        socket.send(words(5000));
        co_await socket.read();
        ending = test::ending(socket);
    });
    CHECK(plain.next());
    CHECK(ending == "1002 reserved bits are set");
}

TEST_CASE("deflate: a client does not connect to a server that answers what was not offered") {
    struct Answer {
        std::string fields, what;
    };
    const std::string one(extensions);
    const std::vector<Answer> answers = {
        {one + "foo\r\n", "uses an extension that was not offered: foo"},
        {one + "permessage-deflate\r\n" + one + "permessage-deflate\r\n",
         "uses permessage-deflate twice: permessage-deflate, permessage-deflate"},
        {one + "permessage-deflate; x\r\n",
         "answers permessage-deflate with an unknown parameter: permessage-deflate; x"},
        {one + "permessage-deflate; " + std::string(1000, 'x') + "\r\n",
         "answers permessage-deflate with an unknown parameter: permessage-deflate; " + std::string(180, 'x')},
        {one + "\r\n", "sends malformed Sec-WebSocket-Extensions: "},
    };
    for (const Answer& answer : answers) {
        Reports<bool> gone;
        RawServer server([&](Client& client) {
            client.send(test::handshake_answer(test::read_head(client), answer.fields));
            gone.add(client.ended());
        });
        std::string what;
        try {
            with_socket(server.url(), compressing(), [](WebSocket&) -> Task<> { co_return; });
        } catch (const ConnectError& error) {
            what = error.what();
            CHECK(error.reason() == ConnectError::Reason::handshake);
        }
        CHECK(what == "kvolt: " + server.url() + ": the server " + answer.what);
        CHECK(gone.next());
    }
}

TEST_CASE("deflate: a client that reconnects refers to nothing of the connection before") {
    const std::string message = words(5000);
    Reports<std::string> got;
    RawServer server([&](Client& client) {
        client.send(
            test::handshake_answer(test::read_head(client), std::string(extensions) + "permessage-deflate\r\n"));
        DeflatePeer peer(true);
        for (int i = 0; i < 2; ++i) {
            got.add(read_compressed(client, peer));
            client.send(compressed(test::text, peer.deflate(message), true, false));
        }
        client.send(test::frame(test::close, test::close_payload(1001), true, false));
        test::read_masked_frame(client);
    });
    kvolt::Backoff quick;
    quick.first = quick.most = std::chrono::milliseconds(1);
    auto options = compressing(DeflateOptions().context_takeover()).backoff(quick);
    std::vector<std::string> read;
    kvolt::run([](std::string url, ConnectOptions by, std::string what, std::vector<std::string>& to) -> Task<> {
        kvolt::WebSocketClient client(url, by);
        for (int i = 0; i < 3; ++i) {
            WebSocket socket = co_await client.reconnect();
            socket.send(what);
            socket.send(what);
            while (auto next = co_await socket.read()) to.push_back(next->payload);
            to.push_back(test::ending(socket));
        }
    }(server.url(), options, message, read));
    for (int i = 0; i < 6; ++i) CHECK((got.next() == message));
    std::vector<std::string> expected;
    for (int i = 0; i < 3; ++i) expected.insert(expected.end(), {message, message, "1001"});
    CHECK((read == expected));
}

TEST_CASE("deflate: a server's bomb stops at the client's limit") {
    test::Server server;
    auto upgrade = UpgradeOptions().compression(kvolt::deflate());
    server.app.get("/ws", [&, upgrade](Context& c) -> Task<> {
        auto socket = co_await c.upgrade(upgrade);
        socket.send(std::string(50 << 20, 'a'));
        co_await socket.read();
        server.endings.add(test::ending(socket));
    });
    server.start();
    Limits limits;
    limits.message_size = 1 << 20;
    std::string ending;
    with_socket("ws://127.0.0.1:" + std::to_string(server.app.port()) + "/ws", compressing().limits(limits),
                [&](WebSocket& socket) -> Task<> {
                    auto message = co_await socket.read();
                    ending = message ? "it came" : test::ending(socket);
                });
    CHECK(ending == "1009 the message is too big");
    CHECK(server.endings.next() == "1009 the message is too big");
}
