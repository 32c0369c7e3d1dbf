#include "../catch.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "socket_path.hpp"
#include <kvolt.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/run.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <pthread.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

using kvolt::App;
using kvolt::Context;
using kvolt::Limits;
using kvolt::Task;
using test::Client;
using test::eventually;
using test::refuses_connections;
using test::SocketPath;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

void hello(Context& c) { c.text("hello"); }

Task<> wait_for_ever(Context& c) {
    boost::asio::steady_timer timer(c.executor(), 24h);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

// A thread that is joined at the end.
struct Background {
    explicit Background(std::function<void()> function) : thread(std::move(function)) {}
    ~Background() { thread.join(); }

    std::thread thread;
};

// Sets a flag when it goes: a witness that a coroutine was destroyed.
struct Witness {
    ~Witness() { gone = true; }

    std::atomic<bool>& gone;
};

}  // namespace

TEST_CASE("a port in use is an error at once that names the address, and another one can be tried") {
    App first, second;
    second.get("/", hello);
    first.start("127.0.0.1:0");
    std::string address = "127.0.0.1:" + std::to_string(first.port());
    for (bool runs : {false, true}) {
        try {
            runs ? second.run(address) : second.start(address);
            FAIL("it listens on a port in use");
        } catch (const std::system_error& error) {
            CHECK(std::string(error.what()).find(address) != std::string::npos);
            CHECK(error.code() == std::errc::address_in_use);
        }
    }
    CHECK(second.port() == 0);
    second.start("127.0.0.1:0");
    CHECK(Client(second.port()).get("/").body == "hello");
}

TEST_CASE("an address that is none is an invalid argument") {
    App app;
    for (std::string address :
         {"", "8080", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
          "example.com:80", "::1:80", "[::1]", "[127.0.0.1]:80", "[::1:80", "unix:"}) {
        INFO(address);
        CHECK_THROWS_AS(app.start(address), std::invalid_argument);
        CHECK_THROWS_AS(app.run(address), std::invalid_argument);
    }
    CHECK_THROWS_AS(app.start("unix:" + std::string(108, 'x')), std::invalid_argument);
    CHECK_THROWS_AS(app.start("192.0.2.1:80"), std::system_error);
}

TEST_CASE("every kind of address is served") {
    App app;
    app.get("/", [](Context& c) { c.text(c.remote_address()); });
    CHECK(app.port() == 0);
    SECTION("any interface") {
        app.start(":0");
        CHECK(Client(app.port()).get("/").body.starts_with("127.0.0.1:"));
    }
    SECTION("localhost") {
        app.start("localhost:0");
        CHECK(Client(app.port()).get("/").body.starts_with("127.0.0.1:"));
    }
    SECTION("IPv6") {
        app.start("[::1]:0");
        CHECK(Client::v6(app.port()).get("/").body.starts_with("[::1]:"));
    }
    SECTION("a Unix socket") {
        SocketPath socket;
        app.start("unix:" + socket.path);
        CHECK(app.port() == 0);
        CHECK(Client::unix_socket(socket.path).get("/").body == "unix");
        app.stop();
        CHECK_FALSE(std::filesystem::exists(socket.path));
    }
}

TEST_CASE("a Unix socket that a dead server left behind is replaced, anything else is not") {
    SocketPath socket;
    App app;
    app.get("/", hello);
    SECTION("a dead server's") {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, socket.path.c_str(), sizeof address.sun_path - 1);
        int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
        REQUIRE(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        ::close(dead);
        app.start("unix:" + socket.path);
        CHECK(Client::unix_socket(socket.path).get("/").body == "hello");
    }
    SECTION("a living server's") {
        app.start("unix:" + socket.path);
        App other;
        CHECK_THROWS_AS(other.start("unix:" + socket.path), std::system_error);
        CHECK(Client::unix_socket(socket.path).get("/").body == "hello");
    }
    SECTION("one that was put there after the first had been removed") {
        app.start("unix:" + socket.path);
        std::filesystem::remove(socket.path);
        App other;
        other.get("/", [](Context& c) { c.text("other"); });
        other.start("unix:" + socket.path);
        app.stop();
        CHECK(Client::unix_socket(socket.path).get("/").body == "other");
    }
    SECTION("a file") {
        std::ofstream(socket.path) << "precious";
        CHECK_THROWS_AS(app.start("unix:" + socket.path), std::system_error);
        CHECK(std::filesystem::file_size(socket.path) == 8);
    }
}

