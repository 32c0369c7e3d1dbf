#include "catch.hpp"
#include "eventually.hpp"
#include "websocket_server.hpp"
#include <kvolt/error.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace boost::asio::experimental::awaitable_operators;
using boost::asio::use_awaitable;
using kvolt::Context;
using kvolt::Limits;
using kvolt::Message;
using kvolt::SendResult;
using kvolt::Task;
using kvolt::WebSocket;
using test::Client;
using test::frame;
using test::mebibyte;
using test::Server;

/// Echoes, and reports how each connection ended.
struct EchoServer : Server {
    explicit EchoServer(const Limits& limits = {}, std::size_t threads = 1) : Server(limits, threads) {
        app.get("/ws", [this](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) socket.send(*message);
            endings.add(test::ending(socket));
        });
        start();
    }
};

std::string numbered(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i % 90);
    return text;
}

// Messages

TEST_CASE("websocket: echo of all sizes and kinds") {
    Limits limits;
    limits.message_size = 16 * mebibyte;
    EchoServer server(limits, GENERATE(1, 4));
    auto client = server.connect();
    for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{125}, std::size_t{126}, std::size_t{65535},
                             std::size_t{65536}, 16 * mebibyte})
        for (int opcode : {test::text, test::binary}) {
            INFO(size << " bytes, opcode " << opcode);
            const std::string payload = numbered(size);
            client.send_frame(opcode, payload);
            auto answer = client.read_frame();
            CHECK(answer.fin);
            CHECK(answer.opcode == opcode);
            CHECK((answer.payload == payload));
        }
    client.send_frame(test::close, test::close_payload(1000));
    CHECK(test::closing(client) == "1000");
    CHECK(server.endings.next() == "1000");
}

TEST_CASE("websocket: any mask is taken off") {
    EchoServer server;
    auto client = server.connect();
    for (std::string key : {"\0\0\0\0"s, "\xFF\xFF\xFF\xFF"s, "\x01\0\0\0"s, "\x9A\x00\xF1\x37"s}) {
        const std::string payload = numbered(1000);
        std::string bytes = frame(test::text, std::string(payload.size(), '\0'));
        for (std::size_t i = 0; i < 4; ++i) bytes[4 + i] = key[i];
        for (std::size_t i = 0; i < payload.size(); ++i) bytes[8 + i] = static_cast<char>(payload[i] ^ key[i % 4]);
        client.send(bytes);
        CHECK(test::read_text(client) == payload);
    }
}

TEST_CASE("websocket: fragments, and control frames between them") {
    const std::string begin = frame(test::text, "a", false), empty = frame(test::text, "", false),
                      middle = frame(test::continuation, "b", false), nothing = frame(test::continuation, "", false),
                      end = frame(test::continuation, "c"), stop = frame(test::continuation, ""),
                      ping = frame(test::ping, "p"), pong = frame(test::pong, "unasked");
    struct Case {
        std::string bytes, text;
        int pongs;
    };
    const std::vector<Case> cases = {
        {begin + end, "ac", 0},
        {begin + middle + middle + end, "abbc", 0},
        {empty + end, "c", 0},
        {begin + nothing + nothing + end, "ac", 0},
        {begin + stop, "a", 0},
        {empty + stop, "", 0},
        {begin + ping + middle + ping + ping + end, "abc", 3},
        {empty + ping + nothing + pong + stop, "", 1},
        {ping + pong + begin + end + ping, "ac", 2},
        {frame(test::text, "\xC3", false) + frame(test::continuation, "\xA9"), "\xC3\xA9", 0},
    };
    EchoServer server;
    auto client = server.connect();
    bool byte_by_byte = GENERATE(false, true);
    for (const Case& c : cases) {
        INFO("case " << &c - cases.data());
        if (byte_by_byte)
            for (char byte : c.bytes) client.send({&byte, 1});
        else
            client.send(c.bytes);
        int pongs = 0;
        std::string text;
        for (int left = c.pongs + 1; left > 0; --left) {
            auto answer = client.read_frame();
            if (answer.opcode == test::pong)
                pongs += answer.payload == "p";
            else
                text = answer.payload;
        }
        CHECK(pongs == c.pongs);
        CHECK(text == c.text);
    }
}

TEST_CASE("websocket: many messages in one segment are answered in order") {
    EchoServer server;
    auto client = server.connect();
    std::string bytes;
    for (int i = 0; i < 500; ++i) bytes += frame(i % 2 ? test::text : test::binary, std::to_string(i));
    client.send(bytes);
    for (int i = 0; i < 500; ++i) {
        auto answer = client.read_frame();
        REQUIRE(answer.payload == std::to_string(i));
        REQUIRE(answer.opcode == (i % 2 ? test::text : test::binary));
    }
}

// Bad input

