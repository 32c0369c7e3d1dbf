#include "catch.hpp"
#include "client_of.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/error.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/middleware/timeout.hpp>
#include <kvolt/upgrade_options.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using boost::asio::use_awaitable;
using kvolt::Context;
using kvolt::HubOptions;
using kvolt::Limits;
using kvolt::Message;
using kvolt::MessageView;
using kvolt::SlowPolicy;
using kvolt::Task;
using TestClient = kvolt::testing::Client;
using kvolt::testing::Connection;
using test::client_of;

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

/// What the exception says that `function` throws.
std::string failure(const std::function<void()>& function) {
    try {
        function();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "no exception";
}

Task<> never(Context& c) {
    boost::asio::steady_timer timer(c.executor(), boost::asio::steady_timer::time_point::max());
    co_await timer.async_wait(use_awaitable);
}

Task<> echo(Context& c) {
    static const auto options = kvolt::UpgradeOptions().protocols({"one", "two"});
    auto socket = co_await c.upgrade(options);
    while (auto message = co_await socket.read()) socket.send(*message);
}

}  // namespace

TEST_CASE("kit: the example of the README") {
    kvolt::App app;
    kvolt::Hub<> hub(app);
    app.get("/users/:id", [](kvolt::Context& c) { c.text("user " + std::string(c.param("id"))); });
    app.get("/ws", [&](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        while (auto message = co_await socket.read()) hub.broadcast(*message);
    });

    TestClient client = client_of(app);
    auto response = client.get("/users/7").header("Accept", "text/plain").send();
    CHECK(response.status() == 200);
    CHECK(response.body() == "user 7");

    auto ann = client.websocket("/ws").connect(), bob = client.websocket("/ws").connect();
    ann.send("hi");
    CHECK(bob.read_text() == "hi");
    client.advance(std::chrono::minutes(5));
    CHECK(bob.close_code() == 0);
}

TEST_CASE("kit: requests of every kind, and what the handler sees of them") {
    kvolt::App app;
    app.any("/all/*rest", [](Context& c) {
        c.header("X-Host", c.host())
            .text(std::string(c.method()) + ' ' + std::string(c.target()) + ' ' + std::string(c.header("X-One")) +
                  std::string(c.header("Content-Type")) + ' ' + std::string(c.header("Content-Length")) + ' ' +
                  std::string(c.body()));
    });
    app.get("/cookies", [](Context& c) {
        c.response().add_header("Set-Cookie", "a=1");
        c.response().add_header("Set-Cookie", "b=2");
        c.status(202);
    });
    app.get("/from", [](Context& c) { c.text(c.remote_address()); });
    TestClient client = client_of(app);

    auto response = client.get("/all/x?a=1").header("X-One", "1").send();
    CHECK(response.status() == 200);
    CHECK(response.body() == "GET /all/x?a=1 1  ");
    CHECK(response.header("x-host") == "localhost");
    CHECK(response.header("x-none") == "");
    CHECK(client.post("/all/").body("{}", "application/json").send().body() == "POST /all/ application/json 2 {}");
    CHECK(client.put("/all/").body("").send().body() == "PUT /all/  0 ");
    CHECK(client.patch("/all/").send().body() == "PATCH /all/   ");
    CHECK(client.del("/all/").send().body() == "DELETE /all/   ");
    CHECK(client.options("/all/").send().body() == "OPTIONS /all/   ");
    CHECK(client.request("BREW", "/all/").send().body() == "BREW /all/   ");
    CHECK(client.get("/all/").header("Host", "kvolt.dev").send().header("X-Host") == "kvolt.dev");
    auto head = client.head("/all/").send();
    CHECK(head.header("Content-Length") == "13");
    CHECK(head.body() == "");

    auto cookies = client.get("/cookies").send();
    CHECK(cookies.status() == 202);
    std::vector<std::string> values;
    for (const auto& [name, value] : cookies.fields())
        if (name == "Set-Cookie") values.push_back(value);
    CHECK(values == std::vector<std::string>{"a=1", "b=2"});

    CHECK(client.get("/from").send().body() == "127.0.0.1:50000");
    client.address("[2001:db8::1]:4000");
    CHECK(client.get("/from").send().body() == "[2001:db8::1]:4000");
    CHECK_THROWS_AS(client.address("localhost"), std::invalid_argument);
    auto request = client.get("/from");
    CHECK(request.send().body() == request.send().body());
    CHECK(client.get("/nowhere").send().status() == 404);
    CHECK(client.post("/from").send().status() == 405);
    CHECK(client.post("/all/").body(std::string(Limits().body_size + 1, 'x')).send().status() == 413);
    CHECK(client.post("/all/").header("Expect", "100-continue").body("x").send().status() == 200);
}