TEST_CASE("an app is set up before its only start") {
    App app;
    app.get("/", hello);
    app.start("127.0.0.1:0");
    CHECK_THROWS_AS(app.start("127.0.0.1:0"), std::logic_error);
    CHECK_THROWS_AS(app.run("127.0.0.1:0"), std::logic_error);
    CHECK_THROWS_AS(app.get("/more", hello), std::logic_error);
    CHECK_THROWS_AS(app.use(hello), std::logic_error);
    CHECK_THROWS_AS(app.group("/more"), std::logic_error);
    CHECK_THROWS_AS(app.threads(2), std::logic_error);
    CHECK_THROWS_AS(app.limits({}), std::logic_error);
    CHECK(Client(app.port()).get("/").body == "hello");
}

TEST_CASE("stop() before the start, twice, and after the end") {
    App app;
    app.threads(GENERATE(1u, 4u));
    app.get("/", hello);
    SECTION("before") {
        app.stop();
        app.stop();
        app.start("127.0.0.1:0");
        app.run("127.0.0.1:0");
        CHECK(app.port() == 0);
    }
    SECTION("twice") {
        app.start("127.0.0.1:0");
        auto port = app.port();
        CHECK(Client(port).get("/").body == "hello");
        app.stop();
        app.stop();
        CHECK(refuses_connections(port));
        app.run("127.0.0.1:0");
    }
    SECTION("in several threads at once") {
        app.start("127.0.0.1:0");
        Background one([&] { app.stop(); }), two([&] { app.stop(); }), three([&] { app.stop(); });
    }
}

TEST_CASE("run() ends when it is told to") {
    App app;
    app.threads(GENERATE(1u, 4u));
    app.get("/", hello);
    app.get("/stop", [&](Context& c) {
        app.stop();
        c.text("stopping");
    });
    app.get("/stop-later", [&](Context& c) -> Task<> {
        boost::asio::steady_timer timer(c.executor(), 1ms);
        co_await timer.async_wait(boost::asio::use_awaitable);
        app.stop();
        app.stop();
        c.text("stopping");
    });
    Background server([&] { app.run("127.0.0.1:0"); });
    REQUIRE(eventually([&] { return app.port() != 0; }));
    auto port = app.port();
    CHECK(Client(port).get("/").body == "hello");
    std::string way = GENERATE("/stop", "/stop-later", "thread", "SIGTERM", "SIGINT");
    INFO(way);
    if (way == "thread") {
        app.stop();
        CHECK(refuses_connections(port));
    } else if (way.starts_with("SIG")) {
        ::kill(::getpid(), way == "SIGTERM" ? SIGTERM : SIGINT);
    } else {
        CHECK(Client(port).get(way).body == "stopping");
    }
    server.thread.join();
    CHECK(refuses_connections(port));
    server.thread = std::thread([] {});
}

TEST_CASE("run() tells where it can be reached, and can be stopped there and then") {
    SocketPath socket;
    App app;
    app.threads(GENERATE(1u, 4u));
    std::string address = GENERATE("127.0.0.1:0", "[::1]:0", ":0", "unix:");
    if (address == "unix:") address += socket.path;
    std::string url;
    app.run(address, [&](std::string_view reached) {
        url = reached;
        app.stop();
    });
    auto port = std::to_string(app.port());
    if (address == "127.0.0.1:0") CHECK(url == "http://127.0.0.1:" + port);
    if (address == "[::1]:0") CHECK(url == "http://[::1]:" + port);
    if (address == ":0") CHECK(url == "http://localhost:" + port);
    if (address.starts_with("unix:")) CHECK(url == address);
}

