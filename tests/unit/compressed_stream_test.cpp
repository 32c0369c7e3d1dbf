// Compressed answers that come in parts: what was written arrives, and can be read, before more is.

#include "catch.hpp"
#include "client_of.hpp"
#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/middleware/compress.hpp>
#include <kvolt/middleware/logger.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <zlib.h>

using kvolt::Context;
using kvolt::Task;
using test::client_of;
using namespace std::chrono_literals;
namespace mw = kvolt::middleware;

namespace {

/// gunzip, byte by byte as they come.
class StepwiseGunzip {
public:
    StepwiseGunzip() { REQUIRE(inflateInit2(&stream_, 15 + 16) == Z_OK); }
    ~StepwiseGunzip() { inflateEnd(&stream_); }

    std::string read(std::string bytes) {
        std::string out;
        stream_.next_in = reinterpret_cast<Bytef*>(bytes.data());
        stream_.avail_in = static_cast<uInt>(bytes.size());
        char part[4096];
        do {
            stream_.next_out = reinterpret_cast<Bytef*>(part);
            stream_.avail_out = sizeof part;
            int result = inflate(&stream_, Z_SYNC_FLUSH);
            REQUIRE((result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR));
            ended = ended || result == Z_STREAM_END;
            out.append(part, sizeof part - stream_.avail_out);
        } while (stream_.avail_out == 0);
        return out;
    }

    bool ended = false;

private:
    z_stream stream_{};
};

/// A place where handlers wait for the test.
struct StreamGate {
    explicit StreamGate(kvolt::App& app) : timer(app.executor(), boost::asio::steady_timer::time_point::max()) {}
    Task<> pass() {
        boost::system::error_code ignored;
        co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    boost::asio::steady_timer timer;
};

/// Read until so much of the text has come.
std::string read_decoded(kvolt::testing::ResponseStream& stream, StepwiseGunzip& gunzip, std::size_t size) {
    std::string text;
    while (text.size() < size) {
        auto part = stream.read();
        REQUIRE(part);
        text += gunzip.read(*part);
    }
    return text;
}

}  // namespace

TEST_CASE("a part of a compressed stream can be read before the next one is written") {
    kvolt::App app;
    StreamGate gate(app);
    std::vector<std::string> log;
    app.use(mw::logger(mw::LoggerOptions().sink([&](std::string_view line) { log.emplace_back(line); })));
    app.use(mw::compress());
    const std::string big(300000, 'x');
    app.get("/rows", [&](Context& c) -> Task<> {
        auto stream = c.stream("text/csv");
        co_await stream.write("a,b\n");
        co_await gate.pass();
        co_await stream.write("");
        co_await stream.write(big);
        co_await gate.pass();
    });
    app.get("/plain", [](Context& c) { c.text("plain"); });
    auto client = client_of(app);
    auto stream = client.get("/rows").header("Accept-Encoding", "gzip").open();
    CHECK(stream.status() == 200);
    CHECK(stream.header("Content-Encoding") == "gzip");
    CHECK(stream.header("Transfer-Encoding") == "chunked");
    CHECK(stream.header("Vary") == "Accept-Encoding");
    StepwiseGunzip gunzip;
    CHECK(read_decoded(stream, gunzip, 4) == "a,b\n");
    gate.timer.cancel();
    CHECK((read_decoded(stream, gunzip, big.size()) == big));
    CHECK_FALSE(gunzip.ended);
    gate.timer.cancel();
    std::string rest;
    while (auto part = stream.read()) rest += gunzip.read(*part);
    CHECK(rest.empty());
    CHECK(gunzip.ended);
    REQUIRE(log.size() == 1);
    CHECK(std::stoi(log[0].substr(log[0].find(" 200 ") + 5)) < 5000);  // bytes that were sent
    CHECK(client.get("/plain").send().body() == "plain");
}

TEST_CASE("compressed events arrive one by one, and so do the comments that keep them open") {
    kvolt::App app;
    StreamGate gate(app);
    app.use(mw::compress());
    app.get("/events", [&](Context& c) -> Task<> {
        auto events = c.events();
        for (int i = 0; i < 3; ++i) {
            co_await events.send("event " + std::to_string(i));
            co_await gate.pass();
        }
    });
    auto client = client_of(app);
    auto stream = client.get("/events").header("Accept-Encoding", "gzip, deflate, br").open();
    CHECK(stream.header("Content-Encoding") == "gzip");
    CHECK(stream.header("Content-Type") == "text/event-stream");
    StepwiseGunzip gunzip;
    for (int i = 0; i < 3; ++i) {
        std::string event = "data: event " + std::to_string(i) + "\n\n";
        CHECK(read_decoded(stream, gunzip, event.size()) == event);
        client.advance(app.limits().ping_interval + 1s);
        CHECK(read_decoded(stream, gunzip, 3) == ":\n\n");
        gate.timer.cancel();
    }
    std::string rest;
    while (auto part = stream.read()) rest += gunzip.read(*part);
    CHECK(gunzip.ended);
}

TEST_CASE("a compressed stream for HTTP/1.0, for HEAD, without a part, and one that fails") {
    kvolt::App app;
    app.logger([](std::string_view) {});
    app.use(mw::compress());
    app.get("/rows", [](Context& c) -> Task<> {
        auto stream = c.stream("text/csv");
        co_await stream.write("a,b\n");
    });
    app.get("/none", [](Context& c) { c.stream("text/csv"); });
    app.get("/early", [](Context& c) { c.stream("text/csv"), throw std::runtime_error("early"); });
    app.get("/late", [](Context& c) -> Task<> {
        auto stream = c.stream("text/csv");
        co_await stream.write("a,b\n");
        throw std::runtime_error("late");
    });
    auto client = client_of(app);
    auto old = client.connect();
    old.send("GET /rows HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    std::string answer = old.read_to_end();
    StepwiseGunzip gunzip;
    CHECK(gunzip.read(answer.substr(answer.find("\r\n\r\n") + 4)) == "a,b\n");
    CHECK(gunzip.ended);
    auto head = client.request("HEAD", "/rows").header("Accept-Encoding", "gzip").send();
    CHECK(head.header("Content-Encoding") == "gzip");
    CHECK(head.body().empty());
    auto none = client.get("/none").header("Accept-Encoding", "gzip").send();
    StepwiseGunzip nothing;
    CHECK(nothing.read(none.body()).empty());
    CHECK(nothing.ended);
    auto early = client.get("/early").header("Accept-Encoding", "gzip").send();
    CHECK(early.status() == 500);
    CHECK(early.header("Content-Encoding").empty());
    CHECK(early.body() == R"({"error":"Internal Server Error"})");
    auto late = client.connect();
    late.send("GET /late HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    CHECK_FALSE(late.read_to_end().ends_with("0\r\n\r\n"));
}
