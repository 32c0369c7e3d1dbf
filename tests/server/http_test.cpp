#include "../catch.hpp"
#include "client.hpp"
#include "start.hpp"
#include <kvolt.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Context;
using kvolt::Task;
using test::Client;
using namespace std::string_literals;

namespace {

Task<> echo_later(Context& c) {
    boost::asio::steady_timer timer(c.executor(), std::chrono::milliseconds(1));
    co_await timer.async_wait(boost::asio::use_awaitable);
    c.text(std::string(c.target()) + std::string(c.body()));
}

struct Echo : kvolt::App {
    Echo() {
        any("/later/*rest", echo_later);
        any("/*rest", [](Context& c) { c.text(std::string(c.target()) + std::string(c.body())); });
    }
};

}  // namespace

TEST_CASE("a connection is kept as its version and its Connection field say") {
    struct Case {
        std::string version, field, answer;
        bool kept;
    };
    const std::vector<Case> cases = {
        {"1.1", "", "", true},
        {"1.1", "Connection: keep-alive\r\n", "", true},
        {"1.1", "Connection: close\r\n", "close", false},
        {"1.1", "Connection: CLOSE\r\n", "close", false},
        {"1.1", "Connection: x, close\r\n", "close", false},
        {"1.0", "", "close", false},
        {"1.0", "Connection: close\r\n", "close", false},
        {"1.0", "Connection: keep-alive\r\n", "keep-alive", true},
    };
    Echo app;
    app.threads(GENERATE(1u, 4u));
    test::start(app);
    for (const Case& expected : cases)
        for (std::string target : {"/now", "/later/", "/caf%zz"}) {
            INFO(target << ' ' << expected.version << ' ' << expected.field);
            Client client(app.port());
            auto request =
                "GET " + target + " HTTP/" + expected.version + "\r\nHost: localhost\r\n" + expected.field + "\r\n";
            auto response = client.request(request);
            bool bad = target == "/caf%zz";
            CHECK(response.status == (bad ? 400 : 200));
            CHECK(response.field("connection") == (bad ? "close" : expected.answer));
            CHECK(response.field("date").ends_with(" GMT"));
            if (expected.kept && !bad)
                CHECK(client.request(request).status == 200);
            else
                CHECK(client.ended());
        }
}

TEST_CASE("50 requests in one segment are answered in order, and a client that has said all it wants gets all") {
    Echo app;
    app.threads(GENERATE(1u, 4u));
    test::start(app);
    Client client(app.port());
    std::string requests;
    for (int i = 0; i < 50; ++i)
        requests += "POST " + (i % 3 == 0 ? "/later/"s : "/now/"s) + std::to_string(i) +
                    " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n!";
    client.send(requests);
    client.half_close();
    for (int i = 0; i < 50; ++i)
        CHECK(client.read_response().body == (i % 3 == 0 ? "/later/"s : "/now/"s) + std::to_string(i) + '!');
    CHECK(client.ended());
}

TEST_CASE("what follows a request that closes the connection is not answered") {
    Echo app;
    test::start(app);
    Client client(app.port());
    client.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /more HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.read_response().body == "/last");
    CHECK(client.ended());
}