TEST_CASE("what is thrown on the first loop, but by no handler, ends run()") {
    std::atomic<bool> gone = false;
    App app;
    app.threads(GENERATE(1u, 4u));
    app.get("/wait", [&](Context& c) -> Task<> {
        Witness witness{gone};
        boost::asio::post(app.executor(), [] { throw std::runtime_error("posted"); });
        co_await wait_for_ever(c);
    });
    bool by_ready = GENERATE(false, true);
    std::unique_ptr<Client> client;
    auto ready = [&](std::string_view) {
        if (by_ready) throw std::runtime_error("ready");
        client = std::make_unique<Client>(app.port());
        client->send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    };
    CHECK_THROWS_AS(app.run("127.0.0.1:0", ready), std::runtime_error);
    CHECK(refuses_connections(app.port()));
    if (client) CHECK(client->ended());
    CHECK(gone != by_ready);
    app.stop();
}

TEST_CASE("what is thrown on a loop of start(), but by no handler, is logged") {
    std::vector<std::string> log;
    App app;
    app.logger([&](std::string_view line) { log.emplace_back(line); });
    app.get("/", hello);
    app.start("127.0.0.1:0");
    boost::asio::post(app.executor(), [] { throw std::runtime_error("posted"); });
    boost::asio::post(app.executor(), [] { throw 42; });
    CHECK(Client(app.port()).get("/").body == "hello");
    app.stop();
    const std::string what = "kvolt: an exception left a function on a loop: ";
    CHECK(log == std::vector<std::string>{what + "posted", what + "an exception that is no std::exception"});
}

TEST_CASE("stop() may come at any moment of the start, and while clients come") {
    for (int i = 0; i < 50; ++i) {
        App app;
        app.threads(i % 2 == 0 ? 1 : 4);
        app.get("/", hello);
        bool clients = i % 5 == 0;
        Background server([&] { app.run("127.0.0.1:0"); });
        Background client([&] {
            while (clients && eventually([&] { return app.port() != 0; })) {
                try {
                    Client(app.port()).get("/");
                } catch (const std::exception&) {
                    return;
                }
            }
        });
        if (clients) CHECK(eventually([&] { return app.port() != 0; }));
        app.stop();
    }
}

TEST_CASE("connections are dealt evenly to the loops") {
    App app;
    app.threads(4);
    app.get("/", [](Context& c) {
        std::ostringstream id;
        id << std::this_thread::get_id();
        c.text(id.str());
    });
    app.start("127.0.0.1:0");
    std::vector<Client> clients;
    std::map<std::string, int> loops;
    for (int i = 0; i < 12; ++i) ++loops[clients.emplace_back(app.port()).get("/").body];
    CHECK(loops.size() == 4);
    for (const auto& [id, count] : loops) CHECK(count == 3);
    for (Client& client : clients) CHECK(loops.count(client.get("/").body) == 1);
}

TEST_CASE("a second signal does not wait for the drain") {
    Limits limits;
    limits.drain_timeout = 1h;
    std::atomic<bool> entered = false;
    App app;
    app.limits(limits).threads(GENERATE(1u, 4u));
    app.get("/", [&](Context& c) -> Task<> {
        entered = true;
        co_await wait_for_ever(c);
    });
    Background server([&] { app.run("127.0.0.1:0"); });
    REQUIRE(eventually([&] { return app.port() != 0; }));
    auto port = app.port();
    Client client(port);
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    REQUIRE(eventually([&] { return entered.load(); }));
    ::kill(::getpid(), SIGTERM);
    CHECK(eventually([&] { return refuses_connections(port); }));
    ::kill(::getpid(), SIGTERM);
    CHECK(client.ended());
}

TEST_CASE("once run() has returned, signals do what they did before") {
    struct Disposition {
        static void old_handler(int) {}
        static void new_handler(int) {}
        static void (*now())(int) {
            struct sigaction action {};
            ::sigaction(SIGTERM, nullptr, &action);
            return action.sa_handler;
        }
    };
    auto run = [](std::function<void(App&)> ready) {
        App app;
        app.run("127.0.0.1:0", [&](std::string_view) {
            ready(app);
            app.stop();
        });
    };
    auto initially = std::signal(SIGTERM, Disposition::old_handler);
    run([](App&) { CHECK(Disposition::now() != Disposition::old_handler); });
    CHECK(Disposition::now() == Disposition::old_handler);
    run([&](App&) {  // also where one app runs within another one
        run([](App&) {});
        CHECK(Disposition::now() != Disposition::old_handler);
    });
    CHECK(Disposition::now() == Disposition::old_handler);
    run([](App&) { std::signal(SIGTERM, Disposition::new_handler); });
    CHECK(Disposition::now() == Disposition::new_handler);
    std::signal(SIGTERM, SIG_IGN);
    run([](App&) {});
    CHECK(Disposition::now() == SIG_IGN);
    std::signal(SIGTERM, initially);
}