TEST_CASE("kit: connections are kept, and replaced where the server closes them") {
    std::size_t connections = 0;
    kvolt::App app;
    app.get("/", [&](Context& c) {
        connections = app.loops()->front()->load().connections;
        c.text("hi");
    });
    TestClient client = client_of(app);
    for (int i = 0; i < 3; ++i) CHECK(client.get("/").send().status() == 200);
    CHECK(connections == 1);
    CHECK(client.get("/").header("Connection", "close").send().header("Connection") == "close");
    client.settle();
    CHECK(app.loops()->front()->load().connections == 0);
    CHECK(client.get("/").send().status() == 200);
    client.advance(app.limits().idle_timeout + 1s);
    CHECK(app.loops()->front()->load().connections == 0);
    CHECK(client.get("/").send().status() == 200);
}

TEST_CASE("kit: errors of handlers are the app's to answer, and are logged") {
    std::vector<std::string> log;
    kvolt::App app;
    app.logger([&](std::string_view line) { log.emplace_back(line); });
    app.use([](Context& c) {
        if (c.header("Authorization").empty()) throw kvolt::HttpError(401, "who?");
    });
    app.get("/fail", [](Context&) { throw std::runtime_error("secret"); });
    TestClient client = client_of(app);
    CHECK(client.get("/fail").send().status() == 401);
    auto response = client.get("/fail").header("Authorization", "me").send();
    CHECK(response.status() == 500);
    CHECK(response.body() == R"({"error":"Internal Server Error"})");
    CHECK(log == std::vector<std::string>{"kvolt: GET /fail: secret"});
    CHECK(client.websocket("/nowhere").refusal().status() == 401);
}

TEST_CASE("kit: a handler may wait for real time and for threads of its own") {
    kvolt::App app;
    boost::asio::thread_pool pool(1);  // lets go of the app's loop a little later
    app.get("/timer", [](Context& c) -> Task<> {
        boost::asio::steady_timer timer(c.executor(), 1ms);
        co_await timer.async_wait(use_awaitable);
        c.text("later");
    });
    app.get("/thread", [&](Context& c) -> Task<> {
        co_await boost::asio::post(pool, use_awaitable);
        c.text("by way of a thread");
    });
    TestClient client = client_of(app);
    CHECK(client.get("/timer").send().body() == "later");
    CHECK(client.get("/thread").send().body() == "by way of a thread");
}

TEST_CASE("kit: what does not come is an exception that says why, and the client goes on") {
    kvolt::App app;
    app.logger([](std::string_view) {});
    app.get("/never", never);
    app.get("/cut", [](Context& c) -> Task<> {
        auto stream = c.stream("text/plain");
        co_await stream.write("half");
        throw std::runtime_error("cut");
    });
    app.get("/fine", [](Context& c) { c.text("fine"); });
    app.get("/ws", echo);
    TestClient client = client_of(app);
    client.patience(10ms);
    auto why = failure([&] { client.get("/never").send(); });
    CHECK(why ==
          "kvolt: GET /never: no response: not within the client's patience; deadlines are moved by advance() alone");
    CHECK(client.get("/fine").send().body() == "fine");
    CHECK(has(failure([&] { client.get("/cut").send(); }), "kvolt: GET /cut: no response: the server closed"));
    CHECK(client.get("/fine").send().body() == "fine");

    auto socket = client.websocket("/ws").connect();
    CHECK(has(failure([&] { socket.read(); }), "kvolt: no message: "));
    socket.send(MessageView::bytes("x"));
    CHECK(has(failure([&] { socket.read_text(); }), "not a text"));
    CHECK(has(failure([&] { client.websocket("/fine").connect(); }), "GET /fine: no WebSocket but 200 fine"));
    CHECK(has(failure([&] { client.websocket("/ws").refusal(); }), "no refusal but a WebSocket"));

    auto connection = client.connect();
    connection.send("GET /fine HTTP/1.1\r\nHost: h\r\n");
    connection.half_close();
    CHECK(has(failure([&] { connection.read_response(); }), "the server closed the connection"));
    CHECK(connection.ended());
}

TEST_CASE("kit: with nothing left to run, nobody waits") {
    kvolt::App app;
    TestClient client = client_of(app);
    auto connection = client.connect();
    CHECK(failure([&] { connection.read(1); }) == "kvolt: no bytes: nothing is left to run");
}

