#include "catch.hpp"
#include "client_of.hpp"
#include "server/client.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/middleware/timeout.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using kvolt::Context;
using kvolt::Task;
using TestClient = kvolt::testing::Client;
using kvolt::testing::Connection;
using test::client_of;
using test::frame;

/// Keeps handlers waiting until it is opened.
class Gate {
public:
    explicit Gate(kvolt::App& app) : timer_(app.executor(), boost::asio::steady_timer::time_point::max()) {}

    Task<> wait() {
        boost::system::error_code opened;
        co_await timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, opened));
    }
    void open() { timer_.cancel(); }

private:
    boost::asio::steady_timer timer_;
};

void echo_body(Context& c) { c.text(std::string(c.body())); }

/// The route `/ws` echoes, and tells how it ended.
struct Echo : kvolt::App {
    Echo() {
        get("/ws", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) socket.send(*message);
            endings.push_back(std::to_string(socket.close_code()) + ' ' + socket.close_reason());
        });
    }

    std::vector<std::string> endings;
};

/// A WebSocket, for bytes as they are.
Connection upgraded(TestClient& client) {
    Connection connection = client.connect();
    connection.send(test::handshake_request("/ws"));
    CHECK(connection.read_response().status() == 101);
    return connection;
}

}  // namespace

TEST_CASE("deadline: a body that is too slow is a 408, one that keeps up is not") {
    for (std::string framing : {"Content-Length: 1000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nF4240\r\n"}) {
        kvolt::App app;
        app.post("/", echo_body);
        TestClient client = client_of(app);
        const std::string head = "POST / HTTP/1.1\r\nHost: h\r\n" + framing;
        Connection stuck = client.connect(), dripping = client.connect(), steady = client.connect();
        for (Connection* connection : {&stuck, &dripping, &steady}) connection->send(head);
        for (int second = 1; second <= 50; ++second) {
            dripping.send("x");
            steady.send(std::string(20000, 'x'));
            client.advance(1s);
            for (Connection* connection : {&stuck, &dripping})
                if (second < 10) CHECK(connection->read_some() == "");
        }
        for (Connection* connection : {&stuck, &dripping}) {
            CHECK(connection->read_response().status() == 408);
            CHECK(connection->ended());
        }
        if (framing.starts_with("Transfer")) steady.send("\r\n0\r\n\r\n");
        CHECK(steady.read_response().body().size() == 1000000);
    }
}

TEST_CASE("deadline: the handler's own time does not count against a streamed body") {
    kvolt::App app;
    Gate gate(app);
    app.post("/", kvolt::stream_body, [&](Context& c) -> Task<> {
        co_await gate.wait();
        std::string all;
        while (auto part = co_await c.read_some()) all += *part;
        c.text(all);
    });
    TestClient client = client_of(app);
    Connection connection = client.connect();
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    client.advance(10min);
    CHECK(connection.read_some() == "");
    gate.open();
    CHECK(connection.read_response().status() == 100);
    client.advance(9s);
    connection.send("hello");
    CHECK(connection.read_response().body() == "hello");
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell");
    client.advance(10min);
    gate.open();
    client.advance(11s);
    CHECK(connection.read_response().status() == 408);
}

TEST_CASE("deadline: the time that a peer is waited for does, also if that is given up again and again") {
    using namespace boost::asio::experimental::awaitable_operators;
    kvolt::App app;
    Gate gate(app);
    app.post("/", kvolt::stream_body, [&](Context& c) -> Task<> {
        int status = 0;
        auto read = [&]() -> Task<> {
            try {
                while (co_await c.read_some()) {
                }
            } catch (const kvolt::HttpError& error) {
                status = error.status();
            }
        };
        while (status == 0) co_await (read() || gate.wait());
        c.status(status);
    });
    TestClient client = client_of(app);
    Connection connection = client.connect();
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell");
    for (int second = 0; second < 11; ++second) {
        CHECK(connection.read_some() == "");
        client.advance(1s);
        gate.open();
    }
    CHECK(connection.read_response().status() == 408);
}

TEST_CASE("deadline: a body has any time if it needs no pace, or if that is so far away") {
    for (bool no_rate : {true, false}) {
        kvolt::Limits limits;
        if (no_rate)
            limits.body_rate = 0;
        else
            limits.body_grace = kvolt::Limits::Duration::max();
        kvolt::App app;
        app.limits(limits);
        app.post("/", echo_body);
        TestClient client = client_of(app);
        Connection connection = client.connect();
        connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n" + std::string(50, 'x'));
        client.advance(1h);
        connection.send(std::string(50, 'x'));
        CHECK(connection.read_response().body() == std::string(100, 'x'));
    }
}

