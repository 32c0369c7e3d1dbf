#include "catch.hpp"
#include "client.hpp"
#include "eventually.hpp"
#include "websocket_server.hpp"
#include <kvolt.hpp>
#include <kvolt/middleware.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Context;
using kvolt::HttpError;
using kvolt::Limits;
using kvolt::Task;
using test::Client;
using test::eventually;
using namespace std::chrono_literals;

namespace {

using test::mebibyte;

std::string head_of(std::string_view target, std::size_t size, std::string_view fields = {}) {
    return "POST " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n" +
           std::string(fields) + "\r\n";
}

Task<> pass_later(Context& c, kvolt::Next next) {
    boost::asio::steady_timer timer(c.executor(), 1ms);
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_await next();
}

void demand_login(Context& c) {
    if (c.header("Authorization").empty()) throw HttpError(401, "log in first");
}

Task<> demand_login_later(Context& c) {
    boost::asio::steady_timer timer(c.executor(), 1ms);
    co_await timer.async_wait(boost::asio::use_awaitable);
    demand_login(c);
}

void echo_body(Context& c) { c.text(std::string(c.body())); }

Task<> echo_body_later(Context& c) {
    boost::asio::steady_timer timer(c.executor(), 1ms);
    co_await timer.async_wait(boost::asio::use_awaitable);
    echo_body(c);
}

}  // namespace

TEST_CASE("what a head is enough to refuse is refused before its body is read or invited") {
    kvolt::App app;
    std::atomic<int> handled{0};
    auto handler = [&](Context&) { ++handled; };
    auto later = [&](Context&) -> Task<> {
        ++handled;
        co_return;
    };
    app.post("/plain", demand_login, handler);
    app.post("/coroutine", demand_login_later, later);
    app.post("/around", pass_later, demand_login, later);
    app.post("/first", demand_login, pass_later, handler);
    app.post("/rate", kvolt::middleware::rate_limit(kvolt::middleware::RateLimitOptions().rate(1, 1h).burst(1)),
             handler);
    app.post("/small", kvolt::middleware::body_limit(10), handler);
    app.post("/large", handler);
    app.get("/read", handler);
    app.start("127.0.0.1:0");
    REQUIRE(Client(app.port()).post("/rate", {}).status == 200);

    struct Case {
        const char* target;
        std::size_t size;
        int status;
    };
    for (const Case& c : {
             Case{"/plain", 1000, 401},
             Case{"/coroutine", 1000, 401},
             Case{"/around", 1000, 401},
             Case{"/first", 1000, 401},
             Case{"/rate", 1000, 429},
             Case{"/small", 1000, 413},
             Case{"/large", 2 * mebibyte, 413},
             Case{"/none", 1000, 404},
             Case{"/none", 2 * mebibyte, 404},
             Case{"/read", 1000, 405},
         }) {
        INFO(c.target);
        Client waits(app.port());
        CHECK(waits.request(head_of(c.target, c.size, "Expect: 100-continue\r\n")).status == c.status);
        CHECK(waits.ended());
        Client sends(app.port());
        sends.send(head_of(c.target, c.size));
        sends.send("beginning");
        CHECK(sends.read_response().status == c.status);
        CHECK(sends.ended());
    }
    handled = 0;
    Client whole(app.port());
    CHECK(whole.post("/plain", "all of it").status == 401);
    CHECK(whole.post("/plain", "and the connection is kept", "Authorization: x\r\n").status == 200);
    CHECK(handled == 1);
}