TEST_CASE("kit: handlers that never come to rest are told of") {
    kvolt::App app;
    app.get("/", [](Context& c) -> Task<> {
        for (;;) co_await boost::asio::post(c.executor(), use_awaitable);
    });
    app.logger([](std::string_view) {});
    TestClient client = client_of(app);
    client.patience(10ms);
    CHECK(has(failure([&] { client.get("/").send(); }), "no response"));
    CHECK(failure([&] { client.settle(); }) == "kvolt: the handlers do not come to rest");
}

TEST_CASE("kit: what leaves a function on the loop comes out where the test runs it") {
    kvolt::App app;
    app.get("/", [](Context& c) { c.text("hi"); });
    TestClient client = client_of(app);
    auto post_throw = [&] {
        boost::asio::post(app.executor(), [] { throw std::invalid_argument("from a function"); });
    };
    post_throw();
    CHECK_THROWS_AS(client.settle(), std::invalid_argument);
    post_throw();
    CHECK_THROWS_AS(client.get("/").send(), std::invalid_argument);
    CHECK(client.get("/").send().body() == "hi");
}

TEST_CASE("kit: a client starts the app, once, and its end is the end of the app") {
    auto left = std::make_shared<int>();
    kvolt::App app;
    app.get("/never", [left](Context& c) -> Task<> {
        auto held = left;
        co_await never(c);
    });
    app.get("/", [](Context&) {});
    std::optional<Connection> connection;
    {
        TestClient first = client_of(app), client = std::move(first);
        CHECK_THROWS_AS(client_of(app), std::logic_error);
        CHECK_THROWS_AS(app.get("/late", [](Context&) {}), std::logic_error);
        connection = client.connect();
        connection->send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(connection->read_some() == "");
        CHECK(left.use_count() == 3);
    }
    CHECK(left.use_count() == 2);
    CHECK(has(failure([&] { connection->read(1); }), "kvolt: no bytes: "));
    app.stop();
    CHECK(app.loops()->front()->load().connections == 0);
}

TEST_CASE("kit: streams are read part by part, and slow down the handler") {
    std::size_t written = 0;
    kvolt::App app;
    app.get("/rows", [](Context& c) -> Task<> {
        auto stream = c.stream("text/csv");
        for (std::string row : {"a\n", "b\n", "c\n"}) co_await stream.write(row);
    });
    app.get("/endless", [&](Context& c) -> Task<> {
        auto stream = c.stream("text/plain");
        while (co_await stream.write(std::string(1000, 'x'))) written += 1000;
        written = 0;
    });
    app.get("/big", [](Context& c) { c.text(std::string(16 * 1024 * 1024, 'x')); });
    TestClient client = client_of(app);
    CHECK(client.get("/rows").send().body() == "a\nb\nc\n");
    CHECK(client.get("/big").send().body().size() == 16 * 1024 * 1024);

    client.socket_buffer(10000);
    auto stream = client.get("/endless").open();
    CHECK(stream.status() == 200);
    CHECK(stream.header("Content-Type") == "text/plain");
    client.settle();
    auto before = written;
    CHECK(before > 10000);
    CHECK(before < 200000);
    client.settle();
    CHECK(written == before);
    for (std::size_t size = 0; size < 200000;) size += stream.read()->size();
    CHECK(written > before);
    stream.close();
    client.settle();
    CHECK(written == 0);

    auto rows = client.get("/rows").open();
    std::string all;
    while (auto part = rows.read()) all += *part;
    CHECK(all == "a\nb\nc\n");
    CHECK_FALSE(rows.read());
}

TEST_CASE("kit: server-sent events") {
    kvolt::App app;
    app.get("/events", [](Context& c) -> Task<> {
        auto events = c.events();
        co_await events.send(kvolt::Event("one\ntwo").name("numbers").id("7"));
        boost::asio::steady_timer timer(c.executor(), 1ms);
        co_await timer.async_wait(use_awaitable);
        co_await events.send("after " + std::string(events.last_id()));
        if (c.query("stay") == "1") co_await never(c);
    });
    TestClient client = client_of(app);
    auto events = client.get("/events").header("Last-Event-ID", "6").open();
    auto event = events.read_event();
    REQUIRE(event);
    CHECK(event->name == "numbers");
    CHECK(event->data == "one\ntwo");
    CHECK(event->id == "7");
    event = events.read_event();
    REQUIRE(event);
    CHECK(event->name == "");
    CHECK(event->data == "after 6");
    CHECK_FALSE(events.read_event());

    auto kept = client.get("/events?stay=1").open();
    CHECK(kept.read_event());
    CHECK(kept.read_event());
    client.advance(app.limits().ping_interval + 1s);
    CHECK(kept.read() == ":\n\n");
}