TEST_CASE("a request may come byte by byte, and behind empty lines") {
    Echo app;
    app.threads(GENERATE(1u, 4u));
    test::start(app);
    Client client(app.port());
    const std::string post = "POST /x HTTP/1.1\r\nHost: localhost\r\n";
    for (std::string request :
         {"\r\n\r\nGET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"s, "\r\n" + post + "Content-Length: 5\r\n\r\nhello",
          post + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n03\r\nllo\r\n0\r\nX: y\r\n\r\n"}) {
        for (char byte : request) client.send({&byte, 1});
        CHECK(client.read_response().body == (request.find("POST") == request.npos ? "/x" : "/xhello"));
    }
}

TEST_CASE("chunked bodies") {
    struct Case {
        std::string chunks, body;
    };
    const std::vector<Case> cases = {
        {"0\r\n\r\n", ""},
        {"5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n", "hello"},
        {"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
        {"005;name=\"value\"\r\nhello\r\n0;last\r\n\r\n", "hello"},
        {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
        {"0\r\nHost: evil\r\nAuthorization: evil\r\nX-Field: evil\r\n\r\n", ""},
        {"10000\r\n" + std::string(65536, 'x') + "\r\n0\r\n\r\n", std::string(65536, 'x')},
    };
    kvolt::App app;
    app.post("/", [](Context& c) {
        c.header("X-Fields", std::to_string(c.request().field_count()) + std::string(c.header("X-Field")));
        c.text(std::string(c.body()));
    });
    test::start(app);
    Client client(app.port());
    for (const Case& expected : cases) {
        INFO(expected.chunks.substr(0, 60));
        auto response = client.request("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n" +
                                       expected.chunks);
        CHECK(response.status == 200);
        CHECK(response.body == expected.body);
        CHECK(response.field("x-fields") == "2");
    }
}

TEST_CASE("Expect: 100-continue is answered once, where a body is still to come") {
    Echo app;
    test::start(app);
    Client client(app.port());
    const std::string head = "POST /x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-Continue\r\n";

    CHECK(client.request(head + "Content-Length: 5\r\n\r\n").status == 100);
    CHECK(client.request("hello").body == "/xhello");

    CHECK(client.request(head + "Transfer-Encoding: chunked\r\n\r\n").status == 100);
    client.send("2\r\n");
    client.send("he\r\n");
    client.send("3\r\nllo\r\n0\r\n\r\n");
    CHECK(client.read_response().body == "/xhello");

    CHECK(client.request(head + "Content-Length: 5\r\n\r\nhello").body == "/xhello");
    CHECK(client.request(head + "Content-Length: 0\r\n\r\n").body == "/x");
    CHECK(client.request(head + "\r\n").body == "/x");
    CHECK(client.request(head + "Content-Length: 5\r\n\r\n").status == 100);
    CHECK(client.request("hello").body == "/xhello");
    CHECK(client.request(head + "Content-Length: 999999999\r\n\r\n").status == 413);

    Client old(app.port());
    CHECK(old.request("POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello").body == "/xhello");
    for (std::string other : {"Expect: tea\r\n", "Expect: 100-continue\r\nExpect: 100-continue\r\n"})
        CHECK(Client(app.port()).post("/x", "hello", other).status == 417);
}

TEST_CASE("what is no proper request gets its error, and the connection is closed") {
    const std::string get = "GET / HTTP/1.1\r\n", post = "POST / HTTP/1.1\r\n", host = "Host: localhost\r\n",
                      chunked = "Transfer-Encoding: chunked\r\n", end = "\r\n", body = "5\r\nhello\r\n0\r\n\r\n";
    struct Case {
        std::string bytes;
        int status;
    };
    const std::vector<Case> cases = {
        // Request line
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03\r\n\r\n"s, 400},
        {"GET / HTTP/1.1" + host + end, 400},
        {"GET /\r\n" + host + end, 400},
        {"GET  / HTTP/1.1\r\n" + host + end, 400},
        {"GET /a b HTTP/1.1\r\n" + host + end, 400},
        {" GET / HTTP/1.1\r\n" + host + end, 400},
        {"G@T / HTTP/1.1\r\n" + host + end, 400},
        {"GET / HTTP/1.1 \r\n" + host + end, 400},
        {"GET / http/1.1\r\n" + host + end, 400},
        {"GET / HTTP/11\r\n" + host + end, 400},
        {"GET / HTTP/2.0\r\n" + host + end, 505},
        {"GET / HTTP/1.2\r\n" + host + end, 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"GET /caf\xC3\xA9 HTTP/1.1\r\n" + host + end, 400},
        {"GET /a#b HTTP/1.1\r\n" + host + end, 400},
        {"GET /a\x01 HTTP/1.1\r\n" + host + end, 400},
        {"GET /a\x7F HTTP/1.1\r\n" + host + end, 400},
        {"GET /%0d%0aEvil:1 HTTP/1.1\r\n" + host + end, 400},
        {"GET /%00 HTTP/1.1\r\n" + host + end, 400},
        {"GET /%4 HTTP/1.1\r\n" + host + end, 400},
        {"GET * HTTP/1.1\r\n" + host + end, 400},
        {"GET relative HTTP/1.1\r\n" + host + end, 400},
        {"GET ftp://localhost/ HTTP/1.1\r\n" + host + end, 400},
        {"GET http:// HTTP/1.1\r\n" + host + end, 400},
        {"GET http://u@localhost/ HTTP/1.1\r\n" + host + end, 400},
        {"GET http://localhost:x/ HTTP/1.1\r\n" + host + end, 400},
        // Host
        {get + end, 400},
        {get + host + host + end, 400},
        {get + "Host: h, i\r\n" + end, 400},
        {get + "Host: h\r\nHost: i\r\n" + end, 400},
        {get + "Host:\r\n" + end, 400},
        {get + "Host: h/path\r\n" + end, 400},
        {get + "Host: u@h\r\n" + end, 400},
        {get + "Host: h:99999\r\n" + end, 400},
        // Fields
        {get + host + "X: a\r\n b\r\n" + end, 400},
        {get + host + "X: a\r\n\tb\r\n" + end, 400},
        {get + " X: a\r\n" + host + end, 400},
        {get + host + "X : a\r\n" + end, 400},
        {get + host + ": a\r\n" + end, 400},
        {get + host + "X\r\n" + end, 400},
        {get + host + "X(): a\r\n" + end, 400},
        {get + host + "X: a\0b\r\n"s + end, 400},
        {get + host + "X: a\x01\r\n" + end, 400},
        {get + host + "X: a\x7F\r\n" + end, 400},
        {get + host + "X: a\rb\r\n" + end, 400},
        {get + host + "X: a\nb\r\n" + end, 400},
        {"GET / HTTP/1.1\nHost: localhost\n\n", 400},
        {"GET / HTTP/1.1\r\nHost: localhost\n\r\n", 400},
        // Content-Length
        {post + host + "Content-Length: 5\r\nContent-Length: 5\r\n" + end + "hello", 400},
        {post + host + "Content-Length: 5\r\nContent-Length: 6\r\n" + end + "hello!", 400},
        {post + host + "Content-Length: 5, 5\r\n" + end + "hello", 400},
        {post + host + "Content-Length: +5\r\n" + end + "hello", 400},
        {post + host + "Content-Length: -5\r\n" + end + "hello", 400},
        {post + host + "Content-Length: 0x5\r\n" + end + "hello", 400},
        {post + host + "Content-Length: 5 5\r\n" + end + "hello", 400},
        {post + host + "Content-Length:\r\n" + end + "hello", 400},
        {post + host + "Content-Length: 18446744073709551616\r\n" + end + "hello", 400},
        // Transfer-Encoding
        {post + host + chunked + "Content-Length: 5\r\n" + end + body, 400},
        {post + host + "Content-Length: 5\r\n" + chunked + end + body, 400},
        {post + host + chunked + chunked + end + body, 400},
        {post + host + "Transfer-Encoding: xchunked\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: gzip\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: identity\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: chunked, gzip\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: gzip, chunked\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: chunked, chunked\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: , chunked\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: chunked;a=b\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding:\r\n" + end + body, 501},
        {post + host + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n" + end + "hello", 400},
        {post + host + "Transfer-Encoding: \vchunked\r\n" + end + body, 400},
        {post + host + "Transfer-Encoding : chunked\r\n" + end + body, 400},
        {"POST / HTTP/1.0\r\n" + host + chunked + end + body, 400},
        // Chunks
        {post + host + chunked + end + "x\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "-5\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "0x5\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5;\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5 \r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5\r\nhello0\r\n\r\n", 400},
        {post + host + chunked + end + "5\r\nhello\n0\r\n\r\n", 400},
        {post + host + chunked + end + "0\r\nX: a\nb\r\n\r\n", 400},
        {post + host + chunked + end + "4\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "11111111111111111\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5;a=\x01\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5;a=" + std::string(65536, 'x') + "\r\nhello\r\n0\r\n\r\n", 400},
        {post + host + chunked + end + "5;a=" + std::string(65536, 'x'), 400},
        {post + host + chunked + end + std::string(65536, '0'), 400},
        {post + host + chunked + end + "0\r\nX: " + std::string(65536, 'x'), 400},
        {post + host + chunked + end + "0\r\nContent-Length: 7\r\n\r\n", 400},
    };
    Echo app;
    app.threads(GENERATE(1u, 4u));
    test::start(app);
    for (const Case& expected : cases) {
        INFO(expected.bytes.substr(0, 120));
        Client client(app.port());
        client.send(expected.bytes);
        auto response = client.read_response();
        CHECK(response.status == expected.status);
        CHECK(response.field("connection") == "close");
        CHECK(response.field("date").ends_with(" GMT"));
        CHECK(response.field("content-type") == "application/json");
        CHECK(client.ended());
        CHECK(Client(app.port()).get("/fine").body == "/fine");
    }
}

TEST_CASE("a bad request behind good ones is refused in its turn") {
    Echo app;
    test::start(app);
    Client client(app.port());
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /later/b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
    CHECK(client.read_response().body == "/a");
    CHECK(client.read_response().body == "/later/b");
    CHECK(client.read_response().status == 400);
    CHECK(client.ended());
}

TEST_CASE("a request whose head ends while the answer before it is still going out is checked like any other") {
    const std::string big(16 * 1024 * 1024, 'x');
    Echo app;
    app.get("/big", [&](Context& c) { c.text(big); });
    test::start(app);
    Client client(app.port());
    client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nPOST /second HTTP/1.1\r\nHost: h\r\n");
    client.read(1);
    client.send("Transfer-Encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    auto rest = client.read_to_end();
    CHECK(rest.find("HTTP/1.1 501 ") != rest.npos);
    CHECK(rest.find("/second") == rest.npos);
}

TEST_CASE("an error never has a body behind HEAD") {
    Echo app;
    test::start(app);
    Client client(app.port());
    client.send("HEAD / HTTP/1.1\r\n\r\n");
    CHECK(client.read_response(true).status == 400);
    CHECK(client.ended());
}

TEST_CASE("clients that vanish at any point disturb nobody") {
    const std::string big(4 * 1024 * 1024, 'x');
    Echo app;
    app.threads(GENERATE(1u, 4u));
    app.get("/big", [&](Context& c) { c.text(big); });
    test::start(app);
    for (int i = 0; i < 4; ++i) {
        for (std::string bytes :
             {"", "GET / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhell",
              "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
              "GET /later/ HTTP/1.1\r\nHost: h\r\n\r\n", "GET /big HTTP/1.1\r\nHost: h\r\n\r\n",
              "GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /x HTTP/1.1\r\n\r\n"}) {
            Client(app.port()).send(bytes);
            Client reset(app.port());
            reset.send(bytes);
            reset.reset();
            Client half(app.port());
            half.send(bytes);
            half.half_close();
        }
        Client client(app.port());
        client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
        client.read(100000);
        client.reset();
    }
    CHECK(Client(app.port()).get("/fine").body == "/fine");
}

TEST_CASE("half a request and then the end is no request") {
    Echo app;
    test::start(app);
    for (std::string bytes :
         {"", "GET / HTTP/1.1\r\nHost: h\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhell",
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n"}) {
        Client client(app.port());
        client.send(bytes);
        client.half_close();
        CHECK(client.ended());
    }
}
