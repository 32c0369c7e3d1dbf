#include "../certificate.hpp"
#include "catch.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "socket_path.hpp"
#include "tls_client.hpp"
#include "websocket_server.hpp"
#include <kvolt.hpp>
#include <kvolt/middleware/logger.hpp>
#include <kvolt/tls.hpp>

#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using kvolt::Context;
using kvolt::Limits;
using kvolt::Task;
using test::Client;
using test::eventually;
using namespace std::chrono_literals;

namespace {

struct Alive {
    explicit Alive(std::atomic<int>& counted) : count(counted) { ++count; }
    ~Alive() { --count; }

    std::atomic<int>& count;
};

Task<> wait_long(Context& c) {
    boost::asio::steady_timer timer(c.executor(), 1h);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

// Handlers that wait for what never comes, each in its own way.
struct Waiting {
    explicit Waiting(std::size_t connections = 0, std::size_t threads = 1) {
        Limits limits;
        limits.connections = connections;
        limits.abandoned_handlers = 3;
        app.limits(limits).threads(threads);
        app.logger([this](std::string_view line) {
            std::lock_guard lock(mutex);
            log.emplace_back(line);
        });
        app.get("/hello", [](Context& c) { c.text("hello"); });
        app.get("/timer", [this](Context& c) -> Task<> {
            Alive here(alive);
            co_await wait_long(c);
        });
        app.get("/channel", [this](Context& c) -> Task<> {
            Alive here(alive);
            boost::asio::experimental::channel<void(boost::system::error_code)> channel(c.executor());
            co_await channel.async_receive(boost::asio::use_awaitable);
        });
        app.get("/events", [this](Context& c) -> Task<> {
            Alive here(alive);
            auto events = c.events();
            co_await events.send("hello");
            co_await wait_then_look(c, [&] { return events.is_open(); });
        });
        app.get("/stream", [this](Context& c) -> Task<> {
            Alive here(alive);
            auto stream = c.stream("text/plain");
            co_await stream.write("hello");
            co_await wait_then_look(c, [&] { return stream.is_open(); });
        });
        app.post("/whole", [this](Context& c) -> Task<> {
            Alive here(alive);
            co_await wait_long(c);
        });
        app.post("/parts", kvolt::stream_body, [this](Context& c) -> Task<> {
            Alive here(alive);
            while (co_await c.read_some()) {
            }
        });
        app.post("/slowly", kvolt::stream_body, [this](Context& c) -> Task<> {
            Alive here(alive);
            co_await c.read_some();
            co_await wait_long(c);
        });
        app.get(
            "/middleware", [](Context&, kvolt::Next next) -> Task<> { co_await next(); },
            [this](Context& c) -> Task<> {
                Alive here(alive);
                co_await wait_long(c);
            });
        app.get("/stubborn", [this](Context& c) -> Task<> {
            Alive here(alive);
            c.on_disconnect([this] { ++told; });
            c.ignore_disconnect();
            while (!finish) {
                boost::asio::steady_timer timer(c.executor(), 1ms);
                co_await timer.async_wait(boost::asio::use_awaitable);
            }
            finished_connected = c.connected();
            c.text("done");
        });
        app.get("/ws", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            Alive here(alive);
            while (co_await socket.read()) {
            }
            while (!finish) {
                boost::asio::steady_timer timer(c.executor(), 1ms);
                co_await timer.async_wait(boost::asio::use_awaitable);
            }
            ++told;
        });
    }

    // Cancelled, it tells whether the stream was open then.
    template <class IsOpen>
    Task<> wait_then_look(Context& c, IsOpen is_open) {
        try {
            co_await wait_long(c);
        } catch (...) {
            if (is_open()) ++open_without_client;
            throw;
        }
    }

    std::string lines() {
        std::lock_guard lock(mutex);
        std::string all;
        for (const std::string& line : log) all += line + '\n';
        return all;
    }

    std::atomic<int> alive{0}, told{0}, open_without_client{0};
    std::atomic<bool> finish{false}, finished_connected{true};
    std::mutex mutex;
    std::vector<std::string> log;
    kvolt::App app;
};

std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n"; }

std::string post(std::string_view target, std::string_view part, std::size_t size) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) +
           "\r\n\r\n" + std::string(part);
}

// Requests whose handlers wait, by what is sent.
std::vector<std::string> waiting_requests() {
    return {get("/timer"),           get("/channel"),         get("/events"),
            get("/stream"),          get("/middleware"),      post("/whole", "hello", 5),
            post("/parts", "he", 5), post("/slowly", "he", 5)};
}

}  // namespace

