#include "catch.hpp"
#include "client_of.hpp"
#include <kvolt.hpp>
#include <kvolt/testing.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace {

// An app whose handlers throw at one of the points that they pass, and a member of its hub whom that does not harm.
struct Throwing {
    explicit Throwing(int which) : at(which) {
        app.logger([this](std::string_view line) { log.emplace_back(line); });
        app.get("/friend", [this](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade();
            auto seat = hub.join(socket, "friend");
            while (auto message = co_await socket.read()) hub.broadcast(*message);
        });
    }

    void point() {
        if (passed++ == at) throw std::runtime_error("thrown here");
    }

    kvolt::Task<> pause(kvolt::Context& c) {
        point();
        co_await boost::asio::post(c.executor(), boost::asio::use_awaitable);
        point();
    }

    bool thrown() const { return passed > at; }

    const int at;
    int passed = 0;
    std::vector<std::string> log;
    kvolt::App app;
    kvolt::Hub<std::string> hub{app};
};

// How a request ends: its status and body, or "cut off".
std::string outcome(kvolt::testing::Request request) try {
    auto response = request.send();
    return std::to_string(response.status()) + ' ' + response.body();
} catch (const std::runtime_error&) {
    return "cut off";
}

const std::string error_500 = R"(500 {"error":"Internal Server Error"})";

struct ThrowCase {
    const char* what;
    int points;  // that are passed
    std::function<void(Throwing&)> prepare;
    std::function<std::string(kvolt::testing::Client&)> act;
    std::function<std::string(int)> expected;  // of the number of the point
};

// Each point in turn throws; then nothing does.
void throw_at_each(const ThrowCase& each) {
    for (int at = 0; at <= each.points; ++at) {
        INFO(each.what << ", point " << at);
        Throwing t(at);
        each.prepare(t);
        auto client = test::client_of(t.app);
        auto member = client.websocket("/friend").connect();
        client.settle();
        CHECK(each.act(client) == each.expected(at));
        CHECK(t.thrown() == (at < each.points));
        std::size_t lines = 0;
        for (const std::string& line : t.log) lines += line.find("thrown here") != line.npos;
        CHECK(lines == (at < each.points ? 1 : 0));
        CHECK(t.log.size() == lines);
        client.settle();
        CHECK(t.hub.size() == 1);
        member.send("last");
        std::string text;
        do text = member.read_text();
        while (text != "last");
        CHECK(t.app.loops()->front()->load().websockets == 1);
    }
}

}  // namespace

TEST_CASE("throw: wherever a handler of HTTP does, that is a 500, or a response that is cut off") {
    auto get = [](const char* target) {
        return [target](kvolt::testing::Client& client) { return outcome(client.get(target)); };
    };
    auto whole = [](int points, std::string body) {
        return [points, body](int at) { return at < points ? error_500 : "200 " + body; };
    };
    throw_at_each({"a plain handler", 2,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) {
                           t.point();
                           c.text("x");
                           t.point();
                       });
                   },
                   get("/"), whole(2, "x")});
    throw_at_each({"a coroutine", 5,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
                           co_await t.pause(c);
                           c.text("x");
                           co_await t.pause(c);
                           t.point();
                       });
                   },
                   get("/"), whole(5, "x")});
    throw_at_each({"middleware", 8,
                   [](Throwing& t) {
                       t.app.get(
                           "/",
                           [&t](kvolt::Context& c, kvolt::Next next) -> kvolt::Task<> {
                               co_await t.pause(c);
                               co_await next();
                               co_await t.pause(c);
                           },
                           [&t](kvolt::Context& c) -> kvolt::Task<> { co_await t.pause(c); },
                           [&t](kvolt::Context& c) {
                               t.point();
                               c.text("x");
                               t.point();
                           });
                   },
                   get("/"), whole(8, "x")});
    throw_at_each({"followers", 3,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) {
                           c.follow([&t](kvolt::Context&, kvolt::Phase) { t.point(); });
                           c.follow([&t](kvolt::Context&, kvolt::Phase) { t.point(); });
                           c.text("x");
                           t.point();
                       });
                   },
                   get("/"), whole(3, "x")});
    throw_at_each({"a body in parts", 4,
                   [](Throwing& t) {
                       t.app.post("/", kvolt::stream_body, [&t](kvolt::Context& c) -> kvolt::Task<> {
                           t.point();
                           while (co_await c.read_some()) t.point();
                           c.text("x");
                           co_await t.pause(c);
                       });
                   },
                   [](kvolt::testing::Client& client) { return outcome(client.post("/").body("body")); },
                   whole(4, "x")});
    throw_at_each({"a stream", 5,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
                           t.point();
                           auto stream = c.stream();
                           t.point();
                           co_await stream.write("a");
                           t.point();
                           co_await stream.write("b");
                           co_await t.pause(c);
                       });
                   },
                   get("/"), [](int at) { return at < 2   ? error_500
                                                 : at < 5 ? "cut off"
                                                          : "200 ab"; }});
    throw_at_each({"events", 3,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
                           t.point();
                           auto events = c.events();
                           t.point();
                           co_await events.send("a");
                           t.point();
                       });
                   },
                   get("/"), [](int at) { return at < 1   ? error_500
                                                 : at < 3 ? "cut off"
                                                          : "200 data: a\n\n"; }});
}

namespace {

// How a WebSocket ends that says something and closes; or how it is refused.
std::string talk(kvolt::testing::Client& client) try {
    auto socket = client.websocket("/").connect();
    socket.send("hi");
    client.settle();
    if (socket.close_code() == 0) socket.close(4000);
    return std::to_string(socket.close_code());
} catch (const std::runtime_error& error) {
    std::string what = error.what();
    return what.substr(what.find("500"));
}

}  // namespace

