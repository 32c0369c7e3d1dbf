#include "catch.hpp"
#include "client.hpp"
#include <kvolt.hpp>
#include <kvolt/middleware.hpp>

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Context;
using kvolt::HttpError;
using kvolt::Limits;
using test::Client;
using namespace std::chrono_literals;

namespace {

struct Refused {
    std::string bytes;
    int status;
    bool has_fields = true;  // when it is refused, what it says in its fields is known for sure
};

// All that the server answers by itself.
std::vector<Refused> refused() {
    const std::string origin = "Host: h\r\nOrigin: https://example.com\r\nX-Request-Id: abc\r\n";
    return {
        {"GET /none HTTP/1.1\r\n" + origin + "\r\n", 404},
        {"PUT /here HTTP/1.1\r\n" + origin + "\r\n", 405},
        {"BREW /here HTTP/1.1\r\n" + origin + "\r\n", 501},
        {"GET /here HTTP/1.1\r\n" + origin + "Host: i\r\n\r\n", 400},
        {"GET /here HTTP/1.1\r\n" + origin + "Transfer-Encoding: gzip\r\n\r\n", 501},
        {"GET /here HTTP/1.1\r\n" + origin + "Expect: tea\r\n\r\n", 417},
        {"CONNECT h:80 HTTP/1.1\r\n" + origin + "\r\n", 501},
        {"GET /%zz HTTP/1.1\r\n" + origin + "\r\n", 400},
        {"POST /here HTTP/1.1\r\n" + origin + "Content-Length: 2000000\r\n\r\n", 413},
        {"POST /here HTTP/1.1\r\n" + origin + "Transfer-Encoding: chunked\r\n\r\nz\r\n", 400},
        {"POST /here HTTP/1.1\r\n" + origin + "Content-Length: 5\r\n\r\nhe", 408},
        {"GET /here HTTP/1.1\r\n" + origin + "X: " + std::string(10'000, 'x'), 431, false},
        {"GET /" + std::string(10'000, 'x') + " HTTP/1.1\r\n" + origin + "\r\n", 414, false},
        {"GET /here HTTP/1.1\r\nbad field\r\n\r\n", 400, false},
        {"GET /here HTTP/2.0\r\n" + origin + "\r\n", 505, false},
        {"GET /here HTTP/1.1\r\nHost", 408, false},
        {"\x16\x03\x01 no HTTP at all", 400, false},
    };
}

struct Watched {
    Watched() {
        Limits limits;
        limits.header_timeout = limits.body_grace = 200ms;
        app.limits(limits);
        using namespace kvolt::middleware;
        app.use(metrics.count());
        app.use(logger(LoggerOptions().sink([this](std::string_view line) {
            std::lock_guard lock(mutex);
            lines.emplace_back(line);
        })));
        app.use(request_id());
        app.use(cors(CorsOptions().allow_origin("https://example.com")));
        app.use(secure_headers());
        app.use([this](Context&) { ++handled; });
        app.get("/here", [](Context& c) { c.text("here"); });
        app.post("/here", [](Context& c) { c.text("here"); });
        app.get("/metrics", metrics.page());
    }

    kvolt::App app;
    kvolt::middleware::Metrics metrics{app};
    std::mutex mutex;
    std::vector<std::string> lines;
    std::atomic<int> handled{0};
};

}  // namespace

TEST_CASE("what the server answers by itself is seen by CORS, request ids, logs and metrics") {
    Watched t;
    t.app.start("127.0.0.1:0");
    std::size_t count = 0;
    for (const Refused& each : refused()) {
        INFO(each.bytes.substr(0, 100));
        auto response = Client(t.app.port()).request(each.bytes);
        ++count;
        CHECK(response.status == each.status);
        CHECK(response.body.starts_with("{\"error\":"));
        CHECK(response.field("x-content-type-options") == "nosniff");
        CHECK(response.field("vary") == "Origin");
        CHECK_FALSE(response.field("x-request-id").empty());
        if (each.has_fields) {
            CHECK(response.field("access-control-allow-origin") == "https://example.com");
            CHECK(response.field("x-request-id") == "abc");
        }
        std::lock_guard lock(t.mutex);
        REQUIRE(t.lines.size() == count);
        CHECK(t.lines.back().find(' ' + std::to_string(each.status) + ' ') != std::string::npos);
    }
    std::string page = Client(t.app.port()).get("/metrics").body;
    CHECK(page.find("status=\"505\"} 1") != page.npos);
    CHECK(page.find("status=\"431\"} 1") != page.npos);
    CHECK(page.find("kvolt_requests_in_flight 1\n") != page.npos);  // this one
}

TEST_CASE("an app makes the answers to errors, also to those that have no route") {
    Watched t;
    t.app.on_error([](Context& c, const HttpError& error) {
        c.header("X-Method", c.method());
        c.html("<h1>" + std::to_string(error.status()) + "</h1>" + error.what());
    });
    t.app.start("127.0.0.1:0");
    for (const Refused& each : refused()) {
        INFO(each.bytes.substr(0, 100));
        auto response = Client(t.app.port()).request(each.bytes);
        CHECK(response.status == each.status);
        CHECK(response.field("content-type") == "text/html; charset=utf-8");
        CHECK(response.body.starts_with("<h1>" + std::to_string(each.status)));
        CHECK(response.field("x-content-type-options") == "nosniff");
    }
}

TEST_CASE("on_error: of the innermost group that has one, for whatever is thrown") {
    std::mutex mutex;
    std::string log;
    kvolt::App app;
    app.logger([&](std::string_view line) {
        std::lock_guard lock(mutex);
        (log += line) += '\n';
    });
    app.on_error([](Context& c, const HttpError& error) { c.text("app " + std::string(error.what())); });
    auto api = app.group("/api");
    api.on_error(
        [](Context& c, const HttpError& error) { c.json("{\"api\":" + std::to_string(error.status()) + '}'); });
    auto deeper = api.group("/deeper");
    auto bad = app.group("/bad");
    bad.on_error([](Context& c, const HttpError& error) {
        if (error.status() == 404) throw std::runtime_error("no page for that");
        c.status(418);
    });
    auto throw_it = [](Context& c) {
        if (!c.query("fault").empty()) throw std::runtime_error("fault");
        throw HttpError(409, "taken").header("X-Why", "because");
    };
    for (const kvolt::Group& group : {static_cast<kvolt::Group>(app), api, deeper, bad}) group.get("/x", throw_it);
    bad.get("/none", [](Context&) { throw HttpError(404, "none"); });
    app.start("127.0.0.1:0");
    Client client(app.port());

    auto own = client.get("/x");
    CHECK(own.status == 409);
    CHECK(own.body == "app taken");
    CHECK(own.field("x-why") == "because");
    CHECK(client.get("/api/x").body == "{\"api\":409}");
    CHECK(client.get("/api/deeper/x").body == "{\"api\":409}");
    CHECK(client.get("/elsewhere").body == "app Not Found");

    auto fault = client.get("/x?fault=1");
    CHECK(fault.status == 500);
    CHECK(fault.body == "app Internal Server Error");
    CHECK(client.get("/api/x?fault=1").body == "{\"api\":500}");

    auto teapot = client.get("/bad/x");
    CHECK(teapot.status == 418);
    CHECK(teapot.body == R"({"error":"taken"})");
    auto failed = client.get("/bad/none");
    CHECK(failed.status == 500);
    CHECK(failed.body == R"({"error":"Internal Server Error"})");
    std::lock_guard lock(mutex);
    CHECK(log.find("no page for that") != log.npos);
    CHECK(log.find("/x?fault=1: fault") != log.npos);
}

TEST_CASE("empty lines before a request are skipped, but not without end") {
    kvolt::App app;
    app.get("/", [](Context& c) { c.text("here"); });
    app.start("127.0.0.1:0");
    CHECK(Client(app.port()).request("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n").body == "here");
    Client client(app.port());
    std::string lines;
    for (int i = 0; i < 1000; ++i) lines += "\r\n";
    client.send(lines);
    CHECK(client.read_response().status == 400);
}

TEST_CASE("an answer to a request that was upgraded is a mistake") {
    std::mutex mutex;
    std::string what;
    kvolt::App app;
    app.logger([](std::string_view) {});
    app.get("/ws", [&](Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        try {
            c.text("hello");
        } catch (const std::logic_error& error) {
            std::lock_guard lock(mutex);
            what = error.what();
        }
    });
    app.start("127.0.0.1:0");
    Client client(app.port());
    CHECK(client.handshake("/ws").status == 101);
    CHECK(client.read_frame().opcode == test::close);
    std::lock_guard lock(mutex);
    CHECK(what.find("upgrade()") != what.npos);
}