TEST_CASE("websocket: what breaks the protocol is answered with a close code") {
    const std::string part = frame(test::text, "a", false);
    auto with_first_byte = [](int first) {
        std::string bytes = frame(test::text, "a");
        bytes[0] = static_cast<char>(first);
        return bytes;
    };
    struct Case {
        const char* name;
        std::string bytes;
        int code;
    };
    const std::vector<Case> cases = {
        {"not masked", frame(test::text, "a", true, false), 1002},
        {"RSV1", with_first_byte(0xC1), 1002},
        {"RSV2", with_first_byte(0xA1), 1002},
        {"RSV3", with_first_byte(0x91), 1002},
        {"opcode 3", with_first_byte(0x83), 1002},
        {"opcode 7", with_first_byte(0x87), 1002},
        {"opcode 11", with_first_byte(0x8B), 1002},
        {"opcode 15", with_first_byte(0x8F), 1002},
        {"fragmented ping", frame(test::ping, "a", false), 1002},
        {"fragmented close", frame(test::close, "", false), 1002},
        {"ping of 126 bytes", frame(test::ping, std::string(126, 'a')), 1002},
        {"close of 126 bytes", frame(test::close, test::close_payload(1000, std::string(124, 'a'))), 1002},
        {"continuation of nothing", frame(test::continuation, "a"), 1002},
        {"continuation after the end", part + frame(test::continuation, "b") + frame(test::continuation, "c"), 1002},
        {"text inside fragments", part + frame(test::text, "b"), 1002},
        {"binary inside fragments", part + frame(test::binary, "b", false), 1002},
        {"length in too many bytes", "\x81\xFE"s + "\0\x01"s + "mask" + "a", 1002},
        {"length in far too many bytes", "\x81\xFF"s + "\0\0\0\0\0\0\0\x01"s + "mask" + "a", 1002},
        {"length of 64 bits", "\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s + "mask", 1002},
        {"length of 63 bits", "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s + "mask", 1009},
        {"lone continuation byte", frame(test::text, "\x80"), 1007},
        {"overlong", frame(test::text, "\xC0\xAF"), 1007},
        {"surrogate", frame(test::text, "\xED\xA0\x80"), 1007},
        {"above U+10FFFF", frame(test::text, "\xF4\x90\x80\x80"), 1007},
        {"cut character", frame(test::text, "hello \xE2\x82"), 1007},
        {"bad byte over fragments", frame(test::text, "\xE2", false) + frame(test::continuation, "A"), 1007},
        {"cut character over fragments", frame(test::text, "\xE2", false) + frame(test::continuation, "\x82"), 1007},
        {"cut character before an empty fragment", frame(test::text, "\xCF", false) + frame(test::continuation, ""),
         1007},
        {"the same with four bytes", frame(test::text, "\xF0\x9F\x98", false) + frame(test::continuation, ""), 1007},
        {"close of 1 byte", frame(test::close, "\x03"), 1002},
        {"close 0", frame(test::close, test::close_payload(0)), 1002},
        {"close 999", frame(test::close, test::close_payload(999)), 1002},
        {"close 1004", frame(test::close, test::close_payload(1004)), 1002},
        {"close 1005", frame(test::close, test::close_payload(1005)), 1002},
        {"close 1006", frame(test::close, test::close_payload(1006)), 1002},
        {"close 1015", frame(test::close, test::close_payload(1015)), 1002},
        {"close 1016", frame(test::close, test::close_payload(1016)), 1002},
        {"close 2999", frame(test::close, test::close_payload(2999)), 1002},
        {"close reason that is no UTF-8", frame(test::close, test::close_payload(1000, "\xFF")), 1007},
    };
    EchoServer server;
    auto bystander = server.connect();
    for (const Case& c : cases) {
        INFO(c.name);
        auto client = server.connect();
        client.send(c.bytes + frame(test::text, "too late"));
        CHECK(test::closing(client).substr(0, 4) == std::to_string(c.code));
        CHECK(client.ended());
        CHECK(server.endings.next().substr(0, 4) == std::to_string(c.code));
    }
    bystander.send_frame(test::text, "still here?");
    CHECK(test::read_text(bystander) == "still here?");
}

TEST_CASE("websocket: binary messages may hold any bytes") {
    EchoServer server;
    auto client = server.connect();
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    client.send_frame(test::binary, all);
    CHECK(client.read_frame().payload == all);
}

// Limits

TEST_CASE("websocket: message_size") {
    Limits limits;
    limits.message_size = 1000;
    EchoServer server(limits);
    auto within = server.connect();
    within.send_frame(test::text, numbered(1000));
    CHECK(test::read_text(within).size() == 1000);
    within.send(frame(test::text, numbered(600), false) + frame(test::continuation, numbered(400)));
    CHECK(test::read_text(within).size() == 1000);

    const std::string one_more = frame(test::text, numbered(1001)),
                      in_pieces = frame(test::text, numbered(600), false) + frame(test::continuation, numbered(401)),
                      announced = one_more.substr(0, 8);
    for (const std::string& bytes : {one_more, in_pieces, announced}) {
        auto client = server.connect();
        client.send(bytes);
        CHECK(test::closing(client) == "1009 the message is too big");
        CHECK(client.ended());
        CHECK(server.endings.next() == "1009 the message is too big");
    }
}

TEST_CASE("websocket: message_fragments, also of empty ones") {
    Limits limits;
    limits.message_fragments = 10;
    EchoServer server(limits);
    const std::string payload = GENERATE("", "x");
    auto pieces = [&](int count) {
        std::string bytes = frame(test::text, payload, false);
        for (int i = 2; i < count; ++i) bytes += frame(test::continuation, payload, false) + frame(test::ping, "");
        return bytes + frame(test::continuation, payload);
    };
    auto within = server.connect();
    for (int round = 0; round < 3; ++round) {
        within.send(pieces(10));
        test::Frame answer;
        do answer = within.read_frame();
        while (answer.opcode == test::pong);
        CHECK(answer.payload.size() == 10 * payload.size());
    }
    auto client = server.connect();
    client.send(pieces(11));
    CHECK(test::closing(client) == "1008 too many fragments");
    CHECK(client.ended());
    CHECK(server.endings.next() == "1008 too many fragments");

    auto endless = server.connect();
    endless.send(frame(test::text, payload, false));
    for (int i = 0; i < 20; ++i) endless.send(frame(test::continuation, payload, false));
    CHECK(test::closing(endless) == "1008 too many fragments");
}

TEST_CASE("websocket: a silent peer is pinged, and is dead if it stays silent") {
    Limits limits;
    limits.ping_interval = 200ms;
    limits.silence_timeout = 1s;
    EchoServer server(limits);
    auto silent = server.connect(), answering = server.connect();
    for (int i = 0; i < 7; ++i) {  // longer than silence_timeout
        auto ping = answering.read_frame();
        REQUIRE(ping.opcode == test::ping);
        answering.send_frame(test::pong, ping.payload);
    }
    answering.send_frame(test::text, "alive");
    CHECK(test::read_text(answering) == "alive");

    CHECK(silent.read_frame().opcode == test::ping);
    CHECK(silent.read_to_end().find('\x88') == std::string::npos);  // no close frame
    CHECK(server.endings.next() == "1006");
}

TEST_CASE("websocket: pongs tell the round-trip time") {
    Limits limits;
    limits.ping_interval = 100ms;
    Server server(
        [](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (auto message = co_await socket.read()) {
                auto time = socket.round_trip_time();
                socket.send(time ? std::to_string(time->count()) : "unknown");
            }
        },
        limits);
    auto client = server.connect();
    auto ask = [&] {
        client.send_frame(test::text, "?");
        test::Frame answer = client.read_frame();
        while (answer.opcode == test::ping) answer = client.read_frame();
        return answer.payload;
    };
    CHECK(ask() == "unknown");
    client.send_frame(test::pong, "1");  // to a ping that was not sent yet
    CHECK(ask() == "unknown");
    auto first = client.read_frame();
    REQUIRE(first.opcode == test::ping);
    client.send_frame(test::pong, first.payload + "x");
    CHECK(ask() == "unknown");
    auto second = client.read_frame();
    REQUIRE(second.opcode == test::ping);
    std::this_thread::sleep_for(20ms);  // the network is slow
    client.send_frame(test::pong, second.payload);
    CHECK(std::stol(ask()) >= 20'000);
}

TEST_CASE("websocket: a peer that talks and takes nothing is dead after silence_timeout") {
    Limits limits;
    limits.silence_timeout = 500ms;
    test::Reports<std::string> endings;
    Server server(
        [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            while (socket.send(numbered(60000)) == SendResult::queued) co_await socket.drained();
            while (co_await socket.read()) {
            }
            endings.add(test::ending(socket));
        },
        limits);
    auto client = server.connect("/ws", 4096);
    while (client.send_frame(test::text, "I am here") && endings.empty()) std::this_thread::sleep_for(10ms);
    CHECK(endings.next() == "1006");
}

// Closing

TEST_CASE("websocket: the peer closes") {
    struct Case {
        std::string sent, answer, seen;
    };
    const std::vector<Case> cases = {
        {test::close_payload(1000), "1000", "1000"},
        {test::close_payload(1000, "bye"), "1000", "1000 bye"},
        {test::close_payload(1001, "tab closed"), "1001", "1001 tab closed"},
        {test::close_payload(3000), "3000", "3000"},
        {test::close_payload(4999, std::string(123, 'x')), "4999", "4999 " + std::string(123, 'x')},
        {test::close_payload(4000, "gr\xC3\xBC\xC3\x9F dich"), "4000", "4000 gr\xC3\xBC\xC3\x9F dich"},
        {"", "1005", "1005"},
    };
    EchoServer server;
    for (const Case& c : cases) {
        INFO(c.seen);
        auto client = server.connect();
        client.send(frame(test::text, "last") + frame(test::close, c.sent) + frame(test::text, "after") +
                    frame(test::ping, "after"));
        CHECK(test::read_text(client) == "last");
        CHECK(test::closing(client) == c.answer);
        CHECK(client.ended());
        CHECK(server.endings.next() == c.seen);
    }
}

TEST_CASE("websocket: the handler closes") {
    struct Case {
        std::uint16_t code;
        std::string reason, sent;
    };
    const std::string long_reason = std::string(122, 'x') + "\xC3\xBC";
    const std::vector<Case> cases = {
        {1000, "", "1000"}, {1001, "bye", "1001 bye"},   {1013, "later", "1013 later"},
        {3000, "", "3000"}, {4999, "done", "4999 done"}, {4000, long_reason, "4000 " + std::string(122, 'x')}};
    for (const Case& c : cases) {
        INFO(c.sent);
        test::Reports<std::string> endings;
        Server server([&](Context& context) -> Task<> {
            auto socket = co_await context.upgrade();
            auto message = co_await socket.read();
            socket.send("last");
            socket.close(c.code, c.reason);
            socket.close(4001, "the first one counts");
            if (socket.send("too late") != SendResult::dropped) endings.add("sent after close");
            if (co_await socket.read()) endings.add("read after close");
            endings.add(test::ending(socket));
        });
        auto client = server.connect();
        client.send(frame(test::text, "close, please") + frame(test::text, "unread"));
        CHECK(test::read_text(client) == "last");
        CHECK(endings.next() == test::ending(c.code, c.reason));  // does not wait for the peer
        client.send_frame(test::text, "ignored");
        CHECK(test::closing(client) == c.sent);
        client.send_frame(test::ping, "ignored");
        client.send_frame(test::close, test::close_payload(c.code));
        CHECK(client.ended());
    }
}

TEST_CASE("websocket: codes that must not be sent are refused") {
    Server server([](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        std::string refused;
        for (int code : {0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535}) try {
                socket.close(static_cast<std::uint16_t>(code));
            } catch (const std::invalid_argument&) {
                refused += std::to_string(code) + ' ';
            }
        socket.send(refused);
    });
    auto client = server.connect();
    CHECK(test::read_text(client) == "0 1 999 1004 1005 1006 1015 1016 2999 5000 65535 ");
}

TEST_CASE("websocket: both close at once") {
    Server server([](Context& c) -> Task<> { (co_await c.upgrade()).close(4001, "mine"); });
    auto client = server.client();
    client.send(test::handshake_request("/ws") + frame(test::close, test::close_payload(4002, "yours")));
    CHECK(client.read_response().status == 101);
    CHECK(test::closing(client) == "4001 mine");
    CHECK(client.ended());
}

TEST_CASE("websocket: a peer that does not answer a close is cut off after close_timeout") {
    Limits limits;
    limits.close_timeout = 300ms;
    bool handler_closes = GENERATE(true, false);
    Server server(
        [=](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            if (handler_closes) socket.close(4000);
            while (co_await socket.read()) {
            }
        },
        limits);
    auto since = std::chrono::steady_clock::now();
    auto client = server.connect();
    if (!handler_closes) client.send_frame(test::text, "not masked", true, false);
    CHECK(test::closing(client) == (handler_closes ? "4000" : "1002 a frame without a mask"));
    CHECK(client.ended());
    if (handler_closes)
        CHECK(std::chrono::steady_clock::now() - since > 150ms);
    else
        while (client.send_frame(test::text, "still talking")) std::this_thread::sleep_for(1ms);
    CHECK(std::chrono::steady_clock::now() - since < 3s);
}

TEST_CASE("websocket: a peer that vanishes is 1006, wherever it was") {
    EchoServer server({}, GENERATE(1, 4));
    const std::string whole = frame(test::text, numbered(1000));
    const std::vector<std::string> beginnings = {"",
                                                 whole.substr(0, 1),
                                                 whole.substr(0, 7),
                                                 whole.substr(0, 500),
                                                 frame(test::text, "a", false),
                                                 frame(test::ping, "a").substr(0, 3)};
    for (const std::string& bytes : beginnings)
        for (std::string how : {"close", "half close", "reset"}) {
            INFO(how << " after " << bytes.size() << " bytes");
            auto client = server.connect();
            client.send(frame(test::text, "hi") + bytes);
            CHECK(test::read_text(client) == "hi");
            if (how == "close") client.close();
            if (how == "half close") client.half_close();
            if (how == "reset") client.reset();
            CHECK(server.endings.next() == "1006");
            if (how == "half close") CHECK(client.ended());
        }
}

// Handlers

TEST_CASE("websocket: a handler that returns closes with 1000, one that throws with 1011") {
    Server server;
    server.app.get("/returns", [](Context& c) -> Task<> { (co_await c.upgrade()).send("bye"); });
    server.app.get("/throws", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.send("bye");
        throw std::runtime_error("lost my way");
    });
    server.app.get("/throws_later", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        co_await socket.read();
        socket.send("bye");
        throw 42;
    });
    server.app.get("/http_error", [](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.send("bye");
        throw kvolt::HttpError(404, "too late for that");
    });
    server.start();

    struct Case {
        const char *path, *close, *logged;
    };
    const std::vector<Case> cases = {{"/returns", "1000", ""},
                                     {"/throws", "1011", "lost my way"},
                                     {"/throws_later", "1011", "no std::exception"},
                                     {"/http_error", "1011", "too late for that"}};
    for (const Case& c : cases) {
        INFO(c.path);
        auto client = server.connect(c.path);
        client.send_frame(test::text, "go on");
        CHECK(test::read_text(client) == "bye");
        CHECK(test::closing(client) == c.close);
        client.send_frame(test::close, "");
        CHECK(client.ended());
        if (*c.logged) {
            auto line = server.log.next();
            CHECK(line.find(c.path) != std::string::npos);
            CHECK(line.find(c.logged) != std::string::npos);
        }
    }
    CHECK(server.log.empty());
}

TEST_CASE("websocket: read() ends once, and is over at once from then on") {
    test::Reports<std::string> reports;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (auto message = co_await socket.read())
            reports.add(message->payload + (socket.is_open() ? " open" : " over"));
        for (int i = 0; i < 3; ++i) reports.add(co_await socket.read() ? "again" : "over");
        reports.add(test::ending(socket) + (socket.is_open() ? " open" : " over"));
    });
    auto client = server.connect();
    client.send_frame(test::text, "hi");
    CHECK(reports.next() == "hi open");
    client.send_frame(test::close, test::close_payload(1001));
    for (const char* expected : {"over", "over", "over", "1001 over"}) CHECK(reports.next() == expected);
}