TEST_CASE("kit: the clock moves deadlines, and nothing else does") {
    kvolt::App app;
    app.post("/", [](Context& c) { c.text(std::string(c.body())); });
    app.get("/slow", kvolt::middleware::timeout(1min), never);
    TestClient client = client_of(app);

    auto head = client.connect(), body = client.connect(), silent = client.connect();
    head.send("POST / HT");
    body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    client.advance(9s);
    for (auto* connection : {&head, &body, &silent}) {
        CHECK(connection->read_some() == "");
        CHECK_FALSE(connection->ended());
    }
    client.advance(2s);
    for (auto* connection : {&head, &body}) {
        CHECK(connection->read_response().status() == 408);
        CHECK(connection->ended());
    }
    CHECK(silent.ended());

    auto slow = client.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    client.advance(59s);
    CHECK(slow.read_some() == "");
    client.advance(2s);
    CHECK(slow.read_response().status() == 503);
}

TEST_CASE("kit: WebSockets speak both ways, text and binary, of any size") {
    kvolt::App app;
    Limits limits;
    limits.message_size = 1024 * 1024;
    app.limits(limits);
    app.get("/ws", echo);
    TestClient client = client_of(app);
    auto socket = client.websocket("/ws").protocol("zero").protocol("two").connect();
    CHECK(socket.response().status() == 101);
    CHECK(socket.protocol() == "two");
    for (std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 1024u * 1024u})
        for (bool binary : {false, true}) {
            std::string payload(size, binary ? '\xFF' : 'x');
            socket.send(binary ? MessageView::bytes(payload) : MessageView(payload));
            auto message = socket.read();
            REQUIRE(message);
            CHECK(message->binary == binary);
            CHECK((message->payload == payload));
        }
    socket.send("1");
    socket.send("2");
    CHECK(socket.waiting() == 2);
    CHECK(socket.read_text() == "1");
    CHECK(socket.waiting() == 1);
    CHECK(client.websocket("/ws").header("Origin", "http://evil.example").refusal().status() == 403);
}

TEST_CASE("kit: how a WebSocket ends, on both sides") {
    std::vector<std::string> endings;
    kvolt::App app;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (auto message = co_await socket.read())
            if (message->payload == "close") socket.close(4000, "as you wish");
        endings.push_back(std::to_string(socket.close_code()) + socket.close_reason());
    });
    app.get("/throws", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        throw std::runtime_error("secret");
    });
    app.logger([](std::string_view) {});
    TestClient client = client_of(app);
    auto told = client.websocket("/ws").connect();
    told.send("close");
    CHECK_FALSE(told.read());
    CHECK(told.close_code() == 4000);
    CHECK(told.close_reason() == "as you wish");
    CHECK(has(failure([&] { told.read_text(); }), "closed with 4000 as you wish"));
    auto closing = client.websocket("/ws").connect();
    closing.close(4001, "bye");
    closing.send("too late");
    CHECK_FALSE(closing.read());
    CHECK(closing.close_code() == 4001);
    auto bare = client.websocket("/ws").connect();
    bare.close(kvolt::close_code::no_status);
    CHECK_FALSE(bare.read());
    auto lost = client.websocket("/ws").connect();
    lost.reset();
    CHECK_FALSE(lost.read());
    CHECK(lost.close_code() == 1006);
    { auto gone = client.websocket("/ws").connect(); }
    client.settle();
    CHECK(endings == std::vector<std::string>{"4000as you wish", "4001bye", "1005", "1006", "1006"});
    CHECK(client.websocket("/throws").connect().close_code() == 1011);
    CHECK(app.loops()->front()->load().connections == 0);
}

TEST_CASE("kit: a WebSocket that answers pings lives on, a paused one is dead") {
    kvolt::App app;
    app.get("/ws", echo);
    TestClient client = client_of(app);
    auto alive = client.websocket("/ws").connect(), dead = client.websocket("/ws").connect();
    dead.pause();
    client.advance(1h);
    alive.send("still here");
    CHECK(alive.read_text() == "still here");
    CHECK_THROWS_AS(dead.read(), std::runtime_error);
    dead.resume();
    CHECK_FALSE(dead.read());
    CHECK(dead.close_code() == 1006);
}

