// The request line and the header fields: RFC 9112, sections 2, 3 and 5; RFC 9110, sections 5, 7.2 and 9.

#include "rfc.hpp"

#include <string>

using namespace test::rfc;
using namespace std::string_literals;

TEST_CASE("rfc: the request line") {
    run({
        {"one", get + host + end, 200, kept, "GET /"},
        {"empty lines in front", "\r\n\r\n" + get + host + end, 200, kept, "GET /"},
        {"HTTP/1.0", "GET / HTTP/1.0\r\n" + host + end, 200, closed, "GET /"},
        {"no line end", "GET / HTTP/1.1" + host + end, 400, closed},
        {"bare LF", "GET / HTTP/1.1\nHost: localhost\n\n", 400, closed},
        {"bare CR", "GET / HTTP/1.1\rHost: localhost\r\r", 400, closed},
        {"bare LF in front", "\n" + get + host + end, 400, closed},
        {"CR in front", "\r" + get + host + end, 400, closed},
        {"HTTP/0.9", "GET /\r\n", 400, closed},
        {"no version", "GET /\r\n" + host + end, 400, closed},
        {"two spaces", "GET  / HTTP/1.1\r\n" + host + end, 400, closed},
        {"two spaces behind the target", "GET /  HTTP/1.1\r\n" + host + end, 400, closed},
        {"tabs", "GET\t/\tHTTP/1.1\r\n" + host + end, 400, closed},
        {"a space in the target", "GET /a b HTTP/1.1\r\n" + host + end, 400, closed},
        {"a space in front", " GET / HTTP/1.1\r\n" + host + end, 400, closed},
        {"a space behind", "GET / HTTP/1.1 \r\n" + host + end, 400, closed},
        {"no method", "/ HTTP/1.1\r\n" + host + end, 400, closed},
        {"a method that is no token", "G@T / HTTP/1.1\r\n" + host + end, 400, closed},
        {"a method in quotes", "\"GET\" / HTTP/1.1\r\n" + host + end, 400, closed},
        {"a version in small letters", "GET / http/1.1\r\n" + host + end, 400, closed},
        {"half a version", "GET / HTTP/1\r\n" + host + end, 400, closed},
        {"a version without a dot", "GET / HTTP/11\r\n" + host + end, 400, closed},
        {"a version of three digits", "GET / HTTP/1.10\r\n" + host + end, 400, closed},
        {"a version with a sign", "GET / HTTP/+1.1\r\n" + host + end, 400, closed},
        {"another protocol", "GET / ICY/1.1\r\n" + host + end, 400, closed},
        {"HTTP/0.9 in words", "GET / HTTP/0.9\r\n" + host + end, 505, closed},
        {"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + end, 505, closed},
        {"HTTP/2.0", "GET / HTTP/2.0\r\n" + host + end, 505, closed},
        {"HTTP/9.9 for HEAD", "HEAD / HTTP/9.9\r\n" + host + end, 505, closed},
    });
}

TEST_CASE("rfc: the target") {
    auto of = [](const std::string& target, const std::string& method = "GET") {
        return method + ' ' + target + " HTTP/1.1\r\n" + host + end;
    };
    run({
        {"a path", of("/echo/a"), 200, kept, "GET /echo/a"},
        {"a query", of("/echo/a?q=/b?c"), 200, kept, "GET /echo/a q=/b?c"},
        {"an empty query", of("/?"), 200, kept, "GET /"},
        {"an escape", of("/echo/caf%C3%a9"), 200, kept, "GET /echo/caf\xC3\xA9"},
        {"characters that may stand as they are", of("/echo/-._~!$&'()*+,;=:@"), 200, kept,
         "GET /echo/-._~!$&'()*+,;=:@"},
        {"two slashes", of("/echo//a"), 200, kept, "GET /echo//a"},
        {"an escape in the query that is none", of("/?q=%"), 200, kept, "GET / q=%"},
        // Absolute form
        {"absolute", of("http://localhost/echo/a?q=b"), 200, kept, "GET /echo/a q=b"},
        {"absolute without a path", of("http://localhost"), 200, kept, "GET /"},
        {"absolute, a query only", of("http://localhost?q=b"), 200, kept, "GET / q=b"},
        {"absolute, any case", of("HTTP://LOCALHOST:80/echo/a"), 200, kept, "GET /echo/a"},
        {"absolute, https", of("https://localhost/echo/a"), 200, kept, "GET /echo/a"},
        {"absolute, another host than the field", of("http://other/echo/a"), 200, kept, "GET /echo/a"},
        {"absolute, no Host", "GET http://localhost/ HTTP/1.1\r\n" + end, 400, closed},
        {"absolute, no host", of("http:///echo/a"), 400, closed},
        {"absolute, nothing", of("http://"), 400, closed},
        {"absolute, a user", of("http://u@localhost/"), 400, closed},
        {"absolute, a bad port", of("http://localhost:x/"), 400, closed},
        {"absolute, a port too high", of("http://localhost:65536/"), 400, closed},
        {"absolute, another scheme", of("ftp://localhost/"), 400, closed},
        // Asterisk and authority form
        {"OPTIONS *", of("*", "OPTIONS"), 204, kept, "", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
        {"GET *", of("*"), 400, closed},
        {"OPTIONS **", of("**", "OPTIONS"), 400, closed},
        {"CONNECT", of("localhost:443", "CONNECT"), 501, closed},
        {"CONNECT with a path", of("/", "CONNECT"), 400, closed},
        {"CONNECT without a port", of("localhost", "CONNECT"), 400, closed},
        {"authority form without CONNECT", of("localhost:443"), 400, closed},
        // What is none
        {"no slash", of("echo/a"), 400, closed},
        {"only a query", of("?q=a"), 400, closed},
        {"a fragment", of("/a#b"), 400, closed},
        {"bytes beyond ASCII", of("/caf\xC3\xA9"), 400, closed},
        {"bytes beyond ASCII in the query", of("/?q=\xE9"), 400, closed},
        {"a control character", of("/a\x01"), 400, closed},
        {"NUL", of("/a\0b"s), 400, closed},
        {"DEL", of("/a\x7F"), 400, closed},
        {"half an escape", of("/a%4"), 400, closed},
        {"an escape that is none", of("/a%zz"), 400, closed},
        {"an escaped NUL", of("/a%00b"), 400, closed},
        {"an escaped line end", of("/a%0d%0aEvil:1"), 400, closed},
        // Dot segments: RFC 3986, section 5.2.4
        {"a dot", of("/./echo/./a"), 200, kept, "GET /echo/a"},
        {"two dots", of("/echo/a/../b"), 200, kept, "GET /echo/b"},
        {"two dots in the end", of("/echo/a/.."), 200, kept, "GET /echo/"},
        {"two dots, escaped", of("/echo/a/%2e%2E/b"), 200, kept, "GET /echo/b"},
        {"two dots that lead to another route", of("/echo/../get"), 200, kept, "GET /get"},
        {"two dots in the absolute form", of("http://localhost/echo/../get"), 200, kept, "GET /get"},
        {"three dots", of("/echo/..."), 200, kept, "GET /echo/..."},
        {"escaped twice", of("/echo/%252e%252e"), 200, kept, "GET /echo/%2e%2e"},
        {"above the root", of("/../etc/passwd"), 400, closed},
        {"above the root, later", of("/echo/../../a"), 400, closed},
        {"above the root, escaped", of("/%2e%2e/a"), 400, closed},
        {"above the root, absolute", of("http://localhost/../a"), 400, closed},
        {"behind an escaped slash", of("/echo/..%2f..%2Fa"), 400, closed},
    });
}

TEST_CASE("rfc: Host") {
    auto with = [](const std::string& lines, const std::string& version = "1.1") {
        return "GET / HTTP/" + version + "\r\n" + lines + end;
    };
    run({
        {"a port", with("Host: localhost:8080\r\n"), 200, kept},
        {"an empty port", with("Host: localhost:\r\n"), 200, kept},
        {"an IPv6 address", with("Host: [::1]:8080\r\n"), 200, kept},
        {"another case of the name", with("HOST: localhost\r\n"), 200, kept},
        {"no space", with("Host:localhost\r\n"), 200, kept},
        {"spaces around", with("Host: \t localhost \t\r\n"), 200, kept},
        {"behind other fields", with("X: y\r\n" + host), 200, kept},
        {"none in HTTP/1.0", with("", "1.0"), 200, closed},
        {"none", with(""), 400, closed},
        {"two", with("Host: h\r\nHost: i\r\n"), 400, closed},
        {"two equal ones", with(host + host), 400, closed},
        {"two in HTTP/1.0", with(host + host, "1.0"), 400, closed},
        {"a list", with("Host: h, i\r\n"), 400, closed},
        {"two in one", with("Host: h i\r\n"), 400, closed},
        {"empty", with("Host:\r\n"), 400, closed},
        {"only a port", with("Host: :80\r\n"), 400, closed},
        {"a path", with("Host: h/path\r\n"), 400, closed},
        {"a user", with("Host: u@h\r\n"), 400, closed},
        {"a scheme", with("Host: http://h\r\n"), 400, closed},
        {"a port too high", with("Host: h:65536\r\n"), 400, closed},
        {"a port that is none", with("Host: h:http\r\n"), 400, closed},
        {"a bad escape", with("Host: h%0\r\n"), 400, closed},
        {"an escaped NUL", with("Host: h%00\r\n"), 400, closed},
        {"half an IPv6 address", with("Host: [::1\r\n"), 400, closed},
        {"bytes beyond ASCII", with("Host: caf\xC3\xA9\r\n"), 400, closed},
        {"quotes", with("Host: \"h\"\r\n"), 400, closed},
    });
}

TEST_CASE("rfc: header fields") {
    auto with = [](const std::string& lines) { return get + host + lines + end; };
    std::string hundred, more;
    for (int i = 1; i < 100; ++i) hundred += "N" + std::to_string(i) + ": v\r\n";
    for (int i = 0; i < 500; ++i) more += "N: v\r\n";
    run({
        {"a value", with("X: a b\r\n"), 200, kept, "GET / X=a b"},
        {"no space in front", with("X:a\r\n"), 200, kept, "GET / X=a"},
        {"spaces around", with("X: \t a \t \r\n"), 200, kept, "GET / X=a"},
        {"nothing", with("X:\r\n"), 200, kept, "GET / X="},
        {"only spaces", with("X: \t \r\n"), 200, kept, "GET / X="},
        {"bytes beyond ASCII", with("X: caf\xC3\xA9 \xFF\r\n"), 200, kept, "GET / X=caf\xC3\xA9 \xFF"},
        {"a tab within", with("X: a\tb\r\n"), 200, kept, "GET / X=a\tb"},
        {"colons and quotes", with("X: \"a:b\", c:d\r\n"), 200, kept, "GET / X=\"a:b\", c:d"},
        {"another case", with("x: a\r\n"), 200, kept, "GET / X=a"},
        {"every character of a name", with("!#$%&'*+-.^_`|~09azAZ: a\r\n"), 200, kept},
        {"a long name", with(std::string(4000, 'n') + ": a\r\n"), 200, kept},
        {"a long value", with("X: " + std::string(7000, 'v') + "\r\n"), 200, kept},
        {"a hundred", with(hundred), 200, kept},
        {"one more", with(hundred + "N: v\r\n"), 431, closed},
        {"five hundred more", with(hundred + more), 431, closed},
        {"too long", with("X: " + std::string(9000, 'v') + "\r\n"), 431, closed},
        {"too long a name", with(std::string(9000, 'n') + ": v\r\n"), 431, closed},
        {"folded", with("X: a\r\n b\r\n"), 400, closed},
        {"folded by a tab", with("X: a\r\n\tb\r\n"), 400, closed},
        {"folded, empty", with("X:\r\n \r\n"), 400, closed},
        {"folded at once", get + " X: a\r\n" + host + end, 400, closed},
        {"a space in front of the colon", with("X : a\r\n"), 400, closed},
        {"a tab in front of the colon", with("X\t: a\r\n"), 400, closed},
        {"no name", with(": a\r\n"), 400, closed},
        {"no colon", with("X\r\n"), 400, closed},
        {"a name that is no token", with("X(): a\r\n"), 400, closed},
        {"a name with a space", with("X Y: a\r\n"), 400, closed},
        {"a name beyond ASCII", with("caf\xC3\xA9: a\r\n"), 400, closed},
        {"NUL", with("X: a\0b\r\n"s), 400, closed},
        {"NUL in the name", with("X\0: a\r\n"s), 400, closed},
        {"a control character", with("X: a\x01\r\n"), 400, closed},
        {"DEL", with("X: a\x7F\r\n"), 400, closed},
        {"a bare CR", with("X: a\rb\r\n"), 400, closed},
        {"a bare LF", with("X: a\nb\r\n"), 400, closed},
        {"a bare LF that would be a field", with("X: a\nEvil: b\r\n"), 400, closed},
        {"a bare LF at the end", get + "Host: localhost\n\r\n", 400, closed},
        {"an empty line of LF only", get + host + "\n", 400, closed},
        {"two CR", with("X: a\r\r\n"), 400, closed},
    });
}

TEST_CASE("rfc: methods") {
    const std::string every = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
    auto request = [](const std::string& method, const std::string& target) {
        return method + ' ' + target + " HTTP/1.1\r\n" + host + end;
    };
    run({
        {"HEAD", request("HEAD", "/get"), 200, kept},
        {"HEAD of nothing", request("HEAD", "/nowhere"), 404, kept},
        {"HEAD that is refused", "HEAD / HTTP/1.1\r\n" + end, 400, closed},
        {"HEAD with a folded line", "HEAD / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n" + end, 400, closed},
        {"OPTIONS", request("OPTIONS", "/get"), 204, kept, "", "GET, HEAD, OPTIONS"},
        {"OPTIONS of nothing", request("OPTIONS", "/nowhere"), 404, kept},
        {"another method", request("DELETE", "/get"), 405, kept, "", "GET, HEAD, OPTIONS"},
        {"TRACE", request("TRACE", "/get"), 405, kept, "", "GET, HEAD, OPTIONS"},
        {"TRACE where all is allowed", request("TRACE", "/echo/a"), 405, kept, "", every},
        {"an unknown method", request("BREW", "/get"), 501, kept},
        {"an unknown method of nothing", request("BREW", "/nowhere"), 501, kept},
        {"a method in small letters", request("get", "/get"), 501, kept},
        {"an odd method", request("!#$%&'*+-.^_`|~0", "/get"), 501, kept},
        {"an unknown method with a route", request("BREW", "/echo/a"), 200, kept, "BREW /echo/a"},
        {"a known one with a route", request("PUT", "/echo/a"), 200, kept, "PUT /echo/a"},
    });
}

TEST_CASE("rfc: junk is refused as soon as it shows") {
    run({
        {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03"s, 400, closed},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, closed},
        {"UTF-16", "G\0E\0T\0 \0/\0 \0"s, 400, closed},
        {"UTF-16 with a mark", "\xFF\xFEG\0E\0T\0"s, 400, closed},
        {"UTF-8 with a mark", "\xEF\xBB\xBF" + get + host + end, 400, closed},
        {"binary", "\x80\x00\xFF\x01"s + std::string(3000, '\xCC'), 400, closed},
        {"NUL", std::string(100, '\0'), 400, closed},
        {"a frame", test::frame(test::text, "hello"), 400, closed},
        {"SSH", "SSH-2.0-OpenSSH_9.2\r\n", 400, closed},
        {"SMTP", "EHLO example.com\r\n", 400, closed},
        {"SOCKS", "\x05\x01\x00"s, 400, closed},
        {"Redis", "*1\r\n$4\r\nPING\r\n", 400, closed},
        {"RTSP", "OPTIONS rtsp://localhost/ RTSP/1.0\r\n", 400, closed},
        {"a response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400, closed},
        {"the PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get + host + end, 400, closed},
    });
}