TEST_CASE("websocket: what came before the close is still read") {
    test::Reports<std::string> reports;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        reports.add("go");
        boost::asio::steady_timer later(c.executor(), 50ms);
        co_await later.async_wait(use_awaitable);
        while (auto message = co_await socket.read()) reports.add(message->payload);
        reports.add(test::ending(socket));
    });
    auto client = server.connect();
    CHECK(reports.next() == "go");
    client.send(frame(test::text, "one") + frame(test::text, "two") + frame(test::close, test::close_payload(1000)));
    bool vanishes = GENERATE(false, true);
    if (vanishes) client.close();
    for (const char* expected : {"one", "two", "1000"}) CHECK(reports.next() == expected);
}

Task<std::string> second_read(WebSocket socket) {
    try {
        co_await socket.read();
    } catch (const std::logic_error&) {
        co_return "refused";
    }
    co_return "read";
}

Task<std::string> second_drained(WebSocket socket) {
    try {
        co_await socket.drained();
    } catch (const std::logic_error&) {
        co_return "refused";
    }
    co_return "drained";
}

TEST_CASE("websocket: a second read() or drained() beside one that waits is refused") {
    test::Reports<std::string> reports;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto [message, read] = co_await (socket.read() && second_read(socket));
        reports.add("read() " + read);
        while (socket.send(numbered(60000)) != SendResult::backpressure) {
            boost::asio::steady_timer turn(c.executor(), 0ms);
            co_await turn.async_wait(use_awaitable);
        }
        reports.add("full");
        auto drained = co_await (socket.drained() && second_drained(socket));
        reports.add("drained() " + drained);
    });
    auto client = server.connect("/ws", 4096);
    client.send_frame(test::text, "first");
    CHECK(reports.next() == "read() refused");
    CHECK(reports.next() == "full");
    CHECK(test::closing(client) == "1000");
    CHECK(reports.next() == "drained() refused");
}

