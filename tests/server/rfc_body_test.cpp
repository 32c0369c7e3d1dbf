// Where a request ends: RFC 9112, sections 6 and 7; RFC 9110, section 10.1.1. In doubt about that, one request could be
// smuggled in the body of another, so that every doubt is refused and closes the connection.

#include "rfc.hpp"

#include <string>

using namespace test::rfc;
using namespace std::string_literals;

namespace {

const std::string head = post + host, chunked = "Transfer-Encoding: chunked\r\n", chunks = "5\r\nhello\r\n0\r\n\r\n";

std::string of_length(const std::string& length, const std::string& body = "hello") {
    return head + "Content-Length: " + length + "\r\n\r\n" + body;
}

std::string coded(const std::string& coding, const std::string& body = chunks) {
    return head + "Transfer-Encoding: " + coding + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("rfc: Content-Length") {
    kvolt::Limits limits;
    limits.body_size = 1000;
    run(
        {
            {"five", of_length("5"), 200, kept, "POST / hello"},
            {"none", of_length("0", ""), 200, kept, "POST /"},
            {"no body at all", head + end, 200, kept, "POST /"},
            {"zeros in front", of_length("0005"), 200, kept, "POST / hello"},
            {"spaces around", of_length(" \t 5 \t "), 200, kept, "POST / hello"},
            {"a body that looks like a request", of_length(std::to_string(smuggled.size()), smuggled), 200, kept,
             "POST / " + smuggled},
            {"a body of GET", get + host + "Content-Length: 5\r\n\r\nhello", 200, kept, "GET / hello"},
            {"a body of DELETE", "DELETE /echo/a HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 200, kept,
             "DELETE /echo/a hello"},
            {"a body where none is wanted", "POST /get HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", 405,
             kept, "", "GET, HEAD, OPTIONS"},
            {"HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 200, closed, "POST / hello"},
            {"as much as is allowed", of_length("1000", std::string(1000, 'x')), 200, kept},
            {"one more", of_length("1001", std::string(1001, 'x')), 413, closed},
            {"far more", of_length("18446744073709551615"), 413, closed},
            {"too much for a number", of_length("18446744073709551616"), 400, closed},
            {"far too much for a number", of_length("99999999999999999999999999999999"), 400, closed},
            {"two", head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400, closed},
            {"two equal ones", head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, closed},
            {"a list", of_length("5, 5"), 400, closed},
            {"a list with an end", of_length("5,"), 400, closed},
            {"a plus", of_length("+5"), 400, closed},
            {"a minus", of_length("-5"), 400, closed},
            {"hexadecimal", of_length("0x5"), 400, closed},
            {"a fraction", of_length("5.0"), 400, closed},
            {"an exponent", of_length("5e0"), 400, closed},
            {"two numbers", of_length("5 5"), 400, closed},
            {"quotes", of_length("\"5\""), 400, closed},
            {"nothing", of_length(""), 400, closed},
            {"letters", of_length("five"), 400, closed},
            {"in HTTP/1.0, two", "POST / HTTP/1.0\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400,
             closed},
        },
        limits);
}

TEST_CASE("rfc: Transfer-Encoding") {
    run({
        {"chunked", coded("chunked"), 200, kept, "POST / hello"},
        {"any case", head + "TRANSFER-encoding:CHUNKED\r\n\r\n" + chunks, 200, kept, "POST / hello"},
        {"a body that looks like a request", coded("chunked", "30\r\n" + smuggled + "\r\n0\r\n\r\n"), 200, kept},
        {"chunked GET", get + host + chunked + end + chunks, 200, kept, "GET / hello"},
        {"with a length behind", head + chunked + "Content-Length: 5\r\n\r\n" + chunks, 400, closed},
        {"with a length in front", head + "Content-Length: 5\r\n" + chunked + end + chunks, 400, closed},
        {"with a length of nothing", head + "Content-Length: 0\r\n" + chunked + end + chunks, 400, closed},
        {"twice", head + chunked + chunked + end + chunks, 400, closed},
        {"in HTTP/1.0", "POST / HTTP/1.0\r\n" + host + chunked + end + chunks, 400, closed},
        {"gzip in HTTP/1.0", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n" + chunks, 400, closed},
        {"xchunked", coded("xchunked"), 501, closed},
        {"chunkedx", coded("chunkedx"), 501, closed},
        {"gzip", coded("gzip"), 501, closed},
        {"identity", coded("identity"), 501, closed},
        {"chunked, identity", coded("chunked, identity"), 501, closed},
        {"chunked, gzip", coded("chunked, gzip"), 501, closed},
        {"gzip, chunked", coded("gzip, chunked"), 501, closed},
        {"chunked, chunked", coded("chunked, chunked"), 501, closed},
        {"a comma in front", coded(", chunked"), 501, closed},
        {"a comma behind", coded("chunked,"), 501, closed},
        {"a parameter", coded("chunked;a=b"), 501, closed},
        {"quotes", coded("\"chunked\""), 501, closed},
        {"nothing", coded(""), 501, closed},
        {"gzip and chunked in two lines", head + "Transfer-Encoding: gzip\r\n" + chunked + end + chunks, 400, closed},
        {"chunked and identity in two lines", head + chunked + "Transfer-Encoding: identity\r\n\r\n" + chunks, 400,
         closed},
        {"gzip with a length", head + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", 400, closed},
        {"a vertical tab", coded("\vchunked"), 400, closed},
        {"a space in front of the colon", head + "Transfer-Encoding : chunked\r\n\r\n" + chunks, 400, closed},
        {"folded", head + "Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks, 400, closed},
        {"a bare CR", head + "Transfer-Encoding: chunked\rX: y\r\n\r\n" + chunks, 400, closed},
        {"a bare LF", head + "X: y\nTransfer-Encoding: chunked\r\n\r\n" + chunks, 400, closed},
    });
}

TEST_CASE("rfc: chunks") {
    auto good_chunks = [](const std::string& bytes) { return coded("chunked", bytes); };
    const std::string large = "10000\r\n" + std::string(65536, 'x') + "\r\n0\r\n\r\n";
    std::string extensions;
    for (int i = 0; i < 100; ++i) extensions += "1;" + std::string(200, 'x') + "\r\ny\r\n";
    run({
        {"nothing", good_chunks("0\r\n\r\n"), 200, kept, "POST /"},
        {"many zeros", good_chunks("0000\r\n\r\n"), 200, kept, "POST /"},
        {"several", good_chunks("1\r\nh\r\n1\r\ne\r\n3\r\nllo\r\n0\r\n\r\n"), 200, kept, "POST / hello"},
        {"letters", good_chunks("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), 200, kept,
         "POST / 01234567890123456789"},
        {"zeros in front", good_chunks("0005\r\nhello\r\n0\r\n\r\n"), 200, kept, "POST / hello"},
        {"a line end as data", good_chunks("2\r\n\r\n\r\n0\r\n\r\n"), 200, kept, "POST / \r\n"},
        {"an end as data", good_chunks("5\r\n0\r\n\r\n\r\n0\r\n\r\n"), 200, kept, "POST / 0\r\n\r\n"},
        {"a large one", good_chunks(large), 200, kept, "POST / " + std::string(65536, 'x')},
        {"an extension", good_chunks("5;a\r\nhello\r\n0\r\n\r\n"), 200, kept, "POST / hello"},
        {"an extension with a value", good_chunks("5;a=b;c=\"d;e\"\r\nhello\r\n0;last\r\n\r\n"), 200, kept,
         "POST / hello"},
        {"an extension with spaces", good_chunks("5 ; a = b\r\nhello\r\n0\r\n\r\n"), 200, kept, "POST / hello"},
        {"trailers", good_chunks("5\r\nhello\r\n0\r\nX: y\r\nZ:\r\n\r\n"), 200, kept, "POST / hello"},
        {"trailers that would be fields", good_chunks("0\r\nHost: evil\r\nAuthorization: evil\r\nX: evil\r\n\r\n"), 200,
         kept, "POST /"},
        {"no size", good_chunks("\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a size that is none", good_chunks("x\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a minus", good_chunks("-5\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a plus", good_chunks("+5\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"0x", good_chunks("0x5\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a space in front", good_chunks(" 5\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a space behind", good_chunks("5 \r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"too much for a number", good_chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"too much", good_chunks("FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"), 413, closed},
        {"bare LF", good_chunks("5\nhello\r\n0\r\n\r\n"), 400, closed},
        {"bare LF behind an extension", good_chunks("5;\nhello\r\n0\r\n\r\n"), 400, closed},
        {"bare LF behind the data", good_chunks("5\r\nhello\n0\r\n\r\n"), 400, closed},
        {"bare CR", good_chunks("5\rhello\r\n0\r\n\r\n"), 400, closed},
        {"no line end behind the data", good_chunks("5\r\nhello0\r\n\r\n"), 400, closed},
        {"more data than said", good_chunks("4\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"less data than said", good_chunks("6\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"an extension without a name", good_chunks("5;=b\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a control character in an extension", good_chunks("5;a=\x01\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"a line end in an extension", good_chunks("5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n"), 400, closed},
        {"an extension of 64 KiB", good_chunks("5;a=" + std::string(65536, 'x') + "\r\nhello\r\n0\r\n\r\n"), 400,
         closed},
        {"many extensions", good_chunks(extensions + "0\r\n\r\n"), 400, closed},
        {"a size without end", good_chunks(std::string(65536, '0')), 400, closed},
        {"a trailer without end", good_chunks("0\r\nX: " + std::string(65536, 'x')), 400, closed},
        {"a trailer without a colon", good_chunks("0\r\nX\r\n\r\n"), 400, closed},
        {"a trailer with a bare LF", good_chunks("0\r\nX: a\nb\r\n\r\n"), 400, closed},
        {"a trailer with a length", good_chunks("0\r\nContent-Length: 7\r\n\r\n"), 400, closed},
    });
}

TEST_CASE("rfc: the size of a chunked body is limited") {
    kvolt::Limits limits;
    limits.body_size = 1000;
    auto chunks_of_100 = [](int count) {
        std::string bytes;
        for (int i = 0; i < count; ++i) bytes += "64\r\n" + std::string(100, 'x') + "\r\n";
        return coded("chunked", bytes + "0\r\n\r\n");
    };
    run(
        {
            {"as much as is allowed", chunks_of_100(10), 200, kept},
            {"more", chunks_of_100(11), 413, closed},
            {"far more", chunks_of_100(4000), 413, closed},
        },
        limits);
}

TEST_CASE("rfc: Expect") {
    const std::string expect = "Expect: 100-continue\r\n";
    run({
        {"with the body there", head + expect + "Content-Length: 0\r\n\r\n", 200, kept, "POST /"},
        {"without a body", get + host + expect + end, 200, kept, "GET /"},
        {"in HTTP/1.0", "POST / HTTP/1.0\r\n" + expect + "Content-Length: 5\r\n\r\nhello", 200, closed, "POST / hello"},
        {"something else", head + "Expect: tea\r\nContent-Length: 5\r\n\r\nhello", 417, closed},
        {"nothing", head + "Expect:\r\nContent-Length: 5\r\n\r\nhello", 417, closed},
        {"something more", head + "Expect: 100-continue, tea\r\nContent-Length: 5\r\n\r\nhello", 417, closed},
        {"twice", head + expect + expect + "Content-Length: 5\r\n\r\nhello", 417, closed},
        {"too large a body", head + expect + "Content-Length: 999999999\r\n\r\n", 413, closed},
    });
}
