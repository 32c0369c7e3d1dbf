#include "catch.hpp"
#include <kvolt/detail/http/answer_parser.hpp>

#include <boost/system/system_error.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using kvolt::detail::AnswerParser;

namespace {

// What is left of the bytes, which come in steps; `unfinished` if more is wanted.
std::string left_of(AnswerParser& parser, std::string_view bytes, std::size_t step) {
    std::string input;
    bool whole = false;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        input += bytes.substr(at, step);
        if (!whole) whole = parser.read(input);
    }
    return whole ? input : "unfinished";
}

TEST_CASE("answer parser: a 101, and what comes behind it, however it arrives") {
    for (std::size_t step : {1u, 2u, 7u, 1000u}) {
        AnswerParser parser(8192, 100);
        CHECK(left_of(parser, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nA: 1\r\na:  2 \r\n\r\nframes", step) ==
              "frames");
        const auto& answer = parser.answer();
        CHECK(answer.status == 101);
        CHECK(answer.version == 11);
        CHECK(answer.reason == "Switching");
        CHECK(answer.field("UPGRADE") == "websocket");
        CHECK(answer.count("A") == 2);
        CHECK(answer.fields.back().second == "2");
        CHECK(answer.field("none").empty());
    }
}

TEST_CASE("answer parser: other answers with the start of their bodies") {
    struct Case {
        std::string bytes;
        int status;
        std::string body, left;
    };
    const std::vector<Case> cases = {
        {"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnonemore", 404, "none", "more"},
        {"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnon", 404, "non", "unfinished"},
        {"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: u\r\n\r\n!", 404,
         "abcd", "!"},
        {"HTTP/1.1 204 No\r\n\r\n!", 204, "", "!"},
        {"HTTP/1.0 500 Oh\r\n\r\nto the end", 500, "to the end", "unfinished"},
        {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 400 B\r\nContent-Length: 0\r\n\r\n", 400, "",
         ""},
    };
    for (const Case& c : cases)
        for (std::size_t step : {1u, 3u, 1000u}) {
            AnswerParser parser(8192, 100);
            CAPTURE(c.bytes, step);
            CHECK(left_of(parser, c.bytes, step) == c.left);
            CHECK(parser.answer().status == c.status);
            CHECK(parser.answer().body == c.body);
            CHECK(parser.answer().count("T") == 0);
            CHECK(parser.answer().count("A") == 0);
        }
    AnswerParser parser(8192, 100);
    std::string long_one = "HTTP/1.1 400 B\r\nContent-Length: 100000\r\n\r\n" + std::string(2000, 'x');
    CHECK(parser.read(long_one));
    CHECK(parser.answer().body == std::string(AnswerParser::body_kept, 'x'));
}

TEST_CASE("answer parser: what is no answer, and what is too long") {
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 101; ++i) many += "a: b\r\n";
    std::string hints;
    for (int i = 0; i < 100; ++i) hints += "HTTP/1.1 103 E\r\n\r\n";
    const std::vector<std::string> cases = {
        "SSH-2.0\r\n\r\n",
        "HTTP/2.0 101 S\r\n\r\n",
        "HTTP/1.1 x S\r\n\r\n",
        "HTTP/1.1 101 S\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        many + "\r\n",
        "HTTP/1.1 200 OK\r\na: " + std::string(8192, 'x') + "\r\n\r\n",
        std::string(9000, 'x'),
        hints,
        "HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(9000, '1'),
        "HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n0\r\na: " + std::string(9000, 'x'),
    };
    for (const std::string& bytes : cases)
        for (std::size_t step : {1u, 10000u}) {
            AnswerParser parser(8192, 100);
            CAPTURE(bytes.substr(0, 100), step);
            CHECK_THROWS_AS(left_of(parser, bytes, step), boost::system::system_error);
        }
}

TEST_CASE("answer parser: tokens of lists over several fields") {
    AnswerParser parser(8192, 100);
    left_of(parser, "HTTP/1.1 101 S\r\nConnection: keep-alive,\t x\r\nconnection: , UpGrade ,\r\n\r\n", 1000);
    for (const char* token : {"keep-alive", "X", "upgrade"}) CHECK(parser.answer().has_token("Connection", token));
    for (const char* token : {"keep", "alive", "upgrades", "close"})
        CHECK_FALSE(parser.answer().has_token("Connection", token));
}

}  // namespace