TEST_CASE("a handler is cancelled when its client goes, however that goes and whatever the handler waits for") {
    Waiting t(0, GENERATE(1u, 3u));
    t.app.start("127.0.0.1:0");
    for (const std::string& request : waiting_requests())
        for (bool reset : {false, true}) {
            INFO(request << (reset ? "reset" : "closed"));
            std::vector<Client> clients;
            for (int i = 0; i < 3; ++i) {
                clients.emplace_back(t.app.port());
                clients.back().send(request);
            }
            REQUIRE(eventually([&] { return t.alive == 3; }));
            for (Client& client : clients) reset ? client.reset() : client.close();
            CHECK(eventually([&] { return t.alive == 0; }));
        }
    CHECK(t.open_without_client == 0);
    CHECK(t.lines().empty());
    CHECK(Client(t.app.port()).get("/hello").body == "hello");
}

TEST_CASE("a handler is cancelled when its client goes, over TLS and Unix sockets, too") {
    test::Certificate certificate;
    test::SocketPath socket;
    Waiting t;
    unsigned short port = t.app.listen_tls("127.0.0.1:0", kvolt::Tls(certificate.file, certificate.key_file));
    t.app.listen("unix:" + socket.path);
    t.app.start();
    for (const std::string& request : waiting_requests())
        for (bool reset : {false, true}) {
            INFO(request << (reset ? "reset" : "closed"));
            test::TlsClient tls(port);
            tls.send(request);
            Client unix_client = Client::unix_socket(socket.path);
            unix_client.send(request);
            REQUIRE(eventually([&] { return t.alive == 2; }));
            for (Client* client : {static_cast<Client*>(&tls), &unix_client}) reset ? client->reset() : client->close();
            CHECK(eventually([&] { return t.alive == 0; }));
        }
    CHECK(t.lines().empty());
}

TEST_CASE("the place of a client that has gone is free at once, however long its handler goes on") {
    Waiting t(3);
    t.app.start("127.0.0.1:0");
    for (int i = 0; i < 3; ++i) {
        Client client(t.app.port());
        client.send(get("/stubborn"));
        REQUIRE(eventually([&] { return t.alive == i + 1; }));
        client.close();
        CHECK(eventually([&] { return t.told == i + 1; }));
    }
    CHECK(Client(t.app.port()).get("/hello").body == "hello");

    SECTION("but no more handlers go on without a client than may") {
        auto busy = Client(t.app.port()).get("/timer");
        CHECK(busy.status == 503);
        CHECK(busy.field("retry-after") == "1");
        CHECK(Client(t.app.port()).get("/hello").body == "hello");
    }
    t.finish = true;
    CHECK(eventually([&] { return t.alive == 0; }));
    CHECK_FALSE(t.finished_connected);
    Client again(t.app.port());
    again.send(get("/timer"));
    CHECK(eventually([&] { return t.alive == 1; }));
}

TEST_CASE("the handler of a WebSocket is not cancelled, and its place is free as well") {
    Waiting t(2);
    t.app.start("127.0.0.1:0");
    for (int i = 0; i < 2; ++i) {
        Client client(t.app.port());
        REQUIRE(client.handshake("/ws").status == 101);
        i == 0 ? client.reset() : client.close();
    }
    Client next(t.app.port()), other(t.app.port());
    CHECK(next.get("/hello").body == "hello");
    CHECK(other.get("/hello").body == "hello");
    CHECK(t.alive == 2);
    t.finish = true;
    CHECK(eventually([&] { return t.alive == 0; }));
    CHECK(t.told == 2);
}