TEST_CASE("websocket: read and drained are for the connection's own loop") {
    std::optional<WebSocket> other;
    Server server({}, 2);
    server.app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        if (!other) {
            other = socket;
            socket.send("I am the other");
            co_await socket.read();
            co_return;
        }
        std::string result;
        try {
            co_await other->read();
        } catch (const std::logic_error&) {
            result += "read ";
        }
        try {
            co_await other->drained();
        } catch (const std::logic_error&) {
            result += "drained";
        }
        socket.send(result);
        other->send("sent from another loop");
    });
    server.start();
    auto first = server.connect();
    CHECK(test::read_text(first) == "I am the other");
    auto second = server.connect();
    CHECK(test::read_text(second) == "read drained");
    CHECK(test::read_text(first) == "sent from another loop");
}

TEST_CASE("websocket: cancelling a read loses no message") {
    std::atomic<int> cancelled = 0;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        boost::asio::steady_timer timer(c.executor());
        for (int round = 0;; ++round) {
            timer.expires_after(std::chrono::microseconds(round % 4 * 50));
            auto result = co_await (socket.read() || timer.async_wait(use_awaitable));
            if (result.index() == 1) {
                ++cancelled;
                continue;
            }
            const auto& message = std::get<0>(result);
            if (!message) break;
            socket.send(*message);
        }
    });
    auto client = server.connect();
    CHECK(test::eventually([&] { return cancelled > 10; }));
    constexpr int count = 2000;
    auto sender = std::async(std::launch::async, [&] {
        for (int i = 0; i < count; ++i) client.send_frame(test::text, std::to_string(i));
    });
    for (int i = 0; i < count; ++i) REQUIRE(test::read_text(client) == std::to_string(i));
    sender.get();
    CHECK(cancelled > 10);
}

