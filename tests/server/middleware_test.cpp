#include "catch.hpp"
#include "server/eventually.hpp"
#include "server/websocket_server.hpp"
#include <kvolt/app.hpp>
#include <kvolt/error.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/middleware/basic_auth.hpp>
#include <kvolt/middleware/bearer_auth.hpp>
#include <kvolt/middleware/body_limit.hpp>
#include <kvolt/middleware/compress.hpp>
#include <kvolt/middleware/cors.hpp>
#include <kvolt/middleware/logger.hpp>
#include <kvolt/middleware/metrics.hpp>
#include <kvolt/middleware/rate_limit.hpp>
#include <kvolt/middleware/recovery.hpp>
#include <kvolt/middleware/request_id.hpp>
#include <kvolt/middleware/secure_headers.hpp>
#include <kvolt/middleware/timeout.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mw = kvolt::middleware;
using kvolt::Context;
using kvolt::Task;
using test::Client;
using test::Reports;
using test::Server;
using namespace std::chrono_literals;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

Task<> wait(Context& c, std::chrono::milliseconds time) {
    boost::asio::steady_timer timer(c.executor(), time);
    co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace

TEST_CASE("the logger has a line for every request, with the status that was sent") {
    auto threads = GENERATE(1u, 4u);
    Reports<std::string> lines;
    Server server({}, threads);
    server.app.use(mw::request_id());
    server.app.use(mw::logger(mw::LoggerOptions().sink([&](std::string_view line) { lines.add(std::string(line)); })));
    server.app.get("/hello", [](Context& c) { c.text("hello"); });
    server.app.get("/slow", [](Context& c) -> Task<> {
        co_await wait(c, 1ms);
        c.text("slow");
    });
    server.app.get("/fail", [](Context&) { throw std::runtime_error("secret"); });
    server.app.get("/stream", [](Context& c) -> Task<> {
        auto stream = c.stream("text/plain");
        co_await stream.write("12345");
        co_await stream.write("678");
    });
    server.app.get("/cut", [](Context& c) -> Task<> {
        auto stream = c.stream("text/plain");
        co_await stream.write("12345");
        throw std::runtime_error("half-way");
    });
    server.app.get("/ws", test::echo);
    server.start();
    Client client = server.client();

    auto first = client.get("/hello?x=1");
    CHECK(first.body == "hello");
    std::string line = lines.next();
    CHECK(has(line, "Z 127.0.0.1:"));
    CHECK(has(line, " \"GET /hello?x=1\" 200 5B "));
    CHECK(has(line, " id=" + first.field("x-request-id")));
    client.get("/slow");
    CHECK(has(lines.next(), "\"GET /slow\" 200 4B "));
    client.request("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(has(lines.next(), "\"HEAD /hello\" 200 0B "));
    client.get("/nothing");
    CHECK(has(lines.next(), "\"GET /nothing\" 404 "));
    client.post("/hello", "x");
    CHECK(has(lines.next(), "\"POST /hello\" 405 "));
    CHECK(client.get("/fail").body == R"({"error":"Internal Server Error"})");
    CHECK(has(lines.next(), "\"GET /fail\" 500 33B "));
    client.get("/ws");
    CHECK(has(lines.next(), "\"GET /ws\" 426 "));
    Client streams = server.client();
    streams.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(has(lines.next(), "\"GET /stream\" 200 8B "));
    streams.send("GET /cut HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(has(lines.next(), "\"GET /cut\" 200 5B "));
    CHECK(streams.read_to_end().ends_with("5\r\n12345\r\n"));

    Client socket = server.connect();
    CHECK(has(lines.next(), "\"GET /ws\" 101 0B "));
    socket.send_frame(test::text, "hi");
    CHECK(test::read_text(socket) == "hi");
    socket.send_frame(test::close, test::close_payload(4001, "bye"));
    CHECK(has(lines.next(), "\"GET /ws\" closed 4001 \"bye\" "));
    Client lost = server.connect();
    lines.next();
    lost.reset();
    CHECK(has(lines.next(), "\"GET /ws\" closed 1006 \"\" "));
}

