#include "../catch.hpp"
#include "client.hpp"
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

struct EchoApp : kvolt::App {
    EchoApp() {
        any("/later/*rest", echo_later);
        any("/*rest", [](Context& c) { c.text(std::string(c.target()) + std::string(c.body())); });
    }
};

}  // namespace

TEST_CASE("what follows a request that closes the connection is not answered") {
    EchoApp app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    client.send("GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /more HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.read_response().body == "/last");
    CHECK(client.ended());
}

TEST_CASE("Expect: 100-continue is answered once, where a body is still to come") {
    EchoApp app;
    app.start("127.0.0.1:0");
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

TEST_CASE("a bad request behind good ones is refused in its turn") {
    EchoApp app;
    app.start("127.0.0.1:0");
    Client client(app.port());
    client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /later/b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
    CHECK(client.read_response().body == "/a");
    CHECK(client.read_response().body == "/later/b");
    CHECK(client.read_response().status == 400);
    CHECK(client.ended());
}

TEST_CASE("a request whose head ends while the answer before it is still going out is checked like any other") {
    const std::string big(16 * 1024 * 1024, 'x');
    EchoApp app;
    app.get("/big", [&](Context& c) { c.text(big); });
    app.start("127.0.0.1:0");
    Client client(app.port());
    client.send("GET /big HTTP/1.1\r\nHost: h\r\n\r\nPOST /second HTTP/1.1\r\nHost: h\r\n");
    client.read(1);
    client.send("Transfer-Encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    auto rest = client.read_to_end();
    CHECK(rest.find("HTTP/1.1 501 ") != rest.npos);
    CHECK(rest.find("/second") == rest.npos);
}

TEST_CASE("clients that vanish at any point disturb nobody") {
    const std::string big(4 * 1024 * 1024, 'x');
    EchoApp app;
    app.threads(GENERATE(1u, 4u));
    app.get("/big", [&](Context& c) { c.text(big); });
    app.start("127.0.0.1:0");
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
    EchoApp app;
    app.start("127.0.0.1:0");
    for (std::string bytes :
         {"", "GET / HTTP/1.1\r\nHost: h\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhell",
          "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n"}) {
        Client client(app.port());
        client.send(bytes);
        client.half_close();
        CHECK(client.ended());
    }
}