TEST_CASE("deadline: a connection without a request is closed after a while") {
    kvolt::App app;
    app.get("/", [](Context& c) { c.text("hi"); });
    TestClient client = client_of(app);
    Connection connection = client.connect();
    for (int i = 0; i < 3; ++i) {
        connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(connection.read_response().status() == 200);
        client.advance(app.limits().idle_timeout - 1s);
        CHECK_FALSE(connection.ended());
    }
    client.advance(2s);
    CHECK(connection.ended());
}

TEST_CASE("deadline: a connection that was busy with a slow download is idle only from the end of it") {
    const std::string big(2000 * 1000, 'x');
    kvolt::App app;
    app.get("/", [&](Context& c) { c.text(big); });
    TestClient client = client_of(app);
    Connection connection = client.connect();
    connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    std::string got;
    while (!got.ends_with(big)) {
        REQUIRE_FALSE(connection.ended());
        got += connection.read_some();
        client.advance(9s);  // 30 times or so
    }
    client.advance(app.limits().idle_timeout - 20s);  // the app had sent all one or two rounds before
    CHECK_FALSE(connection.ended());
    client.advance(21s);
    CHECK(connection.ended());
}

TEST_CASE("deadline: a handler may take its time, whatever the limits") {
    kvolt::App app;
    Gate gate(app);
    app.post("/", [&](Context& c) -> Task<> {
        co_await gate.wait();
        c.text("done");
    });
    TestClient client = client_of(app);
    Connection connection = client.connect();
    connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
    client.advance(1h);
    CHECK(connection.read_some() == "");
    gate.open();
    CHECK(connection.read_response().body() == "done");
}

TEST_CASE("deadline: unless it has a timeout, which leaves WebSockets and streams alone") {
    kvolt::App app;
    Gate gate(app);
    app.use(kvolt::middleware::timeout(30s));
    app.get("/slow", [&](Context&) -> Task<> { co_await gate.wait(); });
    app.get("/stream", [&](Context& c) -> Task<> {
        auto stream = c.stream("text/plain");
        co_await stream.write("begun");
        co_await gate.wait();
        co_await stream.write(" and done");
    });
    app.get("/ws", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (auto message = co_await socket.read()) socket.send(*message);
    });
    TestClient client = client_of(app);
    auto socket = client.websocket("/ws").connect();
    auto stream = client.get("/stream").open();
    Connection slow = client.connect();
    slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
    client.advance(29s);
    CHECK(slow.read_some() == "");
    client.advance(2s);
    CHECK_FALSE(slow.ended());
    client.advance(10min);
    gate.open();
    CHECK(stream.read() == "begun");
    CHECK(stream.read() == " and done");
    socket.send("still here");
    CHECK(socket.read_text() == "still here");
}

TEST_CASE("deadline: a client that takes nothing is cut off, one that takes something now and then is not") {
    const std::string big(1000 * 1000, 'x');
    for (std::string wish : {"", "Connection: close\r\n"}) {
        kvolt::App app;
        app.get("/", [&](Context& c) { c.text(big); });
        TestClient client = client_of(app);
        Connection stuck = client.connect(), slow = client.connect();
        for (Connection* connection : {&stuck, &slow})
            connection->send("GET / HTTP/1.1\r\nHost: h\r\n" + wish + "\r\n");
        std::string got;
        for (int i = 0; i < 20; ++i) {
            client.advance(9s);
            got += slow.read_some();
        }
        CHECK(got.ends_with("\r\n\r\n" + big));
        CHECK(stuck.ended());
    }
}

TEST_CASE("deadline: a stream of events that says nothing is kept open by comments") {
    kvolt::App app;
    Gate gate(app);
    app.get("/", [&](Context& c) -> Task<> {
        auto events = c.events();
        co_await gate.wait();
        co_await events.send("done");
    });
    TestClient client = client_of(app);
    auto events = client.get("/").open();
    for (int i = 0; i < 3; ++i) {
        client.advance(app.limits().ping_interval + 1s);
        CHECK(events.read() == ":\n\n");
    }
    gate.open();
    CHECK(events.read_event()->data == "done");
}

