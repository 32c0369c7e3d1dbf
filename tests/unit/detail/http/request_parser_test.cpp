#include "catch.hpp"
#include <kvolt/detail/http/request_parser.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

using kvolt::Limits;
using kvolt::Request;
using kvolt::detail::RequestParser;
using namespace std::string_literals;

namespace {

struct Parsed {
    bool done = false;
    int status = 0;        // of the refusal
    std::size_t rest = 0;  // bytes behind the request
};

// Feed `bytes` in portions of `step` bytes, as a connection does: what the parser does not consume is offered again.
Parsed parse(Request& request, std::string_view bytes, const Limits& limits = {}, std::size_t step = 1 << 30) {
    Parsed result;
    RequestParser parser(request, limits);
    std::size_t begin = 0, end = 0;
    bool begun = false;
    while (!parser.is_done() && result.status == 0 && end < bytes.size()) {
        end = std::min(bytes.size(), end + step);
        boost::system::error_code error;
        while (begin < end && !parser.is_done()) {
            std::size_t used = parser.put(boost::asio::buffer(bytes.data() + begin, end - begin), error);
            begin += used;
            if (error || used == 0) break;
            if (!begun && parser.is_header_done()) {
                begun = true;
                if (auto refusal = parser.begin_body(limits.body_size)) result.status = refusal->status;
            }
        }
        if (error && error != kvolt::detail::ParseError::need_more) result.status = parser.refusal(error, bytes).status;
    }
    result.done = parser.is_done() && result.status == 0;
    result.rest = bytes.size() - begin;
    return result;
}

int status_of(std::string_view bytes, const Limits& limits = {}) {
    Request request;
    return parse(request, bytes, limits).status;
}

std::string with_fields(int count) {
    std::string head = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < count; ++i) head += "N" + std::to_string(i) + ": v\r\n";
    return head + "\r\n";
}

}  // namespace

TEST_CASE("a request arrives whole, however it is cut") {
    const std::string bytes =
        "POST /a?b HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Space:   v w  \r\nContent-Length: 5\r\n\r\nhello";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        CAPTURE(step);
        Request request;
        auto parsed = parse(request, bytes + "GET /next", {}, step);
        REQUIRE(parsed.done);
        CHECK(parsed.rest == 9);
        CHECK(request.method() == "POST");
        CHECK(request.target() == "/a?b");
        CHECK(request.version() == 11);
        REQUIRE(request.field_count() == 4);
        CHECK(request.find("X-Empty") == "");
        CHECK(request.header("X-Space") == "v w");
        CHECK(request.body() == "hello");
    }
}

TEST_CASE("a chunked body arrives whole, however it is cut") {
    const std::string bytes =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n"
        "0A;ext=1\r\n0123456789\r\n"
        "0\r\nTrailer: x\r\n\r\n";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        CAPTURE(step);
        Request request;
        auto parsed = parse(request, bytes, {}, step);
        REQUIRE(parsed.done);
        CHECK(parsed.rest == 0);
        CHECK(request.body() == "abc0123456789");
    }
}

TEST_CASE("trailers are never merged into the fields") {
    Request request;
    REQUIRE(parse(request,
                  "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1\r\na\r\n0\r\nHost: evil\r\nAuthorization: root\r\n\r\n")
                .done);
    CHECK(request.count("Host") == 1);
    CHECK(request.count("Authorization") == 0);
    CHECK(request.field_count() == 2);
}

TEST_CASE("methods beyond the known ones arrive as they are") {
    Request request;
    REQUIRE(parse(request, "BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n").done);
    CHECK(request.method() == "BREW");
}

TEST_CASE("what is malformed is a 400") {
    const std::string get = "GET / HTTP/1.1\r\n";
    for (const std::string& bytes : {
             "GET / HTTP/1.1\nHost: h\n\n"s,
             get + "Host: h\n\r\n",
             get + "Host : h\r\n\r\n",
             get + ": h\r\n\r\n",
             get + "Ho st: h\r\n\r\n",
             get + "Host\r\n\r\n",
             get + "X: a\0b\r\n\r\n"s,
             get + "X: a\rb\r\n\r\n",
             get + "X: a\x01\r\n\r\n",
             "GET /\r\n\r\n"s,
             "GET  / HTTP/1.1\r\n\r\n"s,
             " GET / HTTP/1.1\r\n\r\n"s,
             "GET / HTTP/1.1 \r\n\r\n"s,
             "G@T / HTTP/1.1\r\n\r\n"s,
             "\x16\x03\x01\x02\x00\x01"s + std::string(100, 'x') + "\r\n\r\n",  // TLS to a plain port
             "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n"s,
             "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"s,
             "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"s,
             "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"s,
             "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\x01\r\nabc\r\n0\r\n\r\n"s,
             "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;" + std::string(65536, 'x') +
                 "\r\nabc\r\n0\r\n\r\n",
         }) {
        CAPTURE(bytes.substr(0, 80));
        CHECK(status_of(bytes) == 400);
    }
}

