#include "catch.hpp"
#include <kvolt/detail/http/proxy_protocol.hpp>

#include <cstddef>
#include <string>
#include <string_view>

using kvolt::detail::most_proxy_data;
using kvolt::detail::parse_proxy_preamble;
using Kind = kvolt::detail::ProxyPreamble::Kind;

namespace {

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string data(int version_and_command, int family_and_transport, std::string_view body) {
    return signature + static_cast<char>(version_and_command) + static_cast<char>(family_and_transport) +
           static_cast<char>(body.size() >> 8) + static_cast<char>(body.size() & 255) + std::string(body);
}

// Such as "more", "bad", "peer" or "192.0.2.1:80", with how many bytes were behind the preamble.
std::string parse(std::string_view bytes) {
    auto result = parse_proxy_preamble(bytes);
    if (result.kind == Kind::more) return "more";
    if (result.kind == Kind::bad) return "bad";
    std::string rest = " +" + std::to_string(bytes.size() - result.size);
    if (result.kind == Kind::peer) return "peer" + rest;
    return (result.client ? result.client->to_string() : "unix") + (result.secure ? " by TLS" : "") + rest;
}

// An extension: type, length, value.
std::string extension(int type, std::string_view value) {
    return {static_cast<char>(type) + std::string(1, static_cast<char>(value.size() >> 8)) +
            static_cast<char>(value.size() & 255) + std::string(value)};
}

const std::string v4("\xc0\x00\x02\x01\x0a\x00\x00\x01\xc4\x88\x01\xbb", 12);
const std::string v6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\x01' + std::string(15, '\0') +
                       '\x01' + std::string("\x00\x50\x01\xbb", 4);

}  // namespace

