#include "catch.hpp"
#include "unit/fixture.hpp"
#include <kvolt/error.hpp>
#include <kvolt/middleware/logger.hpp>
#include <kvolt/middleware/recovery.hpp>
#include <kvolt/middleware/request_id.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using kvolt::Context;
using kvolt::Task;
using kvolt::middleware::logger;
using kvolt::middleware::LoggerOptions;
using test::Fixture;
using namespace std::string_literals;

namespace {

LoggerOptions to(std::vector<std::string>& lines) {
    return LoggerOptions().sink([&lines](std::string_view line) { lines.emplace_back(line); });
}

bool line_has(const std::string& line, const std::string& part) { return line.find(part) != line.npos; }

}  // namespace

TEST_CASE("the logger tells the status that is sent, whatever was thrown") {
    struct Case {
        std::string method;
        std::function<void(Context&)> handler;
        std::string logged;
    };
    for (const Case& c : {
             Case{"GET", [](Context& c) { c.text("hello"); }, "200 5B "},
             Case{"GET", [](Context& c) { c.status(204); }, "204 0B "},
             Case{"HEAD", [](Context& c) { c.text("hello"); }, "200 0B "},
             Case{"POST", [](Context&) { throw kvolt::HttpError(422, "x"); }, "422 13B "},
             Case{"GET", [](Context&) { throw std::runtime_error("x"); }, "500 33B "},
             Case{"GET", [](Context&) { throw 1; }, "500 33B "},
         }) {
        std::vector<std::string> lines;
        Fixture f("/a?b=1", c.method);
        f.serve(logger(to(lines)), c.handler);
        REQUIRE(lines.size() == 1);
        CHECK(line_has(lines[0], " 192.0.2.1:1234 \"" + c.method + " /a?b=1\" " + c.logged));
    }
}

TEST_CASE("the logger sees what recovery made of it, wherever that stands") {
    auto teapot = kvolt::middleware::recovery([](std::exception_ptr, Context& c) { c.status(418); });
    auto fail = [](Context&) { throw std::runtime_error("x"); };
    std::vector<std::string> lines;
    Fixture inner, outer;
    inner.serve(logger(to(lines)), teapot, fail);
    outer.serve(teapot, logger(to(lines)), fail);
    REQUIRE(lines.size() == 2);
    for (const std::string& line : lines) CHECK(line_has(line, "\" 418 0B "));
}

TEST_CASE("the logger knows the request's id, whether it was given before or after") {
    std::vector<std::string> lines;
    for (bool before : {true, false}) {
        Fixture f;
        f.request.add_field("X-Request-Id", "7f3a");
        auto id = kvolt::middleware::request_id();
        auto log = logger(to(lines).json());
        before ? f.serve(id, log) : f.serve(log, id);
        CHECK(line_has(lines.back(), R"("id":"7f3a")"));
        CHECK(line_has(lines.back(), R"("status":200)"));
    }
}

TEST_CASE("a stream is logged at its end, with the bytes that were sent") {
    std::vector<std::string> lines;
    Fixture f;
    f.serve(logger(to(lines)), [&](Context& c) -> Task<> {
        auto stream = c.stream();
        co_await stream.write("12345");
        CHECK(lines.empty());
        co_await stream.write("678");
    });
    REQUIRE(lines.size() == 1);
    CHECK(line_has(lines[0], "\" 200 8B "));
}

TEST_CASE("an upgrade is logged when it happens and when it ends") {
    std::vector<std::string> lines;
    Fixture f("/ws");
    f.ask_for_websocket();
    f.serve(logger(to(lines)), [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        CHECK(lines.size() == 1);
        socket.close(4001, "line\nbreak");
    });
    REQUIRE(lines.size() == 2);
    CHECK(line_has(lines[0], "\"GET /ws\" 101 0B "));
    CHECK(line_has(lines[1], "\"GET /ws\" closed 4001 \"line\\x0abreak\" "));
}

TEST_CASE("what a client sends is escaped, and stays in its line") {
    const std::string sent = "/\r\nGET \"\\\x1b[2K\x7F\xFF\0"s;
    for (bool json : {false, true}) {
        std::vector<std::string> lines;
        Fixture f(sent, "G\"\n");
        f.exchange.address = sent;
        f.serve(logger(to(lines).json(json)), [&](Context& c) { c.set(kvolt::middleware::RequestId{sent}); });
        REQUIRE(lines.size() == 1);
        const std::string text = R"(/\x0d\x0aGET \"\\\x1b[2K\x7f\xff\x00)",
                          quoted = "\"/\\u000d\\u000aGET \\\"\\\\\\u001b[2K\\u007f\xEF\xBF\xBD\\u0000\"";
        if (json) {
            CHECK(line_has(lines[0], R"(,"client":)" + quoted + R"(,"method":"G\"\u000a","target":)" + quoted + ','));
            CHECK(lines[0].ends_with(R"(,"id":)" + quoted + '}'));
        } else {
            CHECK(line_has(lines[0], ' ' + text + R"( "G\"\x0a )" + text + R"(" 200 0B )"));
            CHECK(lines[0].ends_with(" id=" + text));
        }
    }
}

TEST_CASE("requests can be left out of the log") {
    std::vector<std::string> lines;
    auto log = logger(to(lines).skip([](const Context& c) { return c.path() == "/health"; }));
    Fixture health("/health"), other("/");
    health.serve(log);
    other.serve(log);
    CHECK(lines.size() == 1);
}