TEST_CASE("websocket: a handler that does not read still sees the end") {
    test::Reports<std::string> reports;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        socket.send("not reading");
        boost::asio::steady_timer timer(c.executor());
        while (socket.is_open()) {
            timer.expires_after(1ms);
            co_await timer.async_wait(use_awaitable);
        }
        reports.add(test::ending(socket));
    });
    auto closing = server.connect();
    CHECK(test::read_text(closing) == "not reading");
    closing.send_frame(test::ping, "anyone?");
    CHECK(closing.read_frame().payload == "anyone?");
    closing.send_frame(test::close, test::close_payload(1000, "bye"));
    CHECK(test::closing(closing) == "1000");
    CHECK(reports.next() == "1000 bye");

    auto vanishing = server.connect();
    CHECK(test::read_text(vanishing) == "not reading");
    vanishing.close();
    CHECK(reports.next() == "1006");
}

// Handles

TEST_CASE("websocket: other threads cannot send more than the loop takes in") {
    Limits limits;
    limits.backlog.bytes = 100000;
    test::Reports<WebSocket> sockets;
    Server server(
        [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            sockets.add(socket);
            while (co_await socket.read()) {
            }
        },
        limits);
    auto client = server.connect();
    auto socket = sockets.next();
    const std::string filler = numbered(1000);
    std::size_t sent = 0;
    {
        test::Blocked blocked(*server.app.loops()->front());
        while (socket.send(std::to_string(sent) + ' ' + filler) == SendResult::queued) REQUIRE(++sent < 150);
        CHECK(sent > 50);
        CHECK(socket.send("too much") == SendResult::dropped);
    }
    for (std::size_t i = 0; i < sent; ++i) REQUIRE(test::read_text(client).starts_with(std::to_string(i) + ' '));
    CHECK(test::eventually([&] { return socket.send("room again") == SendResult::queued; }));
    CHECK(test::read_text(client) == "room again");
}

