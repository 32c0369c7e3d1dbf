// Who is let in, who makes way, and what happens while a loop is blocked.

#include "../catch.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "socket_path.hpp"
#include "websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/events.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/server.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using kvolt::App;
using kvolt::Context;
using kvolt::Limits;
using kvolt::Task;
using kvolt::detail::Loop;
using test::Blocked;
using test::Client;
using test::eventually;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

const std::string greeting = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

Limits places(std::size_t count) {
    Limits limits;
    limits.connections = count;
    limits.drain_timeout = 100ms;
    return limits;
}

// An app with something for each way to be connected.
struct Reception : test::Server {
    explicit Reception(const Limits& limits, std::size_t threads = 1) : test::Server(limits, threads) {
        app.get("/", [](Context& c) { c.text("hello"); });
        app.post("/", [](Context& c) { c.text(std::string(c.body())); });
        app.get("/wait", [this](Context& c) -> Task<> {
            boost::asio::steady_timer timer(c.executor());
            while (!released) {
                timer.expires_after(1ms);
                co_await timer.async_wait(boost::asio::use_awaitable);
            }
            c.text("at last");
        });
        app.get("/events", [](Context& c) -> Task<> {
            auto events = c.events();
            co_await events.send("hi");
            boost::asio::steady_timer timer(c.executor(), 24h);
            co_await timer.async_wait(boost::asio::use_awaitable);
        });
        app.get("/ws", test::echo);
    }

    std::size_t connections() {
        std::size_t sum = 0;
        for (const auto& loop : *app.loops()) sum += loop->connections();
        return sum;
    }

    Client idle() {
        Client one = client();
        if (one.get("/").status != 200) throw std::runtime_error("not served");
        return one;
    }

    Loop& loop(std::size_t i) { return *app.loops()->at(i); }

    std::atomic<bool> released = false;
};

// So long that it counts who came first, on whatever loop.
void let_time_pass() { std::this_thread::sleep_for(350ms); }

bool is_open(Client& client) { return !client.readable(0ms) && client.get("/").status == 200; }

}  // namespace

TEST_CASE("where all places are taken, the connection that is idle for longest makes way, on whatever loop") {
    Reception server(places(4), GENERATE(1u, 4u));
    server.start();
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(server.idle());
        let_time_pass();
    }
    CHECK(clients[0].get("/").status == 200);  // it is the last one now
    Client newcomer = server.client();
    CHECK(newcomer.get("/").body == "hello");
    CHECK(clients[1].ended());
    let_time_pass();
    Client another = server.client();
    CHECK(another.get("/").body == "hello");
    CHECK(clients[2].ended());
    for (Client* client : {&clients[0], &clients[3], &newcomer, &another}) CHECK(is_open(*client));
}

TEST_CASE("who is idle makes way before those whose request is unfinished") {
    Reception server(places(3), GENERATE(1u, 3u));
    server.start();
    Client silent = server.client();
    REQUIRE(eventually([&] { return server.connections() == 1; }));
    Client half = server.client();
    half.send("GET / HT");
    REQUIRE(eventually([&] { return server.connections() == 2; }));
    let_time_pass();
    Client idle = server.idle();
    Client newcomer = server.client();
    CHECK(newcomer.get("/").body == "hello");
    CHECK(idle.ended());
    half.send("TP/1.1\r\nHost: h\r\n\r\n");
    CHECK(half.read_response().status == 200);
    CHECK(silent.get("/").status == 200);
}

TEST_CASE("of unfinished requests, the oldest makes way, and none whose client had no time to send it") {
    Reception server(places(2), GENERATE(1u, 2u));
    server.start();
    Client half = server.client();
    half.send("GET / HT");
    REQUIRE(eventually([&] { return server.connections() == 1; }));
    let_time_pass();
    half.send("TP/1.1\r\nHo");  // which does not make it younger
    Client silent = server.client();
    REQUIRE(eventually([&] { return server.connections() == 2; }));
    std::vector<Client> crowd;
    for (int i = 0; i < 10; ++i) crowd.push_back(server.client());
    for (Client& client : crowd) client.send(greeting);
    CHECK(half.ended());
    for (Client& client : crowd) CHECK(client.read_response().status == 200);  // one after the other, when it is idle
    CHECK(silent.get("/").status == 200);
}

TEST_CASE("who is silent for a second within a body makes way, whoever wants it") {
    Reception server(places(2), GENERATE(1u, 2u));
    server.app.post("/parts", kvolt::stream_body, [](Context& c) -> Task<> {
        while (co_await c.read_some()) {
        }
    });
    server.start();
    for (std::string target : {"/", "/parts"}) {
        INFO(target);
        std::vector<Client> silent;
        for (int i = 0; i < 2; ++i) {
            silent.push_back(server.client());
            silent.back().send("POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nb");
        }
        REQUIRE(eventually([&] { return server.connections() == 2; }));
        Client newcomer = server.client();
        newcomer.send(greeting);
        CHECK_FALSE(newcomer.readable(500ms));
        CHECK(newcomer.read_response().body == "hello");
        CHECK((silent.front().readable(0ms) ? silent.front() : silent.back()).ended());
    }
}