TEST_CASE("a request whose client has gone is logged, too") {
    auto threads = GENERATE(1u, 4u);
    Reports<std::string> lines, begun;
    std::atomic<bool> go_on{false};
    Server server({}, threads);
    server.app.use(mw::logger(mw::LoggerOptions().sink([&](std::string_view line) { lines.add(std::string(line)); })));
    server.app.get("/big", [&](Context& c) -> Task<> {
        begun.add("begun");
        while (!go_on) co_await wait(c, 1ms);
        c.text("late");
    });
    server.start();
    {
        Client client = server.client();
        client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
        begun.next();
        client.reset();
    }
    go_on = true;
    CHECK(has(lines.next(), "\"GET /big\" 200 4B "));
}

TEST_CASE("recovery answers for handlers of all kinds, and the connection goes on") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    server.app.use(mw::recovery([](std::exception_ptr, Context& c) { c.status(418), c.text("recovered"); }));
    server.app.get("/plain", [](Context&) { throw std::runtime_error("x"); });
    server.app.get("/coroutine", [](Context& c) -> Task<> {
        co_await wait(c, 1ms);
        throw std::runtime_error("x");
    });
    server.start();
    Client client = server.client();
    for (const char* path : {"/plain", "/coroutine"}) {
        auto response = client.get(path);
        CHECK(response.status == 418);
        CHECK(response.body == "recovered");
    }
    CHECK(client.get("/nothing").status == 404);
    CHECK(server.log.empty());
}

TEST_CASE("preflights are answered for the app, in groups and for routes, without OPTIONS handlers") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    auto handler = [](Context& c) { c.text("handled"); };
    auto api = server.app.group("/api");
    api.use(mw::cors(mw::CorsOptions().allow_origin("https://a.example").credentials()));
    api.put("/users/:id", handler);
    server.app.get("/private", handler);
    auto open = mw::cors();
    server.app.put("/open", open, handler);
    server.app.options("/open", open);
    server.start();
    Client client = server.client();
    auto preflight = [&](std::string path, std::string origin) {
        return client.request("OPTIONS " + path + " HTTP/1.1\r\nHost: h\r\nOrigin: " + origin +
                              "\r\nAccess-Control-Request-Method: PUT\r\n\r\n");
    };
    auto good = preflight("/api/users/7", "https://a.example");
    CHECK(good.status == 204);
    CHECK(good.field("access-control-allow-origin") == "https://a.example");
    CHECK(good.field("access-control-allow-credentials") == "true");
    CHECK(has(good.field("access-control-allow-methods"), "PUT"));
    CHECK(has(good.field("vary"), "Origin"));
    CHECK(preflight("/api/users/7", "https://evil.example").field("access-control-allow-origin").empty());
    CHECK(preflight("/private", "https://a.example").field("access-control-allow-origin").empty());
    CHECK(preflight("/open", "https://b.example").field("access-control-allow-origin") == "*");
    auto put = client.request(
        "PUT /api/users/7 HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n"
        "Content-Length: 0\r\n\r\n");
    CHECK(put.body == "handled");
    CHECK(put.field("access-control-allow-origin") == "https://a.example");
    auto plain = client.request("OPTIONS /api/users/7 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(plain.status == 204);
    CHECK(plain.field("allow") == "PUT, OPTIONS");
}