TEST_CASE("websocket: send and close from other threads") {
    test::Reports<WebSocket> sockets;
    test::Reports<std::string> endings;
    Server server({}, GENERATE(1, 4));
    server.app.get("/ws", [&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        sockets.add(socket);
        while (co_await socket.read()) {
        }
        endings.add(test::ending(socket));
    });
    server.start();
    auto client = server.connect();
    auto socket = sockets.next();
    constexpr int count = 300;
    auto send_all = [socket](char name) mutable {
        for (int i = 0; i < count; ++i) socket.send(name + std::to_string(i));
    };
    std::jthread a(send_all, 'a'), b(send_all, 'b');
    int next_a = 0, next_b = 0;
    for (int i = 0; i < 2 * count; ++i) {
        std::string text = test::read_text(client);
        int& next = text[0] == 'a' ? next_a : next_b;
        REQUIRE(text.substr(1) == std::to_string(next++));
    }
    a.join();
    b.join();
    CHECK(socket.is_open());
    CHECK(socket.close_code() == 0);
    socket.send(Message{"\xFF", true});
    CHECK(client.read_frame().opcode == test::binary);
    socket.close(4001, "from afar");
    CHECK(test::closing(client) == "4001 from afar");
    CHECK(endings.next() == "4001 from afar");
    CHECK(socket.send("too late") == SendResult::dropped);
    socket.close(4002);
    CHECK(test::ending(socket) == "4001 from afar");
}

TEST_CASE("websocket: a handle outlives its connection and its app") {
    test::Reports<WebSocket> sockets;
    std::vector<WebSocket> kept;
    {
        Server server(
            [&](Context& c) -> Task<> {
                auto socket = co_await c.upgrade();
                sockets.add(socket);
                while (co_await socket.read()) {
                }
            },
            {}, 2);
        {
            auto gone = server.connect();
            kept.push_back(sockets.next());
            gone.reset();
            CHECK(test::eventually([&] { return !kept[0].is_open(); }));
            CHECK(kept[0].send("hi") == SendResult::dropped);
        }
        auto open = server.connect();
        kept.push_back(sockets.next());
        auto stopped = std::async(std::launch::async, [&] { server.app.stop(); });
        CHECK(test::closing(open) == "1001");
        open.send_frame(test::close, test::close_payload(1001));
        CHECK(open.ended());
        open.close();
        stopped.get();
        CHECK(kept[1].send("hi") == SendResult::dropped);
    }
    for (WebSocket& socket : kept) {
        CHECK_FALSE(socket.is_open());
        CHECK(socket.send("hi") == SendResult::dropped);
        socket.close();
        CHECK(socket.protocol() == "");
    }
    CHECK(test::ending(kept[0]) == "1006");
    CHECK(test::ending(kept[1]) == "1001");
}