TEST_CASE("what is no version is refused") {
    for (const char* version : {"HTTP/1", "http/1.1", "HTTP/11", "HTTP/1.1x", "HTTP/1.10", "HTTP/x.y", "ICY/1.1"}) {
        CAPTURE(version);
        CHECK(status_of("GET / "s + version + "\r\nHost: h\r\n\r\n") == 400);
    }
    Request request;
    REQUIRE(parse(request, "GET / HTTP/1.0\r\n\r\n").done);
    CHECK(request.version() == 10);
}

TEST_CASE("the number of fields is limited: 431") {
    Limits limits;
    limits.header_fields = 10;
    CHECK(status_of(with_fields(10), limits) == 0);
    CHECK(status_of(with_fields(11), limits) == 431);
    CHECK(status_of(with_fields(100)) == 0);
    CHECK(status_of(with_fields(101)) == 431);
}

TEST_CASE("the size of the head is limited: 431") {
    const std::string begin = "GET / HTTP/1.1\r\nX: ", end = "\r\n\r\n";
    auto of_size = [&](std::size_t size) { return begin + std::string(size - begin.size() - end.size(), 'x') + end; };
    CHECK(status_of(of_size(8192)) == 0);
    CHECK(status_of(of_size(8192 + 100)) == 431);
    CHECK(status_of(begin + std::string(100000, 'x')) == 431);
}

TEST_CASE("the size of the target is limited: 414") {
    Limits limits;
    limits.target_size = 100;
    auto of_size = [](std::size_t size) {
        return "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n";
    };
    CHECK(status_of(of_size(100), limits) == 0);
    CHECK(status_of(of_size(101), limits) == 414);
}

TEST_CASE("the size of the body is limited: 413") {
    Limits limits;
    limits.body_size = 10;
    auto counted = [](int size) {
        return "POST / HTTP/1.1\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
               std::string(static_cast<std::size_t>(size), 'x');
    };
    CHECK(status_of(counted(10), limits) == 0);
    CHECK(status_of(counted(11), limits) == 413);
    CHECK(status_of("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limits) == 413);  // before any of it was sent
    const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(status_of(chunked + "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n", limits) == 0);
    CHECK(status_of(chunked + "5\r\n01234\r\n6\r\n012345\r\n0\r\n\r\n", limits) == 413);
    CHECK(status_of(chunked + "FFFFFFFFFFFFFFFF\r\n", limits) == 413);
}

TEST_CASE("chunks do not go round the limit of the body, and take no more memory than it") {
    Limits limits;
    limits.body_size = 1000;
    std::string bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 100000; ++i) bytes += "1\r\nx\r\n";
    Request request;
    CHECK(parse(request, bytes, limits, 1000).status == 413);
    CHECK(request.body().size() <= 1000);
}

TEST_CASE("many small chunk extensions are no way to send without end") {
    std::string bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 100; ++i) bytes += "1;" + std::string(200, 'x') + "\r\nx\r\n";
    CHECK(status_of(bytes) == 400);
}

TEST_CASE("a request line without end is a 414 once its target has begun") {
    Limits limits;
    limits.header_size = 1000;
    CHECK(status_of("GET /" + std::string(2000, 'a'), limits) == 414);
    CHECK(status_of(std::string(2000, 'A'), limits) == 400);
}

TEST_CASE("a refused HEAD is still known as one") {
    for (const char* bytes :
         {"HEAD / HTTP/2.0\r\n\r\n", "HEAD /a b HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\nX\r\n\r\n"}) {
        Request request;
        CHECK(parse(request, bytes).status != 0);
        CHECK(request.method() == "HEAD");
    }
    Request request;
    CHECK(RequestParser(request, Limits()).check_unfinished("HEAD / HTTP/2.0"));
    CHECK(request.method() == "HEAD");
}
