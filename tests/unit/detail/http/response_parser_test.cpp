#include "catch.hpp"
#include <kvolt/detail/http/response_parser.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

using kvolt::detail::ResponseParser;

TEST_CASE("where a response ends, delivered whole and byte by byte") {
    struct Case {
        std::string bytes;
        bool to_head;
        int status;
        std::string body;
        bool complete, keep_alive;
        std::string rest;  // of the input
    };
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::vector<Case> cases = {
        {ok + "Content-Length: 5\r\n\r\nhelloHTTP", false, 200, "hello", true, true, "HTTP"},
        {ok + "content-length:5\r\n\r\nhell", false, 200, "hell", false, true, ""},
        {ok + "Content-Length: 0\r\n\r\nHTTP", false, 200, "", true, true, "HTTP"},
        {ok + "Content-Length: 5\r\n\r\nHTTP", true, 200, "", true, true, "HTTP"},
        {ok + "Content-Length: 1\r\nConnection: close\r\n\r\nx", false, 200, "x", true, false, ""},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, 200, "x", true, false, ""},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", false, 200, "x", true, true, ""},
        {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\nHTTP", false, 200,
         "hello0123456789", true, true, "HTTP"},
        {ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: 1\r\n\r\nHTTP", false, 200, "", true, true, "HTTP"},
        {ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", false, 200, "hello", false, true, ""},
        {ok + "\r\nall that comes", false, 200, "all that comes", false, false, ""},
        {"HTTP/1.1 204 No Content\r\n\r\nHTTP", false, 204, "", true, true, "HTTP"},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\nHTTP", false, 304, "", true, true, "HTTP"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP", false, 100, "", true, true, "HTTP"},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81", false, 101, "", true, true, "\x81"},
        {"HTTP/1.1 200 OK\r\nContent-Le", false, 0, "", false, false, "HTTP/1.1 200 OK\r\nContent-Le"},
    };
    for (const Case& c : cases) {
        INFO(c.bytes);
        ResponseParser whole(c.to_head), drip(c.to_head);
        std::string input = c.bytes, dripped;
        whole.read(input);
        for (char byte : c.bytes) {
            dripped += byte;
            drip.read(dripped);
        }
        CHECK(input == c.rest);
        CHECK(dripped == c.rest);
        for (ResponseParser* parser : {&whole, &drip}) {
            CHECK(parser->has_head() == (c.status != 0));
            CHECK(parser->status() == c.status);
            CHECK(parser->body() == c.body);
            CHECK(parser->complete() == c.complete);
            CHECK(parser->keep_alive() == c.keep_alive);
        }
    }
}

TEST_CASE("the end of the connection ends a body that nothing else ends, and no other") {
    ResponseParser until_close, sized, half_a_head;
    std::string a = "HTTP/1.1 200 OK\r\n\r\nbody", b = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody",
                c = "HTTP/1.1 ";
    until_close.read(a);
    sized.read(b);
    half_a_head.read(c);
    for (ResponseParser* parser : {&until_close, &sized, &half_a_head}) parser->end();
    CHECK(until_close.complete());
    CHECK(until_close.take_body() == "body");
    CHECK(until_close.take_body() == "");
    CHECK_FALSE(sized.complete());
    CHECK_FALSE(half_a_head.complete());
}

TEST_CASE("the fields of a response") {
    ResponseParser parser;
    std::string input = "HTTP/1.1 200 OK\r\nA: 1\r\nEmpty:\r\nA:  2 3\r\nContent-Length: 0\r\n\r\n";
    parser.read(input);
    CHECK(parser.fields() == ResponseParser::Fields{{"A", "1"}, {"Empty", ""}, {"A", "2 3"}, {"Content-Length", "0"}});
}

TEST_CASE("what is no response is an exception") {
    for (std::string input :
         {"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nno field\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n"}) {
        INFO(input);
        ResponseParser parser;
        CHECK_THROWS_AS(parser.read(input), std::runtime_error);
    }
}
