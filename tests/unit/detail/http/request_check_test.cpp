#include "catch.hpp"
#include <kvolt/detail/http/request_check.hpp>

#include <string>
#include <utility>
#include <vector>

using kvolt::Request;
using kvolt::detail::check_request;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct RequestCase {
    std::string what;
    int status;  // 0: good
    Fields fields;
    std::string target = "/";
    std::string method = "GET";
    int version = 11;
};

int status_of(const RequestCase& c, const std::string& head_of_case = {}) {
    Request request;
    request.start(c.method, c.target, c.version);
    std::string head = c.method + ' ' + c.target + " HTTP/1.1\r\n";
    for (const auto& [name, value] : c.fields) {
        request.add_field(name, value);
        head += name + ": " + value + "\r\n";
    }
    auto refusal = check_request(request, head_of_case.empty() ? head : head_of_case);
    return refusal ? refusal->status : 0;
}

void check_all(const std::vector<RequestCase>& cases) {
    for (const RequestCase& c : cases) {
        CAPTURE(c.what, c.fields, c.target);
        CHECK(status_of(c) == c.status);
    }
}

const std::pair<std::string, std::string> host{"Host", "h"};
const std::pair<std::string, std::string> chunked{"Transfer-Encoding", "chunked"};

}  // namespace

TEST_CASE("there is exactly one Host, and it is one (RFC 9112, section 3.2)") {
    check_all({
        {"one", 0, {host}},
        {"with a port", 0, {{"Host", "example.com:8080"}}},
        {"an IPv6 address", 0, {{"Host", "[::1]:8080"}}},
        {"another case", 0, {{"HOST", "h"}}},
        {"none", 400, {}},
        {"none, in HTTP/1.0", 0, {}, "/", "GET", 10},
        {"two", 400, {host, {"Host", "i"}}},
        {"two that are equal", 400, {host, {"host", "h"}}},
        {"two, in HTTP/1.0", 400, {host, host}, "/", "GET", 10},
        {"a list", 400, {{"Host", "h, i"}}},
        {"empty", 400, {{"Host", ""}}},
        {"only a port", 400, {{"Host", ":80"}}},
        {"a path", 400, {{"Host", "h/path"}}},
        {"a user", 400, {{"Host", "u@h"}}},
        {"a space", 400, {{"Host", "h i"}}},
        {"a port that is none", 400, {{"Host", "h:http"}}},
        {"a port that is too high", 400, {{"Host", "h:65536"}}},
        {"half an IPv6 address", 400, {{"Host", "[::1"}}},
        {"bad, in HTTP/1.0", 400, {{"Host", "h/path"}}, "/", "GET", 10},
    });
}