TEST_CASE("a signal set of the program's own is told of signals before, while and after an app runs") {
    boost::asio::io_context io;
    boost::asio::signal_set own(io, SIGTERM);
    int told = 0;
    auto expect_one = [&] {
        own.async_wait([&](auto error, int) { told += error ? 0 : 1; });
        ::kill(::getpid(), SIGTERM);
        io.restart();
        io.run();
    };
    expect_one();
    App app;
    app.run("127.0.0.1:0", [&](std::string_view) { expect_one(); });  // which ends it
    expect_one();
    CHECK(told == 3);
}

TEST_CASE("an app that gets no threads does not start, and is as before") {
    SocketPath socket;
    App app;
    app.threads(8).get("/", hello);
    auto path = "unix:" + socket.path;
    bool runs = GENERATE(false, true);
    auto port = app.listen("127.0.0.1:0");
    pthread_attr_t before, huge;
    REQUIRE(::pthread_getattr_default_np(&before) == 0);
    ::pthread_attr_init(&huge);
    ::pthread_attr_setstacksize(&huge, std::size_t{1} << 45);  // not for many
    REQUIRE(::pthread_setattr_default_np(&huge) == 0);
    for (int i = 0; i < 2; ++i) {
        if (runs)
            CHECK_THROWS_AS(app.run(path), std::system_error);
        else
            CHECK_THROWS_AS(app.start(path), std::system_error);
    }
    ::pthread_setattr_default_np(&before);
    ::pthread_attr_destroy(&before);
    ::pthread_attr_destroy(&huge);
    CHECK_FALSE(std::filesystem::exists(socket.path));
    CHECK(app.loops()->size() == 1);
    Client early(port);  // who waits until it has started
    early.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_FALSE(early.readable(50ms));
    int guarded = 0;
    app.use([&](Context&) { ++guarded; });
    app.start(path);
    CHECK(early.read_response().body == "hello");
    CHECK(guarded == 1);
    CHECK(Client::unix_socket(socket.path).get("/").body == "hello");
}

TEST_CASE("two apps whose handlers stop each other end") {
    App a, b;
    std::promise<void> in_a, in_b;
    auto a_is_in = in_a.get_future().share(), b_is_in = in_b.get_future().share();
    auto both = GENERATE(1u, 4u);
    a.threads(both).get("/", [&](Context&) {
        in_a.set_value();
        b_is_in.wait();
        b.stop();
    });
    b.threads(both).get("/", [&](Context&) {
        in_b.set_value();
        a_is_in.wait();
        a.stop();
    });
    a.start("127.0.0.1:0");
    b.start("127.0.0.1:0");
    Client to_a(a.port()), to_b(b.port());
    to_a.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    to_b.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(to_a.read_response().status == 200);
    CHECK(to_b.read_response().status == 200);
    a.stop();
    b.stop();
}

TEST_CASE("an app is stopped and destroyed in what runs on another one, or within its own") {
    Limits limits;
    limits.drain_timeout = 100ms;
    auto app = std::make_unique<App>();
    App other;
    for (App* each : {app.get(), &other}) each->limits(limits).threads(GENERATE(1u, 4u));
    std::promise<void> done;
    auto destroy = [&] {
        app.reset();
        done.set_value();
    };
    auto hub = std::make_unique<kvolt::Hub<>>(*app);
    hub->on_join([&](const auto&) { destroy(); });
    app->get("/wait", wait_for_ever);
    app->get("/nested", [&](Context&) {
        auto task = [&]() -> Task<> {
            app->stop();
            co_return;
        };
        kvolt::run(task());
        destroy();
    });
    app->get("/join", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub->join(socket);
        co_await socket.read();
    });
    app->logger([&](std::string_view) {
        if (app) destroy();
    });
    app->get("/log", [](Context&) { throw std::runtime_error("logged"); });
    other.get("/", [&](Context&) { destroy(); });
    app->start("127.0.0.1:0");
    other.start("127.0.0.1:0");
    auto port = app->port();
    Client waiting(port), client(port), elsewhere(other.port());
    waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    std::string way = GENERATE("/nested", "/join", "/log", "other");
    INFO(way);
    if (way == "/join")
        client.handshake("/join");
    else if (way == "other")
        elsewhere.get("/");
    else
        client.get(way);
    done.get_future().wait();
    CHECK(eventually([&] { return refuses_connections(port); }));
    CHECK(waiting.ended());
    other.stop();
}