TEST_CASE("a client that shuts down its sending side waits for the answer and gets it") {
    Waiting t;
    std::atomic<int> waiting{0};
    t.app.get("/later", [&](Context& c) -> Task<> {
        ++waiting;
        while (!t.finish) {
            boost::asio::steady_timer timer(c.executor(), 1ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        c.text(c.connected() ? "still there" : "gone");
    });
    t.app.get("/parts", [&](Context& c) -> Task<> {
        ++waiting;
        auto stream = c.stream("text/plain");
        co_await stream.write("one ");
        while (!t.finish) {
            boost::asio::steady_timer timer(c.executor(), 1ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        co_await stream.write("two");
    });
    t.app.start("127.0.0.1:0");

    SECTION("whole; the server asks whether it is still there by an informational response") {
        Client client(t.app.port());
        client.send(get("/later"));
        client.half_close();
        CHECK(client.read_response().status == 100);
        t.finish = true;
        CHECK(client.read_response().body == "still there");
        CHECK(client.ended());
    }
    SECTION("in chunks") {
        Client client(t.app.port());
        client.send(get("/parts"));
        client.half_close();
        std::string head;
        for (std::string line = client.read_line(); !line.empty(); line = client.read_line()) head += line + '\n';
        std::string body;
        CHECK(client.read_chunk(body));
        CHECK(client.readable(5s));  // a digit of the next chunk's size
        t.finish = true;
        CHECK(client.read_chunk(body));
        CHECK_FALSE(client.read_chunk(body));
        CHECK(body == "one two");
        CHECK(client.ended());
    }
    SECTION("with HTTP/1.0, which knows no such thing") {
        Client client(t.app.port());
        client.send("GET /later HTTP/1.0\r\n\r\n");
        client.half_close();
        CHECK_FALSE(client.readable(300ms));
        t.finish = true;
        CHECK(client.read_response().body == "still there");
        CHECK(client.ended());
    }
    SECTION("after what it has sent before that") {
        Client client(t.app.port());
        client.send(get("/later") + get("/hello") + get("/later"));
        client.half_close();
        REQUIRE(eventually([&] { return waiting == 1; }));
        CHECK(client.read_response().status == 100);
        t.finish = true;
        CHECK(client.read_response().body == "still there");
        CHECK(client.read_response().body == "hello");
        CHECK(client.read_response().body == "still there");
        CHECK(client.ended());
    }
}

TEST_CASE("a client that goes on sending while its handler waits is seen to go, too") {
    Waiting t;
    t.app.start("127.0.0.1:0");
    std::string more;
    while (more.size() < 100'000) more += get("/hello");
    for (bool reset : {false, true})
        for (auto pause : {0ms, 400ms}) {  // before the watch begins, and while it waits for something to read
            INFO(reset << ' ' << pause.count());
            Client client(t.app.port());
            client.send(get("/timer"));
            REQUIRE(eventually([&] { return t.alive == 1; }));
            std::this_thread::sleep_for(pause);
            client.send(more);
            reset ? client.reset() : client.close();
            CHECK(eventually([&] { return t.alive == 0; }));
        }
}

TEST_CASE("a client that sends urgent data and shuts down its sending side is seen to go, too") {
    Waiting t;
    t.app.start("127.0.0.1:0");
    for (bool reset : {false, true}) {
        Client client(t.app.port());
        client.send(get("/timer"));
        REQUIRE(eventually([&] { return t.alive == 1; }));
        REQUIRE(::send(client.socket(), "!", 1, MSG_OOB) == 1);
        client.half_close();
        std::this_thread::sleep_for(300ms);  // until it is seen
        CHECK(t.alive == 1);
        reset ? client.reset() : client.close();
        CHECK(eventually([&] { return t.alive == 0; }));
    }
}

TEST_CASE("what is sent while a handler waits is handled behind it") {
    Waiting t;
    t.app.start("127.0.0.1:0");
    Client client(t.app.port());
    client.send(get("/stubborn"));
    REQUIRE(eventually([&] { return t.alive == 1; }));
    CHECK_FALSE(client.readable(300ms));
    client.send(get("/hello").substr(0, 10));
    CHECK_FALSE(client.readable(50ms));
    client.send(get("/hello").substr(10) + get("/hello"));
    t.finish = true;
    CHECK(client.read_response().body == "done");
    CHECK(client.read_response().body == "hello");
    CHECK(client.read_response().body == "hello");
    CHECK(client.get("/hello").body == "hello");
}

TEST_CASE("a request whose client has gone is logged with status 499") {
    std::mutex mutex;
    std::string lines;
    kvolt::App app;
    app.use(kvolt::middleware::logger(kvolt::middleware::LoggerOptions().sink([&](std::string_view line) {
        std::lock_guard lock(mutex);
        lines += line;
    })));
    std::atomic<int> alive{0};
    app.get("/timer", [&](Context& c) -> Task<> {
        Alive here(alive);
        co_await wait_long(c);
    });
    app.start("127.0.0.1:0");
    Client client(app.port());
    client.send(get("/timer"));
    REQUIRE(eventually([&] { return alive == 1; }));
    client.close();
    REQUIRE(eventually([&] {
        std::lock_guard lock(mutex);
        return !lines.empty();
    }));
    app.stop();
    CHECK(lines.find("GET /timer") != lines.npos);
    CHECK(lines.find(" 499 ") != lines.npos);
}