TEST_CASE("PROXY protocol, version 1") {
    struct {
        std::string bytes, result;
    } cases[] = {
        {"PROXY TCP4 192.0.2.1 10.0.0.1 50312 443\r\n", "192.0.2.1:50312 +0"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 50312 443\r\nGET /", "192.0.2.1:50312 +5"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 0 65535\r\n", "192.0.2.1:0 +0"},
        {"PROXY TCP6 2001:db8::1 ::1 80 443\r\n", "[2001:db8::1]:80 +0"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 +0"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::1 80 443\r\n", "192.0.2.1:80 +0"},
        {"PROXY UNKNOWN\r\n", "peer +0"},
        {"PROXY UNKNOWN\r\nx", "peer +1"},
        {"PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", "peer +0"},
        {"PROXY UNKNOWN anything at all\r\n", "peer +0"},
        {"", "more"},
        {"P", "more"},
        {"PROXY", "more"},
        {"PROXY TCP4 192.0.2.1", "more"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 50312 443\r", "more"},
        {"PROXY UNKNOWN " + std::string(91, 'x') + "\r\n", "peer +0"},
        {"PROXY UNKNOWN " + std::string(92, 'x'), "more"},
        {"PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "bad"},
        {"PROXY UNKNOWN " + std::string(93, 'x'), "bad"},
        {"PROXY" + std::string(200, ' '), "bad"},
        {"proxy TCP4 192.0.2.1 10.0.0.1 50312 443\r\n", "bad"},
        {"GET / HTTP/1.1\r\n", "bad"},
        {"PROXX", "bad"},
        {"PROXY TCP5 192.0.2.1 10.0.0.1 1 2\r\n", "bad"},
        {"PROXY \r\n", "bad"},
        {"PROXY  TCP4 192.0.2.1 10.0.0.1 1 2\r\n", "bad"},
        {"PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n", "more"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 65536 2\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 -1 2\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 +1 2\r\n", "bad"},
        {"PROXY TCP4 192.0.2.1 10.0.0.1 1 x\r\n", "bad"},
        {"PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n", "bad"},
        {"PROXY TCP4 ::1 ::1 1 2\r\n", "bad"},
        {"PROXY TCP4 localhost 10.0.0.1 1 2\r\n", "bad"},
    };
    for (const auto& [bytes, result] : cases) {
        INFO(bytes);
        CHECK(parse(bytes) == result);
    }
}

TEST_CASE("PROXY protocol, version 2") {
    std::string local(200, 'l'), tlv("\x01\x00\x02h2", 5);
    struct {
        std::string bytes, result;
    } cases[] = {
        {data(0x21, 0x11, v4), "192.0.2.1:50312 +0"},
        {data(0x21, 0x11, v4) + "rest", "192.0.2.1:50312 +4"},
        {data(0x21, 0x11, v4 + tlv) + "rest", "192.0.2.1:50312 +4"},
        {data(0x21, 0x21, v6), "[2001:db8::1]:80 +0"},
        {data(0x21, 0x21, v6 + tlv + tlv), "[2001:db8::1]:80 +0"},
        {data(0x21, 0x31, std::string(216, 'u')), "unix +0"},
        {data(0x20, 0x00, ""), "peer +0"},  // LOCAL: the proxy's own connection
        {data(0x20, 0x11, v4), "peer +0"},
        {data(0x20, 0x11, ""), "peer +0"},
        {data(0x20, 0x00, local) + "x", "peer +1"},
        {data(0x21, 0x00, ""), "peer +0"},  // UNSPEC
        {data(0x21, 0x00, tlv), "peer +0"},
        {data(0x21, 0x12, v4), "peer +0"},  // a datagram
        {data(0x21, 0x11, v4 + extension(0x04, std::string(most_proxy_data - 15, 't'))), "192.0.2.1:50312 +0"},
        {data(0x21, 0x11, v4 + extension(0x04, std::string(most_proxy_data - 14, 't'))), "bad"},
        {signature, "more"},
        {signature.substr(0, 1), "more"},
        {data(0x21, 0x11, v4).substr(0, 15), "more"},
        {data(0x21, 0x11, v4).substr(0, 27), "more"},
        {data(0x11, 0x11, v4), "bad"},  // version 1 in this form
        {data(0x31, 0x11, v4), "bad"},
        {data(0x22, 0x11, v4), "bad"},  // an unknown command
        {data(0x21, 0x41, v4), "bad"},  // an unknown family
        {data(0x21, 0x13, v4), "bad"},  // an unknown transport
        {data(0x21, 0x11, v4.substr(0, 11)), "bad"},
        {data(0x21, 0x21, v6.substr(0, 35)), "bad"},
        {data(0x21, 0x31, std::string(215, 'u')), "bad"},
        {std::string("\r\n\r\n\r\n\r\n\r\n\r\n", 12), "bad"},
        {std::string("\x16\x03\x01\x02\x00\x01", 6), "bad"},
    };
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        INFO("case " << i);
        CHECK(parse(cases[i].bytes) == cases[i].result);
    }
}

TEST_CASE("PROXY protocol, version 2, tells whether the client speaks TLS") {
    const std::string by_tls("\x01\0\0\0\0", 5), with_certificate("\x07\0\0\0\0", 5), plain("\0\0\0\0\0", 5),
        version = extension(0x21, "TLSv1.3"), name = extension(0x02, "example.com");
    struct {
        std::string body, result;
    } cases[] = {
        {v4 + extension(0x20, by_tls), "192.0.2.1:50312 by TLS +0"},
        {v4 + extension(0x20, by_tls + version), "192.0.2.1:50312 by TLS +0"},
        {v4 + extension(0x20, with_certificate), "192.0.2.1:50312 by TLS +0"},
        {v4 + name + extension(0x20, by_tls) + name, "192.0.2.1:50312 by TLS +0"},
        {v4 + extension(0x20, plain), "192.0.2.1:50312 +0"},
        {v4 + extension(0x20, std::string("\x06\0\0\0\0", 5)), "192.0.2.1:50312 +0"},  // a certificate of before
        {v4 + version, "192.0.2.1:50312 +0"},  // which is no extension of the first level
        {v4 + name, "192.0.2.1:50312 +0"},
        {v4 + extension(0x20, by_tls.substr(0, 4)), "bad"},
        {v4 + extension(0x20, ""), "bad"},
        {v4 + extension(0x20, by_tls).substr(0, 7), "bad"},
        {v4 + extension(0x20, by_tls) + "\x01", "bad"},
        {v4 + std::string("\x01\x00", 2), "bad"},
        {v4 + std::string("\x01\x00\x02x", 4), "bad"},
        {v4 + std::string("\x01\xFF\xFF", 3), "bad"},
    };
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        INFO("case " << i);
        CHECK(parse(data(0x21, 0x11, cases[i].body)) == cases[i].result);
    }
    CHECK(parse(data(0x21, 0x21, v6 + extension(0x20, by_tls))) == "[2001:db8::1]:80 by TLS +0");
    CHECK(parse(data(0x21, 0x31, std::string(216, 'u') + extension(0x20, by_tls))) == "unix by TLS +0");
    CHECK(parse(data(0x20, 0x11, v4 + extension(0x20, by_tls))) == "peer +0");  // LOCAL: the proxy's own connection
    CHECK(parse(data(0x21, 0x00, extension(0x20, by_tls))) == "peer +0");       // UNSPEC
}

TEST_CASE("a preamble can come byte by byte") {
    for (const std::string& bytes :
         {std::string("PROXY TCP4 192.0.2.1 10.0.0.1 50312 443\r\n"), data(0x21, 0x11, v4)}) {
        for (std::size_t size = 0; size < bytes.size(); ++size)
            CHECK(parse(std::string_view(bytes).substr(0, size)) == "more");
        CHECK(parse(bytes) == "192.0.2.1:50312 +0");
    }
}