TEST_CASE("the target is a path, an absolute URL, or * for OPTIONS (RFC 9112, section 3.2)") {
    check_all({
        {"root", 0, {host}, "/"},
        {"a query", 0, {host}, "/a?b=/c?d"},
        {"an escape", 0, {host}, "/caf%C3%A9"},
        {"an escape in the query is the handler's matter", 0, {host}, "/a?b=%"},
        {"the absolute form", 0, {host}, "http://h/a"},
        {"the absolute form without a path", 0, {host}, "http://h"},
        {"OPTIONS *", 0, {host}, "*", "OPTIONS"},
        {"the absolute form with a query", 0, {host}, "https://h:8443?a"},
        {"dot segments", 0, {host}, "/a/../b/./c"},
        {"escaped dot segments", 0, {host}, "/a/%2e%2E/b"},
        {"dots that are no segments", 0, {host}, "/..a/...%2F.../a.."},
        {"dot segments in the query", 0, {host}, "/a?b=/../../c"},
        {"CONNECT", 501, {host}, "h:443", "CONNECT"},
        {"CONNECT to an IPv6 address", 501, {host}, "[::1]:443", "CONNECT"},
        {"CONNECT without a port", 400, {host}, "h", "CONNECT"},
        {"CONNECT with a path", 400, {host}, "/a", "CONNECT"},
        {"CONNECT with a URL", 400, {host}, "http://h:80/", "CONNECT"},
        {"climbing above the root", 400, {host}, "/../a"},
        {"climbing above the root in the end", 400, {host}, "/a/../.."},
        {"climbing above the root by escapes", 400, {host}, "/%2e%2e/a"},
        {"climbing above the root of the absolute form", 400, {host}, "http://h/../a"},
        {"climbing behind an escaped slash", 400, {host}, "/a/..%2Fb"},
        {"climbing in front of an escaped slash", 400, {host}, "/a%2f.."},
        {"climbing with every character escaped", 400, {host}, "/a/%2e%2e%2f%2e%2e%2fb"},
        {"GET *", 400, {host}, "*"},
        {"no slash", 400, {host}, "a/b"},
        {"no slash, with dot segments", 400, {host}, "ab/./c"},
        {"no slash, with an escape", 400, {host}, "ab/%61"},
        {"only a query", 400, {host}, "?a=b"},
        {"another scheme", 400, {host}, "ftp://h/a"},
        {"the authority form without CONNECT", 400, {host}, "h:443"},
        {"no host in the absolute form", 400, {host}, "http:///a"},
        {"not even a slash behind", 400, {host}, "http://"},
        {"a user in the absolute form", 400, {host}, "http://u@h/a"},
        {"a fragment", 400, {host}, "/a#b"},
        {"a fragment in the query", 400, {host}, "/a?b#c"},
        {"bytes beyond ASCII", 400, {host}, "/caf\xC3\xA9"},
        {"bytes beyond ASCII in the query", 400, {host}, "/?caf\xC3\xA9"},
        {"a space", 400, {host}, "/a b"},
        {"a control character", 400, {host}, "/a\x01"},
        {"DEL", 400, {host}, "/a\x7F"},
        {"half an escape", 400, {host}, "/a%4"},
        {"an escape that is none", 400, {host}, "/%zz"},
        {"an escaped NUL", 400, {host}, "/a%00b"},
        {"an escaped line end", 400, {host}, "/a%0D%0Ab"},
    });
}

TEST_CASE("a body has one certain length, or requests could be smuggled in it (RFC 9112, section 6)") {
    check_all({
        {"a length", 0, {host, {"Content-Length", "5"}}},
        {"nothing", 0, {host, {"Content-Length", "0"}}},
        {"two lengths", 400, {host, {"Content-Length", "5"}, {"Content-Length", "6"}}},
        {"two equal lengths", 400, {host, {"Content-Length", "5"}, {"content-length", "5"}}},
        {"a list of equal lengths", 400, {host, {"Content-Length", "5, 5"}}},
        {"a sign", 400, {host, {"Content-Length", "+5"}}},
        {"another sign", 400, {host, {"Content-Length", "-5"}}},
        {"zeros in front", 0, {host, {"Content-Length", "005"}}},
        {"an empty length", 400, {host, {"Content-Length", ""}}},
        {"hexadecimal", 400, {host, {"Content-Length", "0x5"}}},
        {"a fraction", 400, {host, {"Content-Length", "5.0"}}},

        {"chunked", 0, {host, chunked}},
        {"Chunked", 0, {host, {"transfer-encoding", "Chunked"}}},
        {"chunked with a length", 400, {host, chunked, {"Content-Length", "5"}}},
        {"a length with chunked", 400, {host, {"Content-Length", "5"}, chunked}},
        {"two times chunked", 400, {host, chunked, chunked}},
        {"chunked in HTTP/1.0", 400, {host, chunked}, "/", "POST", 10},
    });
    for (const char* coding : {"", "xchunked", "gzip", "identity", "chunked, gzip", "gzip, chunked", "chunked, chunked",
                               ", chunked", "chunked,", "chunked;a=b", "\"chunked\"", "chunked chunked", "chunked\t",
                               "\x0B"
                               "chunked"}) {
        CAPTURE(coding);
        int status = status_of({coding, 0, {host, {"Transfer-Encoding", coding}}});
        CHECK((status == 400 || status == 501));
    }
}