TEST_CASE("websocket: other threads send and close while the app stops") {
    test::Reports<WebSocket> sockets;
    Limits limits;
    limits.drain_timeout = 200ms;
    Server server(
        [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            sockets.add(socket);
            while (co_await socket.read()) {
            }
        },
        limits, GENERATE(1, 4));
    std::vector<Client> clients;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(server.connect());
        threads.emplace_back([socket = sockets.next(), i]() mutable {
            while (socket.send("hi") != SendResult::dropped) std::this_thread::sleep_for(100us);
            if (i % 2) socket.close(4000, "late");
            static_cast<void>(test::ending(socket));
        });
    }
    server.app.stop();
    threads.clear();
}

TEST_CASE("websocket: stop() does not wait for peers that do not answer, and not for handlers that hang") {
    Limits limits;
    limits.drain_timeout = 300ms;
    Server server(
        [](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            boost::asio::steady_timer never(c.executor(), boost::asio::steady_timer::time_point::max());
            co_await never.async_wait(use_awaitable);
        },
        limits, GENERATE(1, 4));
    auto client = server.connect(), other = server.connect();
    auto since = std::chrono::steady_clock::now();
    server.app.stop();
    CHECK(std::chrono::steady_clock::now() - since < 3s);
    CHECK(test::closing(client) == "1001");
    CHECK(client.ended());
}

TEST_CASE("websocket: an upgrade while the server stops is closed with 1001") {
    test::Reports<std::string> reports;
    std::atomic<bool> stopping = false;
    Server server([&](Context& c) -> Task<> {
        reports.add("in the handler");
        boost::asio::steady_timer timer(c.executor());
        while (!stopping) {
            timer.expires_after(1ms);
            co_await timer.async_wait(use_awaitable);
        }
        timer.expires_after(200ms);  // by then the loop has been told
        co_await timer.async_wait(use_awaitable);
        auto socket = co_await c.upgrade();
        while (co_await socket.read()) {
        }
        reports.add(test::ending(socket));
    });
    auto client = server.client();
    client.send(test::handshake_request("/ws"));
    CHECK(reports.next() == "in the handler");
    auto stopped = std::async(std::launch::async, [&] {
        stopping = true;
        server.app.stop();
    });
    CHECK(client.read_response().status == 101);
    CHECK(test::closing(client) == "1001");
    client.send_frame(test::close, test::close_payload(1001));
    CHECK(client.ended());
    client.close();
    stopped.get();
    CHECK(reports.next() == "1001");
}

// Backpressure

TEST_CASE("websocket: a slow reader gets all that was sent before a close, however long it takes") {
    const std::string all = numbered(1000000);
    const bool closes_at_once = GENERATE(true, false);
    Limits limits;
    limits.close_timeout = 500ms;
    if (!closes_at_once) {
        limits.silence_timeout = 600ms;
        limits.ping_interval = 200ms;
    }
    Server server(
        [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            socket.send(all);
            if (!closes_at_once) co_await socket.drained();
        },
        limits);
    auto client = server.connect("/ws", 16 * 1024);
    client.read(10);  // the head
    for (std::size_t at = 0; at < all.size(); at += 50000) {
        bool as_sent = client.read(50000) == all.substr(at, 50000);
        REQUIRE(as_sent);
        std::this_thread::sleep_for(100ms);  // a slow network: two seconds for all
    }
    auto next = client.read_frame();
    while (next.opcode == test::ping) next = client.read_frame();
    CHECK(next.opcode == test::close);
}

TEST_CASE("websocket: drained() waits for a slow reader, and then all has arrived") {
    constexpr int count = 200;
    const std::string filler = numbered(50000);
    test::Reports<std::string> reports;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        int waits = 0;
        for (int i = 0; i < count; ++i) {
            auto result = socket.send(std::to_string(i) + ' ' + filler);
            if (result == SendResult::dropped) reports.add("dropped");
            if (result != SendResult::backpressure) continue;
            if (waits++ == 0) reports.add("backpressure");
            co_await socket.drained();
        }
        co_await socket.drained();
        reports.add("drained");
    });
    auto client = server.connect("/ws", 4096);
    CHECK(reports.next() == "backpressure");
    CHECK(reports.empty());
    for (int i = 0; i < count; ++i) REQUIRE((test::read_text(client) == std::to_string(i) + ' ' + filler));
    CHECK(reports.next() == "drained");
    CHECK(test::closing(client) == "1000");
}