TEST_CASE("the end of an app stops it, also while clients are connected") {
    Limits limits;
    limits.drain_timeout = 100ms;
    auto app = std::make_unique<App>();
    app->limits(limits).threads(GENERATE(1u, 4u));
    app->get("/", hello);
    app->get("/wait", wait_for_ever);
    app->get("/socket", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (co_await socket.read()) {
        }
    });
    bool runs = GENERATE(false, true);
    std::thread server;
    if (runs)
        server = std::thread([&app = *app] { app.run("127.0.0.1:0"); });
    else
        app->start("127.0.0.1:0");
    REQUIRE(eventually([&] { return app->port() != 0; }));
    auto port = app->port();
    Client idle(port), waiting(port), socket(port), half(port);
    CHECK(idle.get("/").body == "hello");
    CHECK(socket.handshake("/socket").status == 101);
    waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    half.send("GET / HT");
    app.reset();
    CHECK(refuses_connections(port));
    if (runs) server.join();
    CHECK(waiting.ended());
}

TEST_CASE("the end of a hub stops its app") {
    Limits limits;
    limits.drain_timeout = 100ms;
    App app;
    app.limits(limits).threads(GENERATE(1u, 4u));
    auto hub = std::make_unique<kvolt::Hub<>>(app);
    app.get("/", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub->join(socket);
        while (auto message = co_await socket.read()) hub->broadcast(*message);
    });
    app.start("127.0.0.1:0");
    Client client(app.port());
    CHECK(client.handshake("/").status == 101);
    client.send_frame(test::text, "hi");
    CHECK(client.read_frame().payload == "hi");
    hub.reset();
    CHECK(refuses_connections(app.port()));
    CHECK(test::close_code(client.read_frame().payload) == 1001);
}

