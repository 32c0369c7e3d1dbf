#include "../catch.hpp"
#include "client.hpp"
#include <kvolt.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>

using kvolt::Context;
using kvolt::Limits;
using test::Client;
using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

struct Echo : kvolt::App {
    explicit Echo(const Limits& wanted) {
        limits(wanted);
        any("/*rest", [](Context& c) { c.text(std::string(c.body())); });
    }
};

const std::string huge(16 * 1024 * 1024, 'x');

struct Big : kvolt::App {
    explicit Big(const Limits& wanted) {
        limits(wanted);
        get("/big", [](Context& c) { c.text(huge); });
        get("/small", [](Context& c) { c.text("small"); });
    }
};

// Send a byte now and then until the server answers.
void drip(Client& client, char byte) {
    while (!client.readable(20ms)) client.send({&byte, 1});
}

}  // namespace

TEST_CASE("a head that takes too long is a 408, however it drips") {
    Limits limits;
    limits.header_timeout = 400ms;
    Echo app(limits);
    app.threads(GENERATE(1u, 4u));
    app.start("127.0.0.1:0");
    Client silent(app.port()), half(app.port()), dripping(app.port()), second(app.port());
    half.send("GET / HTTP/1.1\r\nHo");
    second.send("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET ");
    CHECK(second.read_response().status == 200);
    dripping.send("GET /");
    drip(dripping, 'a');
    for (Client* client : {&half, &dripping, &second}) {
        auto response = client->read_response();
        CHECK(response.status == 408);
        CHECK(response.field("connection") == "close");
        CHECK(client->ended());
    }
    CHECK(silent.ended());
}

TEST_CASE("a client that reads slowly gets all of a large response") {
    Limits limits;
    limits.write_timeout = limits.close_timeout = 1s;
    Big app(limits);
    app.start("127.0.0.1:0");
    for (std::string connection : {"", "Connection: close\r\n"}) {
        INFO(connection);
        Client client(app.port());
        client.send("GET /big HTTP/1.1\r\nHost: h\r\n" + connection + "\r\n");
        std::string head;
        while (!head.ends_with("\r\n\r\n")) head += client.read(1);
        for (std::size_t left = huge.size(); left > 0; left -= 256 * 1024) {
            bool as_sent = client.read(256 * 1024) == huge.substr(0, 256 * 1024);
            REQUIRE(as_sent);
            std::this_thread::sleep_for(25ms);
        }
        if (connection.empty())
            CHECK(client.get("/small").body == "small");
        else
            CHECK(client.ended());
    }
}

TEST_CASE("a client that never reads is cut off, and its place is free again") {
    Limits limits;
    limits.write_timeout = 200ms;
    limits.connections = 1;
    Big app(limits);
    app.threads(GENERATE(1u, 4u));
    app.start("127.0.0.1:0");
    for (std::string connection : {"", "Connection: close\r\n"}) {
        Client stuck(app.port(), 4096);
        stuck.send("GET /big HTTP/1.1\r\nHost: h\r\n" + connection + "\r\n");
        stuck.read(1);
        Client next(app.port());
        CHECK(next.get("/small").body == "small");
        CHECK(stuck.read_to_end().size() < huge.size());
    }
}

TEST_CASE("requests behind a large response wait until it has been taken") {
    Big app(Limits{});
    app.start("127.0.0.1:0");
    Client client(app.port());
    std::string requests;
    for (int i = 0; i < 6; ++i) requests += "GET "s + (i % 2 == 0 ? "/big" : "/small") + " HTTP/1.1\r\nHost: h\r\n\r\n";
    client.send(requests);
    client.half_close();
    for (int i = 0; i < 6; ++i) CHECK(client.read_response().body.size() == (i % 2 == 0 ? huge.size() : 5));
    CHECK(client.ended());
}