TEST_CASE("kit: all members of a hub see one order") {
    kvolt::App app;
    kvolt::Hub<std::string> hub(app);
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket, std::string(c.query("name")), c.query("room"));
        while (auto message = co_await socket.read())
            hub.broadcast(seat.member() + ": " + message->payload, seat.room());
    });
    TestClient client = client_of(app);
    auto ann = client.websocket("/ws?name=ann&room=red").connect(),
         bob = client.websocket("/ws?name=bob&room=red").connect(),
         cid = client.websocket("/ws?name=cid&room=blue").connect();
    CHECK(hub.size() == 3);
    for (int i = 0; i < 100; ++i) {
        ann.send(std::to_string(i));
        bob.send(std::to_string(i));
    }
    hub.broadcast("to everyone");
    std::string last;
    for (int i = 0; i < 201; ++i) {
        last = ann.read_text();
        CHECK(bob.read_text() == last);
    }
    CHECK(cid.read_text() == "to everyone");
    CHECK(cid.waiting() == 0);
    std::thread([&] { hub.broadcast("from a thread", "blue"); }).join();
    CHECK(cid.read_text() == "from a thread");
    CHECK(ann.waiting() == 0);
    { auto leaving = std::move(bob); }
    client.settle();
    CHECK(hub.size() == 2);
}

TEST_CASE("kit: a member that stops reading is dealt with by the hub's policy") {
    HubOptions options;
    auto policy = GENERATE(SlowPolicy::disconnect, SlowPolicy::drop_oldest);
    kvolt::App app;
    kvolt::Hub<> hub(app, options.slow(policy).backlog(10000, 5));
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        while (co_await socket.read()) {
        }
    });
    TestClient client = client_of(app);
    client.socket_buffer(1000);
    auto fast = client.websocket("/ws").connect(), slow = client.websocket("/ws").connect();
    slow.pause();
    for (int i = 0; i < 100; ++i) {
        hub.broadcast(std::to_string(i) + std::string(100, ' '));
        CHECK(std::stoi(fast.read_text()) == i);
    }
    slow.resume();
    std::vector<int> got;
    if (policy == SlowPolicy::disconnect) {
        while (auto message = slow.read()) got.push_back(std::stoi(message->payload));
        CHECK(slow.close_code() == 1013);
        CHECK(hub.stats().disconnected == 1);
        client.settle();
        CHECK(hub.size() == 1);
    } else {
        while (slow.waiting() > 0) got.push_back(std::stoi(slow.read_text()));
        CHECK(got.back() == 99);
        CHECK(hub.stats().dropped == 100 - got.size());
    }
    CHECK(got.size() < 20);
    CHECK(got.front() == 0);
}

TEST_CASE("kit: stopping an app drains it") {
    kvolt::App app;
    std::vector<std::string> endings;
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (co_await socket.read()) {
        }
        endings.push_back(std::to_string(socket.close_code()));
    });
    app.get("/stop", [&](Context& c) {
        app.stop();
        c.text("stopping");
    });
    app.get("/slow", [](Context& c) -> Task<> {
        boost::asio::steady_timer timer(c.executor(), 5ms);
        co_await timer.async_wait(use_awaitable);
        c.text("done");
    });
    app.get("/never", never);
    TestClient client = client_of(app);
    auto socket = client.websocket("/ws").connect();
    auto slow = client.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    client.settle();
    SECTION("by the test") {
        app.stop();
        CHECK(slow.read_response().body() == "done");
    }
    SECTION("by a handler") {
        CHECK(client.get("/stop").send().body() == "stopping");
        CHECK(slow.read_response().body() == "done");
    }
    SECTION("with a handler that does not end") {
        CHECK(slow.read_response().body() == "done");
        Connection stuck = client.connect();
        stuck.send("GET /never HTTP/1.1\r\nHost: h\r\n\r\n");
        client.patience(10ms);
        app.stop();
        CHECK(stuck.ended());
    }
    CHECK_FALSE(socket.read());
    CHECK(socket.close_code() == 1001);
    CHECK(endings == std::vector<std::string>{"1001"});
    CHECK(has(failure([&] { client.get("/slow").send(); }), "the app has stopped"));
}

TEST_CASE("kit: a hub that goes before its app ends the clients' server") {
    kvolt::App app;
    auto hub = std::make_unique<kvolt::Hub<>>(app);
    app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub->join(socket);
        while (co_await socket.read()) {
        }
    });
    TestClient client = client_of(app);
    auto socket = client.websocket("/ws").connect();
    hub.reset();
    CHECK(socket.close_code() == 1001);
}