TEST_CASE("nobody makes way who is being served, and newcomers wait") {
    auto threads = GENERATE(1u, 4u);
    Reception server(places(4), threads);
    server.start();
    Client waiting = server.client(), sending = server.client(), socket = server.connect(), events = server.client();
    waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    sending.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nbo");
    events.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    while (!events.read_line().empty()) {
    }
    CHECK(events.read_line() == "a");  // the size of a chunk
    let_time_pass();
    Client newcomer = server.client();
    newcomer.send(greeting);
    std::string sent = "bo";
    while (sent.size() < 20) {  // slowly
        CHECK_FALSE(newcomer.readable(100ms));
        sending.send("d");
        sent += 'd';
    }
    CHECK(server.log.next().find("Limits::connections") != std::string::npos);
    socket.send_frame(test::text, "still here");
    CHECK(test::read_text(socket) == "still here");
    SECTION("until one of them is served") {
        server.released = true;
        CHECK(waiting.read_response().body == "at last");
        CHECK(newcomer.read_response().body == "hello");
        CHECK(waiting.ended());
    }
    SECTION("until one of them goes") {
        socket.close();
        CHECK(newcomer.read_response().body == "hello");
    }
    sending.send(std::string(80, 'y'));
    CHECK(sending.read_response().body == sent + std::string(80, 'y'));
    CHECK(server.log.empty());  // once is enough
}

TEST_CASE("who waits for a place gets it at once when there is one") {
    Reception server(places(1), 1);
    server.start();
    std::vector<Clock::duration> waits;
    auto socket = std::make_unique<Client>(server.connect());
    for (int i = 0; i < 21; ++i) {
        auto newcomer = std::make_unique<Client>(server.app.port());
        newcomer->send(test::handshake_request("/ws"));
        CHECK_FALSE(newcomer->readable(20ms));
        auto begin = Clock::now();
        socket->close();
        CHECK(newcomer->read_response().status == 101);
        waits.push_back(Clock::now() - begin);
        socket = std::move(newcomer);
    }
    std::nth_element(waits.begin(), waits.begin() + 10, waits.end());
    CHECK(waits[10] < 40ms);  // by a look at every tick it would be 50
}

TEST_CASE("a response that has begun is whole before its connection makes way") {
    Reception server(places(1));
    const std::string big(8 * 1024 * 1024, 'x');
    server.app.get("/big", [&](Context& c) { c.text(big); });
    server.start();
    Client slow = server.client(4096);
    slow.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    REQUIRE(slow.readable(5s));
    Client newcomer = server.client();
    newcomer.send(greeting);
    CHECK_FALSE(newcomer.readable(300ms));
    CHECK(slow.read_response().body == big);
    CHECK(newcomer.read_response().body == "hello");
    CHECK(slow.ended());
}

TEST_CASE("who has been answered for good and does not close makes way") {
    Reception server(places(2), GENERATE(1u, 2u));
    server.start();
    Client refused = server.client(), closed = server.client();
    refused.send("nonsense\r\n\r\n");
    CHECK(refused.read_response().status == 400);
    CHECK(closed.get("/", "Connection: close\r\n").status == 200);
    std::vector<Client> more;
    for (int i = 0; i < 2; ++i) {
        more.push_back(server.client());
        CHECK(more.back().get("/").status == 200);
    }
}

TEST_CASE("while a loop is blocked, newcomers go to the others") {
    Reception server({}, 4);
    server.start();
    std::size_t stuck = GENERATE(0u, 2u);
    INFO("loop " << stuck);
    Blocked blocked(server.loop(stuck));
    std::vector<Client> clients;
    for (int i = 0; i < 16; ++i) clients.push_back(server.client());
    for (Client& client : clients) client.send(greeting);
    for (Client& client : clients) CHECK(client.read_response().body == "hello");  // also who was dealt to it at first
    for (Client& client : clients) CHECK(client.get("/").body == "hello");
    CHECK(server.loop(stuck).connections() == 0);
    blocked.release();
    CHECK(eventually([&] { return server.loop(stuck).responsive(Clock::now()); }));
    clients.push_back(server.client());
    CHECK(clients.back().get("/").body == "hello");
    CHECK(server.loop(stuck).connections() == 1);
}

TEST_CASE("while the first loop is blocked, all addresses are served") {
    test::SocketPath path;
    Reception server({}, 2);
    server.app.listen("127.0.0.1:0");
    server.app.listen("unix:" + path.path);
    server.start();
    Blocked blocked(server.loop(0));
    for (int i = 0; i < 3; ++i) {
        CHECK(Client(server.app.port()).get("/").body == "hello");
        CHECK(Client::unix_socket(path.path).get("/").body == "hello");
    }
}