TEST_CASE("nothing but 100-continue can be expected (RFC 9110, section 10.1.1)") {
    check_all({
        {"100-continue", 0, {host, {"Expect", "100-continue"}}},
        {"100-Continue", 0, {host, {"expect", "100-Continue"}}},
        {"something else", 417, {host, {"Expect", "200-ok"}}},
        {"nothing", 417, {host, {"Expect", ""}}},
        {"more than that", 417, {host, {"Expect", "100-continue, x"}}},
        {"twice", 417, {host, {"Expect", "100-continue"}, {"Expect", "100-continue"}}},
        {"something else, in HTTP/1.0", 0, {host, {"Expect", "200-ok"}}, "/", "POST", 10},
    });
}

// Obsolete line folding shows in the raw bytes only: RFC 9112, section 5.2.
TEST_CASE("a folded header line is refused") {
    RequestCase c{"", 0, {host}};
    CHECK(status_of(c, "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n") == 0);
    CHECK(status_of(c, "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n") == 400);
    CHECK(status_of(c, "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n") == 400);
    CHECK(status_of(c, "GET / HTTP/1.1\r\n Host: h\r\n") == 400);
    CHECK(status_of(c, "GET / HTTP/1.1\r\nHost: h\r\nX:\r\n \r\n") == 400);
    CHECK(status_of(c, "GET / HTTP/1.1\r\nHost: h\r\nX: a b\r\n") == 0);
}

TEST_CASE("a head is refused as soon as it cannot become a good one") {
    struct Unfinished {
        std::string bytes;
        int status;
    };
    const std::string get = "GET / HTTP/1.1\r\n";
    for (const Unfinished& c : {
             Unfinished{"", 0},
             {"G", 0},
             {"GET ", 0},
             {"GET /a", 0},
             {"GET /a ", 0},
             {"GET /a HT", 0},
             {"GET /a HTTP/1.", 0},
             {"GET /a HTTP/1.0\r", 0},
             {get, 0},
             {get + "Ho", 0},
             {get + "Host:", 0},
             {get + "Host: h\r\nX: \t a\xFF b \r\n", 0},
             {get + "X:\r\n\r", 0},
             // Request line
             {" ", 400},
             {":", 400},
             {"\n", 400},
             {"G@", 400},
             {"GET\r", 400},
             {"GET\t/", 400},
             {"GET  ", 400},
             {"GET /a#", 400},
             {"GET /\xC3", 400},
             {"GET /a\r\n", 400},
             {"GET /a b", 400},
             {"GET /a http", 400},
             {"GET /a HTTP/x", 400},
             {"GET /a HTTP/1.1 ", 400},
             {"GET /a HTTP/1.10", 400},
             {"GET /a HTTP/1\r\n", 400},
             {"GET /a HTTP/1.1\n", 400},
             {"GET /a HTTP/1.1\rX", 400},
             {"GET /a HTTP/1.2", 505},
             {"PRI * HTTP/2.0\r\n", 505},
             // Fields
             {get + " X", 400},
             {get + "X: a\r\n b", 400},
             {get + ":", 400},
             {get + "X ", 400},
             {get + "X(", 400},
             {get + "X\r\n", 400},
             {get + "X: a\n", 400},
             {get + "X: a\rb", 400},
             {get + std::string("X: a\0", 5), 400},
             {get + "X: a\x7F", 400},
             // Junk
             {"\x16\x03\x01", 400},
             {std::string("G\0E\0", 4), 400},
             {"\xFF\xFEG", 400},
         }) {
        CAPTURE(c.bytes);
        auto refusal = kvolt::detail::check_unfinished(c.bytes);
        CHECK((refusal ? refusal->status : 0) == c.status);
    }
}