TEST_CASE("a rate is shared by all loops, and guards upgrades") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    server.app.use(mw::rate_limit(mw::RateLimitOptions().rate(20, 1h)));
    server.app.get("/", [](Context& c) { c.text("ok"); });
    server.app.get("/ws", test::echo);
    server.start();
    std::atomic<int> good{0}, refused{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i)
        clients.emplace_back([&] {
            Client client = server.client();
            for (int j = 0; j < 10; ++j) ++(client.get("/").status == 200 ? good : refused);
        });
    for (auto& client : clients) client.join();
    CHECK(good == 20);
    CHECK(refused == 20);
    Client client = server.client();
    auto answer = client.handshake("/ws");
    CHECK(answer.status == 429);
    CHECK(answer.field("retry-after") == "180");
}

TEST_CASE("logins guard routes, groups and upgrades") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    server.app.get("/admin", mw::basic_auth([](std::string_view user, std::string_view password) {
                       return user == "a" && kvolt::constant_time_equal("b", password);
                   }),
                   [](Context& c) { c.text(c.get<mw::BasicUser>()->name); });
    auto api = server.app.group("/api");
    api.use(mw::bearer_auth([](std::string_view token) -> Task<bool> {
        std::string kept(token);
        co_return kept == "key";
    }));
    api.get("/me", [](Context& c) { c.text(c.get<mw::BearerToken>()->value); });
    api.get("/ws", test::echo);
    server.start();
    Client client = server.client();
    CHECK(client.get("/admin").field("www-authenticate") == R"(Basic realm="restricted", charset="UTF-8")");
    CHECK(client.get("/admin", "Authorization: Basic YTpi\r\n").body == "a");
    CHECK(client.get("/admin", "Authorization: Basic YTpj\r\n").status == 401);
    CHECK(client.get("/api/me").status == 401);
    CHECK(client.get("/api/nothing").status == 401);  // strangers are not told what there is
    CHECK(client.get("/api/nothing", "Authorization: Bearer key\r\n").status == 404);
    CHECK(client.get("/api/me", "Authorization: Bearer key\r\n").body == "key");
    CHECK(server.client().handshake("/api/ws").status == 401);
    CHECK(server.client().handshake("/api/ws", "Authorization: Bearer key\r\n").status == 101);
}

TEST_CASE("a handler out of time is cancelled, while WebSockets stay") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    server.app.use(mw::timeout(200ms));
    server.app.get("/slow", [](Context& c) -> Task<> { co_await wait(c, 1h); });
    server.app.get("/fast", [](Context& c) { c.text("fast"); });
    server.app.get("/ws", test::echo);
    server.start();
    Client socket = server.connect();
    Client client = server.client();
    auto answer = client.get("/slow");
    CHECK(answer.status == 503);
    CHECK(client.get("/slow").status == 503);
    CHECK(client.get("/fast").body == "fast");
    socket.send_frame(test::text, "still here");  // three times its time later
    CHECK(test::read_text(socket) == "still here");
}

TEST_CASE("a body over its route's limit is refused, and the connection goes on") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    server.app.use(mw::secure_headers());
    server.app.post("/name", mw::body_limit(4), [](Context& c) { c.text(std::string(c.body())); });
    server.app.post("/any", [](Context& c) { c.text(std::string(c.body())); });
    server.start();
    Client client = server.client();
    CHECK(client.post("/name", "1234").body == "1234");
    CHECK(client.post("/any", "12345").body == "12345");
    auto refused = client.post("/name", "12345");
    CHECK(refused.status == 413);
    CHECK(refused.field("x-content-type-options") == "nosniff");
    CHECK(client.post("/any", "12345").body == "12345");
    CHECK(client.request("POST /name HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n")
              .status == 413);
    CHECK(client.ended());
}