TEST_CASE("while the first loop is blocked and all places are taken, others make way on other loops") {
    Reception server(places(4), 2);
    server.start();
    std::vector<Client> clients;
    for (int i = 0; i < 4; ++i) clients.push_back(server.idle());
    REQUIRE(server.loop(1).connections() == 2);
    Blocked blocked(server.loop(0));
    for (int i = 0; i < 3; ++i) CHECK(server.client().get("/").body == "hello");
}

TEST_CASE("a server whose first loop is blocked stops when that goes on") {
    Reception server({}, 2);
    server.start();
    Blocked blocked(server.loop(0));
    Client client = server.client();
    CHECK(client.get("/").body == "hello");
    std::thread stopper([&] { server.app.stop(); });
    blocked.release();
    stopper.join();
    CHECK(client.ended());
    CHECK(test::refuses_connections(server.app.port()));
}

TEST_CASE("past the limit for one client its newest connection is closed, which is told once") {
    Limits limits;
    limits.connections_per_client = 2;
    auto threads = GENERATE(1u, 4u);
    SECTION("by address") {
        Reception server(limits, threads);
        server.start();
        Client first = server.idle(), second = server.idle();
        for (int i = 0; i < 5; ++i) CHECK(server.client().ended());
        CHECK(is_open(first));
        CHECK(is_open(second));
        CHECK(server.log.next().find("Limits::connections_per_client") != std::string::npos);
        CHECK(server.log.empty());
        first.close();
        REQUIRE(eventually([&] { return server.connections() == 1; }));
        CHECK(server.client().get("/").body == "hello");
    }
    SECTION("but not of trusted peers, and Unix sockets") {
        test::SocketPath path;
        Reception server(limits, threads);
        server.app.trust_proxies({"127.0.0.1"});
        server.app.listen("127.0.0.1:0");
        server.app.listen("unix:" + path.path);
        server.start();
        std::vector<Client> clients;
        for (int i = 0; i < 4; ++i) {
            clients.push_back(server.idle());
            clients.push_back(Client::unix_socket(path.path));
            CHECK(clients.back().get("/").body == "hello");
        }
    }
    SECTION("nor of those who speak the PROXY protocol and tell of no client") {
        Reception server(limits, threads);
        auto port = server.app.listen("127.0.0.1:0", kvolt::ListenOptions().proxy_protocol({"127.0.0.1"}));
        server.start();
        std::vector<Client> clients;
        for (int i = 0; i < 4; ++i) {
            clients.emplace_back(port);
            CHECK(clients.back().request("PROXY UNKNOWN\r\n" + greeting).body == "hello");
        }
    }
    SECTION("by the client that the PROXY protocol tells") {
        Reception server(limits, threads);
        server.app.trust_proxies({"127.0.0.1"});
        auto port = server.app.listen("127.0.0.1:0", kvolt::ListenOptions().proxy_protocol());
        server.start();
        std::vector<Client> clients;
        auto connect = [&](std::string_view from) {
            clients.emplace_back(port);
            clients.back().send("PROXY " + std::string(from) + " 50312 443\r\n" + greeting);
            try {
                return clients.back().read_response().body == "hello";
            } catch (const std::runtime_error&) {  // closed without an answer
                return false;
            }
        };
        CHECK(connect("TCP4 192.0.2.1 192.0.2.9"));
        CHECK(connect("TCP4 192.0.2.1 192.0.2.9"));
        CHECK_FALSE(connect("TCP4 192.0.2.1 192.0.2.9"));
        CHECK(connect("TCP4 192.0.2.2 192.0.2.9"));
        CHECK(connect("TCP6 2001:db8::1 2001:db8::9"));
        CHECK(connect("TCP6 2001:db8::ffff:1 2001:db8::9"));
        CHECK_FALSE(connect("TCP6 2001:db8::2 2001:db8::9"));
        CHECK(connect("TCP6 2001:db8:0:1::1 2001:db8::9"));
    }
}

TEST_CASE("a connection that has not even said whose it is makes way") {
    Reception server(places(1));
    server.app.trust_proxies({"127.0.0.1"});
    auto port = server.app.listen("127.0.0.1:0", kvolt::ListenOptions().proxy_protocol());
    server.start();
    Client silent(port);
    silent.send(GENERATE("", "PROXY TCP4 192"));
    REQUIRE(eventually([&] { return server.connections() == 1; }));
    let_time_pass();
    Client client(port);
    client.send("PROXY TCP4 192.0.2.1 192.0.2.9 50312 443\r\n" + greeting);
    CHECK(client.read_response().body == "hello");
    CHECK(silent.ended());
}