TEST_CASE("websocket: send() tells of backpressure before it drops, also within one turn") {
    test::Reports<SendResult> results;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        auto size = co_await socket.read();
        const std::string filler = numbered(std::stoul(size->payload));
        for (auto last = SendResult::queued; last != SendResult::dropped;) {
            auto result = socket.send(filler);
            if (result != last) results.add(result);
            last = result;
        }
    });
    for (int size = 200000; size < 500000; size += 20000) {  // whatever the kernel's buffers have room for
        INFO(size);
        auto client = server.connect("/ws", 4096);
        client.send_frame(test::text, std::to_string(size));
        CHECK(results.next() == SendResult::backpressure);
        CHECK(results.next() == SendResult::dropped);
    }
}

TEST_CASE("websocket: past its backlog send() drops, and tells so") {
    Limits limits;
    bool by_bytes = GENERATE(true, false);
    limits.backlog = by_bytes ? kvolt::Backlog{100000, 1000000} : kvolt::Backlog{100 * mebibyte, 10};
    const std::string filler = numbered(20000);
    test::Reports<int> reports;
    Server server(
        [&](Context& c) -> Task<> {
            auto socket = co_await c.upgrade();
            int sent = 0;
            while (socket.send(std::to_string(sent) + ' ' + filler) != SendResult::dropped) {
                ++sent;
                boost::asio::steady_timer turn(c.executor(), 0ms);
                co_await turn.async_wait(use_awaitable);
            }
            reports.add(sent);
            co_await socket.drained();
            socket.send("room again");
        },
        limits);
    auto client = server.connect("/ws", 4096);
    int sent = reports.next();
    CHECK(sent > 1);
    for (int i = 0; i < sent; ++i) REQUIRE((test::read_text(client) == std::to_string(i) + ' ' + filler));
    CHECK(test::read_text(client) == "room again");
    CHECK(test::closing(client) == "1000");
}

TEST_CASE("websocket: drained() ends when the connection does") {
    test::Reports<std::string> reports;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        while (socket.send(numbered(60000)) != SendResult::backpressure) {
            boost::asio::steady_timer turn(c.executor(), 0ms);
            co_await turn.async_wait(use_awaitable);
        }
        reports.add("full");
        co_await socket.drained();
        co_await socket.drained();
        reports.add("drained");
        while (co_await socket.read()) {
        }
        reports.add(test::ending(socket));
    });
    auto client = server.connect("/ws", 4096);
    CHECK(reports.next() == "full");
    client.reset();
    CHECK(reports.next() == "drained");
    CHECK(reports.next() == "1006");
}

TEST_CASE("websocket: a ping flood from a peer that does not read is stopped by TCP, and harms nobody") {
    EchoServer server;
    auto flooder = server.connect("/ws", 4096), other = server.connect();
    std::string pings;
    while (pings.size() < mebibyte) pings += frame(test::ping, std::string(125, 'p'));
    std::size_t sent = 0, before = test::resident_bytes();
    while (std::size_t size = flooder.send_some(std::string_view(pings).substr(sent % pings.size()), 500)) {
        sent += size;
        REQUIRE(sent < 256 * mebibyte);
        other.send_frame(test::text, "served");
        REQUIRE(test::read_text(other) == "served");
    }
    if (!test::sanitized) CHECK(test::resident_bytes() < before + 8 * mebibyte);
    flooder.reset();
    CHECK(server.endings.next() == "1006");
    other.send_frame(test::text, "still served");
    CHECK(test::read_text(other) == "still served");
}

TEST_CASE("websocket: a peer that sends more than the handler reads is slowed down by TCP") {
    constexpr std::size_t size = 50000;
    std::atomic<bool> reading = false;
    std::atomic<std::size_t> read = 0;
    Server server([&](Context& c) -> Task<> {
        auto socket = co_await c.upgrade();
        boost::asio::steady_timer timer(c.executor());
        while (!reading) {
            timer.expires_after(1ms);
            co_await timer.async_wait(use_awaitable);
        }
        while (auto message = co_await socket.read()) read += message->payload.size();
    });
    auto client = server.connect();
    const std::string message = frame(test::binary, std::string(size, 'x'));
    std::size_t sent = 0, before = test::resident_bytes();
    while (std::size_t some = client.send_some(std::string_view(message).substr(sent % message.size()), 300)) {
        sent += some;
        REQUIRE(sent < 256 * mebibyte);
    }
    if (!test::sanitized) CHECK(test::resident_bytes() < before + mebibyte);
    reading = true;
    client.send(std::string_view(message).substr(sent % message.size()));
    CHECK(test::eventually([&] { return read == (sent / message.size() + 1) * size; }));
}

}  // namespace