TEST_CASE("stop() answers the requests in flight, refuses new ones and closes WebSockets with 1001") {
    std::atomic<int> entered = 0;
    std::atomic<bool> released = false;
    App app;
    app.threads(GENERATE(1u, 4u));
    app.get("/wait", [&](Context& c) -> Task<> {
        ++entered;
        boost::asio::steady_timer timer(c.executor());
        while (!released) {
            timer.expires_after(1ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        c.text("at last");
    });
    app.post("/", [](Context& c) { c.text(std::string(c.body())); });
    app.get("/socket", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (co_await socket.read()) {
        }
    });
    app.start("127.0.0.1:0");
    Client waiting(app.port()), pipelined(app.port()), sending(app.port()), socket(app.port());
    CHECK(socket.handshake("/socket").status == 101);
    waiting.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    pipelined.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(sending.request("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n").status ==
          100);
    REQUIRE(eventually([&] { return entered == 2; }));

    Background stopper([&] { app.stop(); });
    auto close = socket.read_frame();
    CHECK(close.opcode == test::close);
    CHECK(test::close_code(close.payload) == 1001);
    socket.send_frame(test::close, close.payload);
    CHECK(socket.ended());
    socket.close();
    CHECK(eventually([&] { return refuses_connections(app.port()); }));
    auto sent = sending.request("body");
    CHECK(sent.body == "body");
    CHECK(sent.field("connection") == "close");
    sending.close();
    released = true;
    for (Client* client : {&waiting, &pipelined}) {
        auto response = client->read_response();
        CHECK(response.status == 200);
        CHECK(response.body == "at last");
        CHECK(response.field("connection") == "close");
        CHECK(client->ended());
        client->close();
    }
}

TEST_CASE("stop() does not wait for clients that want nothing") {
    App app;
    app.threads(GENERATE(1u, 4u));
    app.get("/", hello);
    app.start("127.0.0.1:0");
    std::vector<Client> clients;
    for (int i = 0; i < 8; ++i) CHECK(clients.emplace_back(app.port()).get("/").body == "hello");
    auto begin = Clock::now();
    app.stop();
    CHECK(Clock::now() - begin < app.limits().drain_timeout / 2);
    for (Client& client : clients) CHECK(client.ended());
}

TEST_CASE("stop() lets a large response go out, and ends when it is out") {
    const std::string big(16 * 1024 * 1024, 'x');
    App app;
    app.get("/", [&](Context& c) { c.text(big); });
    app.start("127.0.0.1:0");
    Client client(app.port());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    client.read(1);
    auto begin = Clock::now();
    Background stopper([&] { app.stop(); });
    CHECK(eventually([&] { return refuses_connections(app.port()); }));
    CHECK(client.read_to_end().size() > big.size());
    client.close();
    stopper.thread.join();
    CHECK(Clock::now() - begin < app.limits().drain_timeout / 2);
    stopper.thread = std::thread([] {});
}

TEST_CASE("a handler that never ends is destroyed at the drain deadline, before stop() returns") {
    Limits limits;
    limits.drain_timeout = 200ms;
    std::atomic<int> entered = 0;
    std::atomic<bool> gone[4] = {};
    App app;
    app.limits(limits).threads(GENERATE(1u, 4u));
    app.get("/request", [&](Context& c) -> Task<> {
        Witness witness{gone[0]};
        ++entered;
        co_await wait_for_ever(c);
    });
    app.get(
        "/around",
        [&](Context&, kvolt::Next next) -> Task<> {
            Witness witness{gone[1]};
            co_await next();
        },
        [&](Context& c) -> Task<> {
            ++entered;
            co_await wait_for_ever(c);
        });
    app.get("/socket", [&](Context& c) -> Task<> {
        Witness witness{gone[2]};
        auto socket = co_await c.upgrade();
        ++entered;
        while (co_await socket.read()) {
        }
        co_await wait_for_ever(c);
    });
    app.get("/stubborn", [&](Context& c) -> Task<> {
        Witness witness{gone[3]};
        ++entered;
        for (;;) {
            boost::asio::steady_timer timer(c.executor(), 1ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
    });
    app.start("127.0.0.1:0");
    Client request(app.port()), around(app.port()), socket(app.port()), stubborn(app.port());
    request.send("GET /request HTTP/1.1\r\nHost: h\r\n\r\n");
    around.send("GET /around HTTP/1.1\r\nHost: h\r\n\r\n");
    stubborn.send("GET /stubborn HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(socket.handshake("/socket").status == 101);
    REQUIRE(eventually([&] { return entered == 4; }));
    auto begin = Clock::now();
    app.stop();
    CHECK(Clock::now() - begin >= limits.drain_timeout - 100ms);
    for (auto& flag : gone) CHECK(flag);
    CHECK(request.ended());
    CHECK(around.ended());
    CHECK(stubborn.ended());
    CHECK(test::close_code(socket.read_frame().payload) == 1001);
}

TEST_CASE("a port can be listened on again right after the end") {
    unsigned short port = 0;
    for (int i = 0; i < 5; ++i) {
        App app;
        app.get("/", hello);
        app.start("127.0.0.1:" + std::to_string(port));
        port = app.port();
        Client client(port), left(port);
        CHECK(client.get("/").body == "hello");
        CHECK(left.get("/", "Connection: close\r\n").body == "hello");
        left.close();
        client.close();
        app.stop();
    }
}

TEST_CASE("without file descriptors an idle connection makes way, and while there is none, newcomers wait") {
    App app;
    std::vector<std::string> log;
    Limits limits;
    limits.drain_timeout = 100ms;
    app.limits(limits).threads(GENERATE(1u, 4u)).logger([&](std::string_view line) { log.emplace_back(line); });
    app.get("/", hello);
    app.get("/socket", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (auto message = co_await socket.read()) socket.send(*message);
    });
    app.start("127.0.0.1:0");
    auto idle = std::make_unique<Client>(app.port());
    Client socket(app.port());
    CHECK(idle->get("/").body == "hello");
    CHECK(socket.handshake("/socket").status == 101);
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    int next = ::dup(0);
    ::close(next);
    rlimit only_one_more{static_cast<rlim_t>(next) + 1, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &only_one_more) == 0);
    Client first(app.port());
    CHECK(first.get("/").body == "hello");
    CHECK(idle->ended());
    idle.reset();  // whose descriptor is the next client's
    Client second(app.port());
    second.send(test::handshake_request("/socket"));
    CHECK(second.read_response().status == 101);
    CHECK(first.ended());
    first.close();
    Client third(app.port());
    third.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    bool accepted = third.readable(250ms);
    socket.send_frame(test::text, "hi");
    auto echo = socket.read_frame().payload;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_FALSE(accepted);
    CHECK(echo == "hi");
    CHECK(third.read_response().body == "hello");
    app.stop();
    CHECK(log.size() == 1);
    CHECK(log.front().find("ulimit -n") != std::string::npos);
}

TEST_CASE("stop() ends whatever is under way, within the time to drain") {
    std::atomic<int> alive = 0;
    struct Alive {
        explicit Alive(std::atomic<int>& of) : count(of) { ++count; }
        ~Alive() { --count; }
        std::atomic<int>& count;
    };
    App app;
    kvolt::Hub<> hub(app, kvolt::HubOptions().history(5));
    Limits limits;
    limits.drain_timeout = 300ms;
    app.threads(GENERATE(1u, 3u)).limits(limits);
    app.get("/", hello);
    app.post("/", [](Context& c) { c.text(std::string(c.body())); });
    app.get("/wait", [&](Context& c) -> Task<> {
        Alive here(alive);
        co_await wait_for_ever(c);
        co_await c.upgrade();
    });
    app.get("/stream", [&](Context& c) -> Task<> {
        Alive here(alive);
        auto stream = c.stream();
        while (co_await stream.write(std::string(10000, 's'))) {
        }
    });
    app.get("/backlog", [&](Context& c) -> Task<> {
        Alive here(alive);
        auto socket = co_await c.upgrade();
        while (socket.send(std::string(10000, 'b')) == kvolt::SendResult::queued) {
        }
        co_await socket.drained();
    });
    app.get("/close", [&](Context& c) -> Task<> {
        Alive here(alive);
        auto socket = co_await c.upgrade();
        socket.close(4000, "and never answered");
        co_await wait_for_ever(c);
    });
    app.get("/hub", [&](Context& c) -> Task<> {
        Alive here(alive);
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, {}, "lobby");
        while (auto message = co_await socket.read()) seat.broadcast(*message);
    });
    app.start("127.0.0.1:0");

    std::vector<Client> clients;
    auto client = [&]() -> Client& { return clients.emplace_back(app.port(), 4096); };
    client().send("GET / HTTP/1.1\r\nHo");
    client().send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    client().send(test::handshake_request("/wait"));
    client().send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    for (const char* path : {"/backlog", "/close", "/hub", "/hub", "/hub"})
        REQUIRE(client().handshake(path).status == 101);
    clients[clients.size() - 1].send(test::frame(test::text, "half a message").substr(0, 10));
    clients[clients.size() - 2].send(test::frame(test::text, "a fragment", false));
    REQUIRE(eventually([&] { return alive == 7 && hub.size() == 3; }));

    std::atomic<bool> over = false;
    {
        Background broadcasting([&] {
            for (std::uint64_t sent = 0; !over;)
                if (sent > hub.stats().messages + 100)
                    std::this_thread::yield();
                else
                    sent += hub.broadcast(std::string(1000, 'm'), "lobby") == kvolt::BroadcastResult::taken;
        });
        Background connecting([&, port = app.port()] {
            while (!over) try {
                    Client late(port);
                    late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
                    late.read_response();
                } catch (const std::runtime_error&) {  // refused, or closed
                }
        });
        REQUIRE(eventually([&] { return hub.stats().messages > 100; }));
        auto begin = Clock::now();
        app.stop();
        CHECK(Clock::now() - begin < 4s);
        CHECK(alive == 0);
        CHECK(hub.size() == 0);
        CHECK(hub.broadcast("too late") == kvolt::BroadcastResult::stopped);
        over = true;
    }
    for (Client& each : clients) CHECK_NOTHROW(each.read_to_end());
}