TEST_CASE("deadline: no comment comes in the middle of a large event") {
    kvolt::App app;
    app.get("/", [&](Context& c) -> Task<> {
        auto events = c.events();
        boost::asio::post(app.executor(), [&] {  // runs between two pieces of the event
            kvolt::detail::Loop::current()->move_clock(app.limits().ping_interval + 1s);
        });
        co_await events.send(std::string(300000, 'x'));
        co_await events.send("done");
    });
    TestClient client = client_of(app);
    client.socket_buffer(1024 * 1024);
    auto events = client.get("/").open();
    CHECK(events.read_event()->data == std::string(300000, 'x'));
    CHECK(events.read_event()->data == "done");
}

TEST_CASE("deadline: message_timeout, whatever of the message has come") {
    const std::string whole = frame(test::text, std::string(1000, 'x'));
    const std::vector<std::string> beginnings = {whole.substr(0, 500), whole.substr(0, 8),
                                                 frame(test::text, "a", false), frame(test::text, "", false),
                                                 whole + frame(test::text, "", false)};
    Echo app;
    TestClient client = client_of(app);
    std::vector<Connection> connections;
    for (const std::string& bytes : beginnings) {
        connections.push_back(upgraded(client));
        connections.back().send(bytes);
    }
    client.advance(29s);
    for (Connection& connection : connections) CHECK(connection.read_some().find('\x88') == std::string::npos);
    client.advance(2s);
    for (Connection& connection : connections)
        CHECK(connection.read_some().ends_with("\x88\x17\x03\xf0message took too long"));
    CHECK(app.endings == std::vector<std::string>(beginnings.size(), "1008 message took too long"));
}

TEST_CASE("deadline: message_timeout is no limit on how long a connection talks") {
    Echo app;
    TestClient client = client_of(app);
    Connection connection = upgraded(client);
    for (int i = 0; i < 100; ++i) {
        connection.send(frame(test::text, "a", false));
        client.advance(1s);
        connection.send(frame(test::continuation, "b"));
        REQUIRE(connection.read_some().ends_with(frame(test::text, "ab", true, false)));  // behind a ping, if any
    }
}

TEST_CASE("deadline: message_timeout is none for one who only pings, however the frames are cut") {
    Echo app;
    TestClient client = client_of(app);
    Connection connection = upgraded(client);
    const std::string ping = frame(test::ping, "p");
    connection.send(ping.substr(0, 3));
    for (int i = 0; i < 100; ++i) {
        client.advance(1s);
        connection.send(ping.substr(3) + ping.substr(0, 3));
        REQUIRE(connection.read_some().find("\x88") == std::string::npos);
    }
    CHECK(app.endings.empty());
}

TEST_CASE("deadline: a silent peer is pinged, and is dead if it stays silent") {
    Echo app;
    TestClient client = client_of(app);
    Connection silent = upgraded(client);
    auto answering = client.websocket("/ws").connect();
    client.advance(24s);
    CHECK(silent.read_some() == "");
    client.advance(2s);
    CHECK(silent.read_some().starts_with("\x89"));
    client.advance(33s);
    CHECK(silent.read_some().find('\x88') == std::string::npos);  // a close frame
    CHECK_FALSE(silent.ended());
    client.advance(2s);
    CHECK(silent.ended());  // without a close frame
    CHECK(app.endings == std::vector<std::string>{"1006 "});
    client.advance(10min);
    answering.send("alive");
    CHECK(answering.read_text() == "alive");
}

TEST_CASE("deadline: silence_timeout holds whatever ping_interval is") {
    kvolt::Limits limits;
    limits.silence_timeout = 3s;
    Echo app;
    app.limits(limits);
    TestClient client = client_of(app);
    Connection connection = upgraded(client);
    client.advance(4s);
    CHECK(connection.ended());
    CHECK(app.endings == std::vector<std::string>{"1006 "});
}

TEST_CASE("deadline: a peer that does not answer a close is cut off, whatever it sends") {
    kvolt::App app;
    app.get("/ws", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.close(4000, "bye");
    });
    TestClient client = client_of(app);
    Connection silent = upgraded(client), talking = upgraded(client);
    for (int i = 0; i < 6; ++i) {
        for (Connection* connection : {&silent, &talking}) CHECK_FALSE(connection->ended());
        client.advance(1s);
        talking.send(frame(test::text, "still talking"));
        for (Connection* connection : {&silent, &talking}) connection->read_some();
    }
    for (Connection* connection : {&silent, &talking}) CHECK(connection->ended());
}