TEST_CASE("throw: wherever a handler of a WebSocket does, that is a 500 before the upgrade and 1011 behind it") {
    throw_at_each({"a coroutine", 10,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
                           co_await t.pause(c);
                           auto socket = co_await c.upgrade();
                           co_await t.pause(c);
                           auto seat = t.hub.join(socket, "ann");
                           t.point();
                           while (auto message = co_await socket.read()) {
                               t.point();
                               t.hub.broadcast(*message);
                               socket.send("hi");
                               t.point();
                               co_await socket.drained();
                               t.point();
                           }
                           co_await t.pause(c);
                       });
                   },
                   talk, [](int at) { return at < 2   ? error_500
                                             : at < 8 ? "1011"
                                                      : "4000"; }});
    throw_at_each({"middleware around it", 4,
                   [](Throwing& t) {
                       t.app.get(
                           "/",
                           [&t](kvolt::Context& c, kvolt::Next next) -> kvolt::Task<> {
                               co_await t.pause(c);
                               co_await next();
                               co_await t.pause(c);
                           },
                           [&t](kvolt::Context& c) -> kvolt::Task<> {
                               auto socket = co_await c.upgrade();
                               auto seat = t.hub.join(socket, "ann");
                               while (co_await socket.read()) {
                               }
                           });
                   },
                   talk, [](int at) { return at < 2 ? error_500 : "4000"; }});
    throw_at_each({"a follower of the upgrade", 1,
                   [](Throwing& t) {
                       t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
                           c.follow([&t](kvolt::Context&, kvolt::Phase phase) {
                               if (phase == kvolt::Phase::upgraded) t.point();
                           });
                           auto socket = co_await c.upgrade();
                           auto seat = t.hub.join(socket, "ann");
                           while (co_await socket.read()) {
                           }
                       });
                   },
                   talk, [](int at) { return at < 1 ? "1011" : "4000"; }});
}

TEST_CASE("throw: wherever a callback of WebSocketHandlers does, that is 1011") {
    using Seat = kvolt::Hub<std::string>::Seat;
    throw_at_each({"plain callbacks", 3,
                   [](Throwing& t) {
                       t.app.websocket("/",
                                       kvolt::WebSocketHandlers<Seat>()
                                           .on_open([&t](kvolt::Context&, kvolt::WebSocket& socket) {
                                               auto seat = t.hub.join(socket, "ann");
                                               t.point();
                                               return seat;
                                           })
                                           .on_message([&t](kvolt::WebSocket&, Seat&, kvolt::Message&) { t.point(); })
                                           .on_close([&t](kvolt::WebSocket&, Seat&) { t.point(); }));
                   },
                   talk, [](int at) { return at < 2 ? "1011" : "4000"; }});
}

TEST_CASE("throw: what a hub calls is logged, whoever waits for what follows") {
    throw_at_each({"hooks", 3,
                   [](Throwing& t) {
                       t.hub.on_join([&t](const auto& presence) {
                           if (presence.member == "ann") t.point();
                       });
                       t.hub.on_leave([&t](const auto& presence) {
                           if (presence.member == "ann") t.point();
                       });
                       t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
                           auto socket = co_await c.upgrade();
                           auto seat = t.hub.join(socket, "ann");
                           while (auto message = co_await socket.read())
                               t.hub.broadcast_if(*message, [&t](const std::string& name) {
                                   if (name == "ann") t.point();
                                   return true;
                               });
                       });
                   },
                   talk, [](int) { return "4000"; }});
}

TEST_CASE("throw: a predicate that does so costs one member one message, and no place in the order") {
    Throwing t(-1);
    t.hub.on_join([&t](const auto& presence) {
        if (presence.member != "ann") return;
        t.hub.broadcast_if("for some", [](const std::string& name) -> bool {
            if (name == "ann") throw 42;
            return true;
        });
        t.hub.broadcast("for all");
    });
    t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
        auto socket = co_await c.upgrade();
        auto seat = t.hub.join(socket, "ann");
        co_await socket.read();
    });
    auto client = test::client_of(t.app);
    auto member = client.websocket("/friend").connect();
    client.settle();
    auto ann = client.websocket("/").connect();
    CHECK(ann.read_text() == "for all");
    CHECK(member.read_text() == "for some");
    CHECK(member.read_text() == "for all");
    CHECK(ann.waiting() == 0);
    CHECK(member.waiting() == 0);
    REQUIRE(t.log.size() == 1);
    CHECK(t.log[0].find("no std::exception") != std::string::npos);
}

TEST_CASE("throw: what is told of slow members may do so") {
    for (int at = 0; at <= 2; ++at) {
        Throwing t(at);
        t.hub.on_behind([&t](kvolt::SeatId, const std::string&) { t.point(); });
        t.hub.on_caught_up([&t](kvolt::SeatId, const std::string&) { t.point(); });
        t.app.get("/", [&t](kvolt::Context& c) -> kvolt::Task<> {
            auto socket = co_await c.upgrade();
            auto seat = t.hub.join(socket, "slow");
            seat.backlog(10000, 100);
            co_await socket.read();
        });
        auto client = test::client_of(t.app);
        auto member = client.websocket("/friend").connect();
        client.socket_buffer(1000);
        auto slow = client.websocket("/").connect();
        slow.pause();
        for (int i = 0; i < 8; ++i) {
            member.send(std::string(1000, 'm'));
            client.settle();
        }
        CHECK(t.passed == 1);
        slow.resume();
        CHECK(slow.waiting() == 8);
        CHECK(member.waiting() == 8);
        client.settle();
        CHECK(t.passed == 2);
        CHECK(t.log.size() == (at < 2 ? 1 : 0));
        CHECK(t.hub.size() == 2);
    }
}
