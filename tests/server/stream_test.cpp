#include "catch.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "websocket_server.hpp"
#include <kvolt.hpp>
#include <kvolt/body_encoder.hpp>
#include <kvolt/middleware/body_limit.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using kvolt::Context;
using kvolt::Limits;
using kvolt::Task;
using test::Client;
using test::Server;
using namespace std::chrono_literals;

namespace {

using test::mebibyte;

Task<> pause(Context& c, std::chrono::milliseconds time) {
    boost::asio::steady_timer timer(c.executor(), time);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

// The sum of a body's bytes, each times its place, as text: it tells whether all came, once and in order.
struct Sum {
    void add(std::string_view part) {
        for (char byte : part) value += ++count * static_cast<unsigned char>(byte);
    }
    std::string text() const { return std::to_string(count) + ' ' + std::to_string(value); }

    std::uint64_t count = 0, value = 0;
};

std::string sum_of(std::string_view body) {
    Sum sum;
    sum.add(body);
    return sum.text();
}

std::string numbers_up_to(std::size_t size) {
    std::string text;
    for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + ' ';
    text.resize(size);
    return text;
}

std::string chunk(std::string_view part) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", part.size());
    return size + std::string(part) + "\r\n";
}

const std::string post_head = "POST /sum HTTP/1.1\r\nHost: h\r\n";

Task<> answer_sum(Context& c) {
    Sum sum;
    while (auto part = co_await c.read_some()) sum.add(*part);
    c.text(sum.text());
}

struct SumServer : Server {
    explicit SumServer(const Limits& limits = {}, std::size_t threads = 1) : Server(limits, threads) {
        app.post("/sum", kvolt::stream_body, answer_sum);
        app.post("/whole", answer_sum);
        app.get("/now", [](Context& c) { c.text("now"); });
    }
};

}  // namespace

// Requests

TEST_CASE("stream: a body of any size, of a known length or in chunks, is read part by part") {
    SumServer server({}, GENERATE(1u, 4u));
    server.start();
    auto client = server.client();
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100000}, 8 * mebibyte}) {
        const std::string body = numbers_up_to(size);
        CHECK(client.post("/sum", body).body == sum_of(body));
        client.send(post_head + "Transfer-Encoding: chunked\r\n\r\n");
        for (std::string_view rest = body; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 50001)))
            client.send(chunk(rest.substr(0, 50001)));
        client.send("0\r\nTrailer: x\r\n\r\n");
        CHECK(client.read_response().body == sum_of(body));
        CHECK(client.get("/now").body == "now");
    }
}

TEST_CASE("stream: read_some() on other routes gives the whole body, once") {
    SumServer server;
    server.start();
    auto client = server.client();
    CHECK(client.post("/whole", "").body == sum_of(""));
    CHECK(client.post("/whole", numbers_up_to(100000)).body == sum_of(numbers_up_to(100000)));
    CHECK(client.post("/whole", numbers_up_to(2 * mebibyte)).status == 413);
}

TEST_CASE("stream: a body may come byte by byte, and be followed by other requests") {
    SumServer server;
    server.start();
    auto client = server.client();
    const std::string one = post_head + "Content-Length: 5\r\n\r\nhello",
                      two = post_head + "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n",
                      get = "GET /now HTTP/1.1\r\nHost: h\r\n\r\n";
    for (char byte : one + two) client.send({&byte, 1});
    client.send(one + get + two + get + two);
    for (std::string body : {"sum", "sum", "sum", "now", "sum", "now", "sum"})
        CHECK(client.read_response().body == (body == "sum" ? sum_of("hello") : body));
}

TEST_CASE("stream: the body is asked for only when the handler wants it") {
    Server server;
    server.app.post(
        "/guarded", kvolt::stream_body,
        [](Context& c) {
            if (c.header("Authorization").empty()) throw kvolt::HttpError(401, "who are you?");
        },
        answer_sum);
    server.start();
    const std::string expecting = "POST /guarded HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n";
    auto refused = server.client();
    auto answer = refused.request(expecting + "\r\n");
    CHECK(answer.status == 401);
    CHECK(answer.field("connection") == "close");
    refused.half_close();
    CHECK(refused.ended());
    auto welcome = server.client();
    CHECK(welcome.request(expecting + "Authorization: me\r\n\r\n").status == 100);
    welcome.send("hello");
    CHECK(welcome.read_response().body == sum_of("hello"));
}