TEST_CASE("a handler behind middleware gets its body whole, in whatever pieces that comes") {
    kvolt::App app;
    auto pass = [](Context&) {};
    auto next_later = [](Context&) -> Task<> { co_return; };
    app.post("/a", echo_body);
    app.post("/b", pass, echo_body);
    app.post("/c", pass, echo_body_later);
    app.post("/d", next_later, echo_body);
    app.post("/e", pass_later, echo_body_later);
    app.post("/f", pass, pass_later, pass, next_later, echo_body_later);
    app.post("/g", pass, [](Context& c) -> Task<> {  // as one part
        std::string all;
        while (auto part = co_await c.read_some()) (all += *part) += '.';
        c.text(all);
    });
    app.start("127.0.0.1:0");
    for (std::string target : {"/a", "/b", "/c", "/d", "/e", "/f", "/g"}) {
        INFO(target);
        std::string end = target == "/g" ? "." : "";
        Client client(app.port());
        CHECK(client.post(target, "hello").body == "hello" + end);
        CHECK(client.post(target, "").body.empty());
        CHECK(client.request(head_of(target, 5, "Expect: 100-continue\r\n")).status == 100);
        for (char c : std::string_view("hell")) client.send(std::string(1, c));
        CHECK(client.request("o").body == "hello" + end);
        client.send("POST " + target + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n");
        CHECK_FALSE(client.readable(20ms));
        client.send("3\r\nllo\r\n0\r\n\r\n" + head_of(target, 2) + "hi" + head_of(target, 1));
        CHECK(client.read_response().body == "hello" + end);
        CHECK(client.read_response().body == "hi" + end);
        CHECK(client.request("!").body == "!" + end);
        std::string large(mebibyte, 'x');
        CHECK(client.post(target, large).body == large + end);
    }
}

TEST_CASE("middleware that wants the body waits for it, and without that is told so") {
    std::mutex mutex;
    std::string log;
    kvolt::App app;
    app.logger([&](std::string_view line) {
        std::lock_guard lock(mutex);
        log += line;
    });
    app.post(
        "/signed",
        [](Context& c, kvolt::Next next) -> Task<> {
            std::string_view body = co_await c.read_body();
            if (body != c.header("X-Signature")) throw HttpError(403, "bad signature");
            co_await next();
        },
        echo_body);
    app.post(
        "/hasty", [](Context& c) { c.header("X-Size", std::to_string(c.body().size())); }, echo_body);
    app.start("127.0.0.1:0");
    Client client(app.port());
    CHECK(client.post("/signed", "hello", "X-Signature: hello\r\n").body == "hello");
    CHECK(client.post("/signed", "hello", "X-Signature: bye\r\n").status == 403);
    CHECK(client.post("/hasty", "").status == 200);
    CHECK(client.post("/hasty", "hello").status == 500);
    std::lock_guard lock(mutex);
    CHECK(log.find("read_body()") != log.npos);
}

TEST_CASE("a body that does not come as it should is an exception for middleware, like that of a handler") {
    Limits limits;
    limits.body_grace = 200ms;
    kvolt::App app;
    app.limits(limits);
    std::atomic<int> seen{0};
    app.use([&](Context& c, kvolt::Next next) -> Task<> {
        try {
            co_await next();
        } catch (const HttpError& error) {
            seen = error.status();
            c.header("X-Seen", "yes");
            throw;
        }
    });
    app.post("/", echo_body);
    app.start("127.0.0.1:0");
    struct Case {
        std::string bytes;
        int status;
    };
    for (const Case& c : {
             Case{head_of("/", 2 * mebibyte), 413},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n", 413},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
             Case{head_of("/", 5) + "he", 408},
         }) {
        seen = 0;
        Client client(app.port());
        auto response = client.request(c.bytes);
        CHECK(response.status == c.status);
        CHECK(response.field("x-seen") == "yes");
        CHECK(seen == c.status);
        CHECK(client.ended());
    }
}

TEST_CASE("all bodies together keep to their limit; the slowest and largest goes") {
    Limits limits;
    limits.all_bodies = 4 * mebibyte;
    kvolt::App app;
    app.limits(limits).threads(GENERATE(1u, 3u));
    std::atomic<int> handling{0};
    std::atomic<bool> finish{false};
    app.post("/", echo_body);
    app.post("/hold", [&](Context& c) -> Task<> {
        ++handling;
        while (!finish) {
            boost::asio::steady_timer timer(c.executor(), 1ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        --handling;
    });
    app.start("127.0.0.1:0");

    SECTION("while they come in") {
        std::vector<Client> clients;
        const std::string almost(mebibyte - 1, 'x');
        for (int i = 0; i < 40; ++i) {
            clients.emplace_back(app.port());
            clients.back().send(head_of("/", mebibyte) + almost);
        }
        // Those that are left are as many as there is room for.
        int shed = 0;
        CHECK(eventually([&] {
            shed = 0;
            for (Client& client : clients) shed += client.readable(0ms);
            return shed >= 36;
        }));
        CHECK(Client(app.port()).post("/", std::string(100'000, 'y')).body.size() == 100'000);
        int served = 0, refused = 0;
        for (Client& client : clients) {
            client.send("x");
            int status = client.read_response().status;
            (status == 200 ? served : refused) += 1;
            CHECK((status == 200 || status == 503));
        }
        CHECK(served <= 4);
        CHECK(served > 0);
        CHECK(refused == 40 - served);
    }
    SECTION("and while their handlers go on") {
        std::vector<Client> clients;
        for (int i = 0; i < 4; ++i) {
            clients.emplace_back(app.port());
            clients.back().send(head_of("/hold", mebibyte) + std::string(mebibyte, 'x'));
            REQUIRE(eventually([&] { return handling == i + 1; }));
        }
        CHECK(Client(app.port()).post("/", std::string(mebibyte, 'y')).status == 503);
        CHECK(Client(app.port()).post("/", "small").body == "small");
        finish = true;
        CHECK(eventually([&] { return handling == 0; }));
        for (Client& client : clients) CHECK(client.read_response().status == 200);
        CHECK(Client(app.port()).post("/", std::string(mebibyte, 'y')).body.size() == mebibyte);
    }
}

TEST_CASE("the time of a slow body is not that of its handler") {
    kvolt::App app;
    app.use(kvolt::middleware::timeout(300ms));
    app.post("/", echo_body_later);
    app.post("/never", [](Context& c) -> Task<> {
        boost::asio::steady_timer timer(c.executor(), 1h);
        co_await timer.async_wait(boost::asio::use_awaitable);
    });
    app.start("127.0.0.1:0");
    Client client(app.port());
    client.send(head_of("/", 5) + "hell");
    CHECK_FALSE(client.readable(1s));
    CHECK(client.request("o").body == "hello");
    client.send(head_of("/never", 5) + "hell");
    CHECK_FALSE(client.readable(500ms));
    CHECK(client.request("o").status == 503);
}