TEST_CASE("compressed answers are framed by what is sent") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    server.app.use(mw::compress());
    server.app.get("/page", [](Context& c) { c.html(std::string(100000, 'x')); });
    server.app.get("/ws", test::echo);
    server.start();
    Client client = server.client();
    auto packed = client.get("/page", "Accept-Encoding: gzip, br\r\n");
    CHECK(packed.field("content-encoding") == "gzip");
    CHECK(packed.field("vary") == "Accept-Encoding");
    CHECK(packed.body.size() < 1000);
    CHECK(packed.body.starts_with("\x1f\x8b"));
    auto head = client.request("HEAD /page HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    CHECK(head.field("content-length") == std::to_string(packed.body.size()));
    CHECK(client.get("/page").body.size() == 100000);
    Client socket = server.client();
    CHECK(socket.handshake("/ws", "Accept-Encoding: gzip\r\n").status == 101);
    socket.send_frame(test::text, std::string(5000, 'y'));
    CHECK(test::read_text(socket) == std::string(5000, 'y'));
}

TEST_CASE("metrics of all loops are on one page") {
    auto threads = GENERATE(1u, 4u);
    Server server({}, threads);
    mw::Metrics metrics(server.app);
    kvolt::Hub<> hub(server.app);
    metrics.hub("chat", hub);
    server.app.use(metrics.count());
    server.app.get("/metrics", metrics.page());
    server.app.get("/users/:id", [](Context& c) { c.text("ok"); });
    server.app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto seat = hub.join(socket);
        while (auto message = co_await socket.read()) hub.broadcast(*message);
    });
    server.start();
    std::vector<Client> sockets, clients;
    for (int i = 0; i < 4; ++i) {
        sockets.push_back(server.connect());
        clients.push_back(server.client());
        CHECK(clients.back().get("/users/" + std::to_string(i)).status == 200);
    }
    CHECK(clients[0].get("/nothing").status == 404);
    sockets[0].send_frame(test::text, "hi");
    for (Client& socket : sockets) CHECK(test::read_text(socket) == "hi");
    auto page = clients[1].get("/metrics");
    CHECK(page.field("content-type") == "text/plain; version=0.0.4; charset=utf-8");
    for (const char* line : {
             "kvolt_requests_total{route=\"/users/:id\",method=\"GET\",status=\"200\"} 4\n",
             "kvolt_requests_total{route=\"\",method=\"GET\",status=\"404\"} 1\n",
             "kvolt_requests_total{route=\"/ws\",method=\"GET\",status=\"101\"} 4\n",
             "kvolt_request_duration_seconds_count{route=\"/users/:id\",method=\"GET\"} 4\n",
             "kvolt_requests_in_flight 1\n",
             "kvolt_connections 8\n",
             "kvolt_websockets 4\n",
             "kvolt_queued_bytes 0\n",
             "kvolt_hub_members{hub=\"chat\"} 4\n",
             "kvolt_hub_messages_total{hub=\"chat\"} 1\n",
             "kvolt_hub_deliveries_total{hub=\"chat\"} 4\n",
             "kvolt_hub_dropped_total{hub=\"chat\"} 0\n",
         }) {
        INFO(line);
        CHECK(has(page.body, line));
    }
    CHECK_FALSE(has(page.body, "nothing"));
    for (Client& socket : sockets) socket.close();
    CHECK(test::eventually([&] { return has(clients[2].get("/metrics").body, "kvolt_websockets 0\n"); }));
}

TEST_CASE("a log writer gets the lines of all loops") {
    std::string written;
    {
        kvolt::LogWriter writer([&](std::string_view lines) { written += lines; });
        Server server({}, 4);
        server.app.use(mw::logger(mw::LoggerOptions().json().sink([&](std::string_view line) { writer.write(line); })));
        server.app.get("/", [](Context& c) { c.text("ok"); });
        server.start();
        std::vector<std::thread> clients;
        for (int i = 0; i < 4; ++i)
            clients.emplace_back([&] {
                Client client = server.client();
                for (int j = 0; j < 25; ++j) client.get("/");
            });
        for (auto& client : clients) client.join();
    }
    std::size_t lines = 0;
    for (std::size_t at = written.find("\"status\":200,\"bytes\":2,"); at != written.npos;
         at = written.find("\"status\":200,\"bytes\":2,", at + 1))
        ++lines;
    CHECK(lines == 100);
}