TEST_CASE("stream: a handler that does not want the rest answers at once, and the connection ends") {
    Server server({}, GENERATE(1u, 4u));
    server.app.post("/enough", kvolt::stream_body, [](Context& c) -> Task<> {
        auto part = co_await c.read_some();
        c.text(part ? "enough" : "nothing");
    });
    server.app.post("/never", kvolt::stream_body, [](Context& c) { c.text("never"); });
    server.start();
    for (std::string path : {"/enough", "/never"}) {
        auto client = server.client();
        client.send("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" +
                    std::string(1000, 'x'));
        auto answer = client.read_response();
        CHECK(answer.body == path.substr(1));
        CHECK(answer.field("connection") == "close");
        client.half_close();
        CHECK(client.ended());
        // A rest that has come already is passed over.
        auto small = server.client();
        for (int i = 0; i < 3; ++i) CHECK(small.post(path, "all of it").body == path.substr(1));
    }
}

TEST_CASE("stream: a handler that does not read slows the peer down, without hoarding") {
    std::atomic<bool> go = false;
    Server server;
    server.app.post("/late", kvolt::stream_body, [&](Context& c) -> Task<> {
        while (!go) co_await pause(c, 5ms);
        co_await answer_sum(c);
    });
    server.start();
    const std::size_t size = 64 * mebibyte;
    const std::string filler(mebibyte, 'x');
    auto before = test::resident_bytes();
    auto client = server.client();
    client.send("POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    std::size_t sent = 0;
    while (std::size_t some = client.send_some(std::string_view(filler).substr(0, size - sent), 200)) sent += some;
    CHECK(sent < size);
    if (!test::sanitized) CHECK(test::resident_bytes() < before + 4 * mebibyte);
    go = true;
    for (; sent < size; sent += std::min(filler.size(), size - sent))
        client.send(std::string_view(filler).substr(0, size - sent));
    CHECK(client.read_response().body == sum_of(std::string(size, 'x')));
}

TEST_CASE("stream: a body that is broken or breaks off is an error for the handler") {
    test::Reports<std::string> reports;
    Server server({}, GENERATE(1u, 4u));
    server.app.post("/sum", kvolt::stream_body, [&](Context& c) -> Task<> {
        try {
            co_await answer_sum(c);
        } catch (const kvolt::HttpError& error) {
            reports.add(std::to_string(error.status()) + ' ' + error.what());
            throw;
        }
    });
    server.start();
    auto broken = server.client();
    CHECK(broken.request(post_head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n").status == 400);
    CHECK(reports.next() == "400 Bad Request");
    for (bool reset : {false, true}) {
        auto gone = server.client();
        gone.send(post_head + "Content-Length: 5\r\n\r\nhell");
        reset ? gone.reset() : gone.close();
        CHECK(reports.next() == "400 the request's body is incomplete");
    }
    auto half = server.client();
    half.send(post_head + "Content-Length: 5\r\n\r\nhell");
    half.half_close();
    CHECK(half.read_response().status == 400);
    CHECK(half.ended());
    CHECK(server.log.empty());
}

TEST_CASE("stream: a body has the limit that middleware sets for it") {
    Server server;
    server.app.post("/sum", kvolt::middleware::body_limit(1000), kvolt::stream_body, answer_sum);
    server.start();
    const std::string within = numbers_up_to(1000), beyond = numbers_up_to(1001);
    auto client = server.client();
    CHECK(client.post("/sum", within).body == sum_of(within));
    CHECK(client.request(post_head + "Transfer-Encoding: chunked\r\n\r\n" + chunk(within) + "0\r\n\r\n").body ==
          sum_of(within));
    CHECK(client.request(post_head + "Transfer-Encoding: chunked\r\n\r\n" + chunk(within) + chunk("x")).status == 413);
    CHECK(server.client().post("/sum", beyond).status == 413);
}

// Responses

TEST_CASE("stream: a response in parts is chunked, and the connection is kept") {
    Server server({}, GENERATE(1u, 4u));
    server.app.get("/parts", [](Context& c) -> Task<> {
        c.status(201).header("X-Kind", "parts");
        auto stream = c.stream("text/csv");
        for (int i = 0; i < 5; ++i) {
            co_await stream.write("row " + std::to_string(i) + "\n");
            co_await stream.write("");
            if (i % 2) co_await pause(c, 1ms);
        }
    });
    server.app.get("/nothing", [](Context& c) -> Task<> {
        c.stream();
        co_return;
    });
    server.app.get("/plain", [](Context& c) { c.stream(); });
    server.app.get("/now", [](Context& c) { c.text("now"); });
    server.start();
    auto client = server.client();
    const std::string get = "GET /parts HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(get + get + "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 2; ++i) {
        auto answer = client.read_response();
        CHECK(answer.status == 201);
        CHECK(answer.field("transfer-encoding") == "chunked");
        CHECK(answer.field("content-type") == "text/csv");
        CHECK(answer.field("x-kind") == "parts");
        CHECK_FALSE(answer.fields.contains("content-length"));
        CHECK(answer.body == "row 0\nrow 1\nrow 2\nrow 3\nrow 4\n");
    }
    CHECK(client.read_response().body == "now");
    for (std::string path : {"/nothing", "/plain"}) {
        auto nothing = client.get(path);
        CHECK(nothing.status == 200);
        CHECK(nothing.field("transfer-encoding") == "chunked");
        CHECK(nothing.body.empty());
    }
    CHECK(client.get("/now").body == "now");
}

TEST_CASE("stream: for HTTP/1.0 the end of the connection ends the body, and for HEAD there is none") {
    test::Reports<bool> more;
    Server server;
    server.app.get("/parts", [&](Context& c) -> Task<> {
        auto stream = c.stream("text/plain");
        more.add(co_await stream.write("one "));
        more.add(co_await stream.write("two"));
    });
    server.start();
    auto old = server.client();
    auto answer = old.request("GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(answer.body == "one two");
    CHECK(answer.field("connection") == "close");
    CHECK_FALSE(answer.fields.contains("transfer-encoding"));
    CHECK((more.next() && more.next()));
    auto client = server.client();
    for (int i = 0; i < 2; ++i) {
        auto head = client.request("HEAD /parts HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(head.status == 200);
        CHECK(head.field("transfer-encoding") == "chunked");
        CHECK_FALSE((more.next() || more.next()));
    }
    CHECK(client.get("/parts").body == "one two");
}

TEST_CASE("stream: a handler that fails before the first part is a 500, after it the response is cut off") {
    Server server({}, GENERATE(1u, 4u));
    server.app.get("/before", [](Context& c) -> Task<> {
        c.stream();
        co_await pause(c, 1ms);
        throw std::runtime_error("before");
    });
    server.app.get("/after", [](Context& c) -> Task<> {
        auto stream = c.stream();
        co_await stream.write("part");
        throw std::runtime_error("after");
    });
    server.app.get("/changed", [](Context& c) -> Task<> {
        auto stream = c.stream();
        co_await stream.write("part");
        c.text("another answer");
    });
    server.app.get("/twice", [](Context& c) -> Task<> {
        c.stream();
        c.stream();
        co_return;
    });
    server.start();
    auto client = server.client();
    for (std::string path : {"/before", "/twice"}) {
        auto answer = client.get(path);
        CHECK(answer.status == 500);
        CHECK(answer.body == R"({"error":"Internal Server Error"})");
        CHECK(server.log.next().find("GET " + path) != std::string::npos);
    }
    for (std::string path : {"/after", "/changed"}) {
        auto cut = server.client();
        cut.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
        auto all = cut.read_to_end();
        CHECK(all.find("\r\n\r\n4\r\npart\r\n") != all.npos);
        CHECK(all.find("\r\n0\r\n") == all.npos);
        CHECK(server.log.next().find("GET " + path) != std::string::npos);
    }
    auto old = server.client();
    old.send("GET /after HTTP/1.0\r\n\r\n");
    old.read_to_end();
    CHECK(old.was_reset());  // a proper end would be that of the body
    CHECK(client.get("/before").status == 500);
}

TEST_CASE("stream: an encoder that fails costs its connection, and is told") {
    struct Failing final : kvolt::BodyEncoder {
        explicit Failing(std::string when) : fails(std::move(when)) {}
        void encode(std::string& out, std::string_view part) override {
            if (fails == "encode" || (fails == "comment" && part.starts_with(':'))) throw std::runtime_error(fails);
            out += part;
        }
        void finish(std::string&) override {
            if (fails == "finish") throw std::runtime_error(fails);
        }
        std::string fails;
    };
    kvolt::Limits limits;
    limits.ping_interval = 100ms;
    Server server(limits, GENERATE(1u, 4u));
    server.app.get("/:when", [](Context& c) -> Task<> {
        std::string when(c.param("when"));
        if (when == "comment") {
            auto events = c.events();
            c.response().encode(std::make_shared<Failing>(when), "odd");
            co_await events.send("hello");
            co_await pause(c, 1h);
        }
        auto stream = c.stream();
        c.response().encode(std::make_shared<Failing>(when), "odd");
        co_await stream.write("part");
    });
    server.start();
    for (std::string when : {"encode", "finish", "comment"}) {
        INFO(when);
        auto client = server.client();
        client.send("GET /" + when + " HTTP/1.1\r\nHost: h\r\n\r\n");
        auto all = client.read_to_end();
        CHECK(all.find("\r\n0\r\n") == all.npos);
        CHECK(server.log.next().find(when) != std::string::npos);
    }
    CHECK(server.client().get("/fine").status == 200);
}

TEST_CASE("stream: a response of any size waits for a slow reader, in little memory") {
    const std::size_t size = 64 * mebibyte;
    const std::string filler = numbers_up_to(mebibyte / 2);
    Server server;
    server.app.get("/big", [&](Context& c) -> Task<> {
        auto stream = c.stream();
        for (std::size_t sent = 0; sent < size; sent += filler.size()) co_await stream.write(filler);
    });
    server.app.get("/now", [](Context& c) { c.text("now"); });
    server.start();
    auto before = test::resident_bytes();
    auto slow = server.client(4096);
    slow.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    REQUIRE(slow.readable(5s));
    auto other = server.client();
    for (int i = 0; i < 100; ++i) CHECK(other.get("/now").body == "now");
    if (!test::sanitized) CHECK(test::resident_bytes() < before + 4 * mebibyte);
    slow.close();
    auto fast = server.client();
    auto answer = fast.get("/big");
    CHECK(answer.body.size() == size);
    CHECK(answer.body.compare(size - filler.size(), filler.size(), filler) == 0);
    CHECK(server.log.empty());
}

TEST_CASE("stream: a writer learns that the peer is gone") {
    test::Reports<std::string> reports;
    Server server({}, GENERATE(1u, 4u));
    server.app.get("/endless", [&](Context& c) -> Task<> {
        auto stream = c.stream();
        const std::string filler(10000, 'x');
        reports.add("begun");
        while (co_await stream.write(filler)) {
        }
        reports.add(stream.is_open() ? "open" : "over");
    });
    server.start();
    for (bool reads : {false, true}) {
        auto client = server.client();
        client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(reports.next() == "begun");
        if (reads) client.read(1000000);
        client.reset();
        CHECK(reports.next() == "over");
    }
}

TEST_CASE("stream: a request's body can be sent back as it comes") {
    Server server;
    server.app.post("/back", kvolt::stream_body, [](Context& c) -> Task<> {
        auto stream = c.stream();
        while (auto part = co_await c.read_some()) co_await stream.write(*part);
    });
    server.start();
    auto client = server.client();
    client.send("POST /back HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::string head, body;
    for (int i = 0; i < 10; ++i) {
        client.send(chunk("part " + std::to_string(i)));
        while (i == 0 && !(head = client.read_line()).empty()) {
        }
        client.read_chunk(body);
        CHECK(body.ends_with("part " + std::to_string(i)));
    }
    client.send("0\r\n\r\n");
    CHECK_FALSE(client.read_chunk(body));
    CHECK(client.post("/back", "again").body == "again");
}

TEST_CASE("stream: no 100 comes in the middle of a response") {
    Server server;
    server.app.post("/early", kvolt::stream_body, [](Context& c) -> Task<> {
        auto stream = c.stream();
        co_await stream.write("before ");
        while (auto part = co_await c.read_some()) co_await stream.write(*part);
    });
    server.start();
    auto client = server.client();
    client.send("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    std::string line = client.read_line(), body;
    CHECK(line.starts_with("HTTP/1.1 200 "));
    while (!client.read_line().empty()) {
    }
    client.read_chunk(body);
    client.send("after");
    while (client.read_chunk(body)) {
    }
    CHECK(body == "before after");
}

TEST_CASE("stream: an answer arrives that crosses the end of its request") {
    std::promise<void> half_closed;
    test::Reports<std::string> reports;
    Server server;
    server.app.post("/tired", kvolt::stream_body, [&](Context& c) -> Task<> {
        using namespace boost::asio::experimental::awaitable_operators;
        auto tire = [&]() -> Task<> {
            co_await pause(c, 1ms);
            reports.add("tired");
            half_closed.get_future().wait();  // the loop learns of it when the answer is on its way
        };
        auto tiring = tire();
        auto either = c.read_some() || std::move(tiring);
        co_await std::move(either);
        c.text("tired");
    });
    server.start();
    auto client = server.client();
    client.send("POST /tired HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    CHECK(reports.next() == "tired");
    client.half_close();
    half_closed.set_value();
    CHECK(client.read_response().body == "tired");
    CHECK(client.ended());
}

// Events

TEST_CASE("events: a browser gets them as they come, and says where it was") {
    Server server({}, GENERATE(1u, 4u));
    server.app.get("/events", [](Context& c) -> Task<> {
        auto events = c.events();
        std::string last(events.last_id());
        co_await events.send("after " + last);
        auto event = kvolt::Event("two\nlines").name("news").id("8");
        co_await events.send(event);
    });
    server.start();
    auto client = server.client();
    auto answer = client.get("/events", "Last-Event-ID: 7\r\nAccept: text/event-stream\r\n");
    CHECK(answer.status == 200);
    CHECK(answer.field("content-type") == "text/event-stream");
    CHECK(answer.field("cache-control") == "no-cache");
    CHECK(answer.body == "data: after 7\n\nevent: news\nid: 8\ndata: two\ndata: lines\n\n");
    CHECK(client.get("/events").body.starts_with("data: after \n\n"));
}

TEST_CASE("events: the head comes at once, and comments while there is nothing to say") {
    Limits limits;
    limits.ping_interval = 100ms;
    test::Reports<std::string> reports;
    Server server(limits);
    server.app.get("/events", [&](Context& c) -> Task<> {
        auto events = c.events();
        c.ignore_disconnect();
        reports.add("open");
        while (events.is_open()) co_await pause(c, 5ms);
        reports.add(co_await events.send("too late") ? "sent" : "over");
    });
    server.start();
    auto client = server.client();
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(reports.next() == "open");
    while (!client.read_line().empty()) {
    }
    std::string body;
    for (int i = 0; i < 3; ++i) client.read_chunk(body);
    CHECK(body == ":\n\n:\n\n:\n\n");
    client.reset();
    CHECK(reports.next() == "over");
}

TEST_CASE("events: stop() ends them") {
    test::Reports<std::string> reports;
    Server server({}, GENERATE(1u, 4u));
    server.app.get("/events", [&](Context& c) -> Task<> {
        auto events = c.events();
        reports.add("open");
        while (co_await events.send("tick")) co_await pause(c, 5ms);
        reports.add("over");
    });
    server.start();
    auto client = server.client();
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(reports.next() == "open");
    std::thread stopper([&] { server.app.stop(); });
    CHECK(reports.next() == "over");
    CHECK(client.read_to_end().ends_with("\r\n0\r\n\r\n"));
    client.close();
    stopper.join();
}
