#include "catch.hpp"
#include <kvolt/url.hpp>

#include <optional>
#include <string>
#include <string_view>

using kvolt::Origin;
using kvolt::parse_query;
using kvolt::percent_decode;
using kvolt::QueryParameters;
using namespace std::string_literals;

TEST_CASE("percent_decode decodes escapes and nothing else") {
    struct Case {
        std::string sent, decoded;
    };
    for (const Case& c : {
             Case{"", ""},
             Case{"/plain/path", "/plain/path"},
             Case{"caf%C3%A9", "caf\xC3\xA9"},
             Case{"caf%c3%a9", "caf\xC3\xA9"},
             Case{"%25", "%"},
             Case{"%2541", "%41"},  // once, not twice
             Case{"a%2Fb", "a/b"},
             Case{"a+b", "a+b"},  // plus means a space in queries only
             Case{"%20%7e%7F%01", " ~\x7F\x01"},
             Case{"%FF", "\xFF"},
         }) {
        CAPTURE(c.sent);
        CHECK(percent_decode(c.sent) == c.decoded);
    }
}

TEST_CASE("percent_decode refuses broken escapes and those that end strings or lines") {
    for (std::string_view sent : {"%",   "%4",  "a%",  "a%4",   "%zz", "%4g", "%g4", "%%41", "% 41",     "%-1",
                                  "%+1", "%0x", "%00", "a%00b", "%0a", "%0A", "%0d", "%0D",  "x%0D%0Ay", "\xC3%"}) {
        CAPTURE(sent);
        CHECK(percent_decode(sent) == std::nullopt);
    }
}

TEST_CASE("dot segments are removed, escaped or not, and nothing climbs above the root (RFC 3986, section 5.2.4)") {
    using kvolt::remove_dot_segments;
    struct Case {
        std::string_view path, clean;
    };
    for (const Case& c : {
             Case{"/", "/"},
             Case{"/a/b", "/a/b"},
             Case{"/a/b/", "/a/b/"},
             Case{"//a//b", "//a//b"},
             Case{"/.", "/"},
             Case{"/./", "/"},
             Case{"/./a", "/a"},
             Case{"/a/.", "/a/"},
             Case{"/a/..", "/"},
             Case{"/a/../", "/"},
             Case{"/a/../b", "/b"},
             Case{"/a/b/../../c", "/c"},
             Case{"/a/b/c/./../../g", "/a/g"},
             Case{"/a//../b", "/a/b"},
             Case{"//..", "/"},
             Case{"/a/%2e%2E/b", "/b"},
             Case{"/a/.%2e/b", "/b"},
             Case{"/a/%2E/b", "/a/b"},
             Case{"/...", "/..."},
             Case{"/.a/..b/c.", "/.a/..b/c."},
             Case{"/%2e%2e%2e", "/%2e%2e%2e"},
             Case{"/a/..%2Fb", "/a/..%2Fb"},
             Case{"/%", "/%"},
             Case{"/%2", "/%2"},
         }) {
        CAPTURE(c.path);
        CHECK(remove_dot_segments(c.path) == c.clean);
    }
    for (const char* path : {"/..", "/../", "/../a", "/a/../..", "/a/../../b", "/%2e%2e", "/./..", "/%2E./a"}) {
        CAPTURE(path);
        CHECK_FALSE(remove_dot_segments(path));
    }
}

TEST_CASE("parse_query takes parameters apart in their order") {
    struct Case {
        std::string_view query;
        QueryParameters parameters;
    };
    for (const Case& c : {
             Case{"", {}},
             Case{"a=1", {{"a", "1"}}},
             Case{"a=1&b=2&a=3", {{"a", "1"}, {"b", "2"}, {"a", "3"}}},
             Case{"a", {{"a", ""}}},
             Case{"a=", {{"a", ""}}},
             Case{"=1", {{"", "1"}}},
             Case{"=", {{"", ""}}},
             Case{"&&a=1&", {{"a", "1"}}},
             Case{"a=b=c", {{"a", "b=c"}}},
             Case{"two+words=one+two", {{"two words", "one two"}}},
             Case{"a=%2B+%26%3D", {{"a", "+ &="}}},
             Case{"a%3Db=1%262", {{"a=b", "1&2"}}},
             Case{"name=caf%C3%A9", {{"name", "caf\xC3\xA9"}}},
             Case{"a=?/;:@", {{"a", "?/;:@"}}},
         }) {
        CAPTURE(c.query);
        CHECK(parse_query(c.query) == c.parameters);
    }
}

TEST_CASE("parse_query keeps a parameter with a broken escape as it was sent") {
    CHECK(parse_query("a=100%&b=%41") == QueryParameters{{"a", "100%"}, {"b", "A"}});
    CHECK(parse_query("a=x+%00") == QueryParameters{{"a", "x+%00"}});
    CHECK(parse_query("%zz=1") == QueryParameters{{"%zz", "1"}});
}

TEST_CASE("an origin is scheme, host and port") {
    struct Case {
        std::string_view text;
        Origin origin;
    };
    for (const Case& c : {
             Case{"http://example.com", {"http", "example.com", 80}},
             Case{"https://example.com", {"https", "example.com", 443}},
             Case{"http://example.com:8080", {"http", "example.com", 8080}},
             Case{"HTTPS://Example.COM:443", {"https", "example.com", 443}},
             Case{"http://127.0.0.1:65535", {"http", "127.0.0.1", 65535}},
             Case{"http://[::1]", {"http", "[::1]", 80}},
             Case{"http://[2001:DB8::1]:81", {"http", "[2001:db8::1]", 81}},
             Case{"http://[::ffff:1.2.3.4]:81", {"http", "[::ffff:1.2.3.4]", 81}},
             Case{"http://example.com:", {"http", "example.com", 80}},  // RFC 3986, section 3.2.3
             Case{"http://a_b-c.example", {"http", "a_b-c.example", 80}},
             Case{"http://xn--caf-dma.example", {"http", "xn--caf-dma.example", 80}},
             Case{"capacitor://localhost", {"capacitor", "localhost", 0}},
             Case{"chrome-extension://abc", {"chrome-extension", "abc", 0}},
             Case{"tauri://localhost:1430", {"tauri", "localhost", 1430}},
             Case{"App+1.x-y://obsidian.md", {"app+1.x-y", "obsidian.md", 0}},
             Case{"file://", {"file", "", 0}},
         }) {
        CAPTURE(c.text);
        CHECK(Origin::parse(c.text) == c.origin);
    }
}

TEST_CASE("what is no origin of a web page is none") {
    for (std::string_view text : {"",
                                  "null",
                                  "example.com",
                                  "//example.com",
                                  "http:example.com",
                                  "http:/example.com",
                                  "http://",
                                  "http://:80",
                                  "https://",
                                  "capacitor://",
                                  "file:///",
                                  "file:///etc/passwd",
                                  "://localhost",
                                  "1x://localhost",
                                  "a b://localhost",
                                  "a_b://localhost",
                                  "tauri://localhost/",
                                  "tauri://user@localhost",
                                  "http://example.com/",
                                  "http://example.com/x",
                                  "http://example.com?x",
                                  "http://example.com#x",
                                  "http://user@example.com",
                                  "http://user:pw@example.com",
                                  "http://example.com:65536",
                                  "http://example.com:-1",
                                  "http://example.com:+80",
                                  "http://example.com:8a",
                                  "http://example.com:80:80",
                                  "http://example.com:999999999999",
                                  "http://a b",
                                  " http://a",
                                  "http://a ",
                                  "http://a, http://b",
                                  "http://a,b",
                                  "http://caf\xC3\xA9.example",
                                  "http://[::1",
                                  "http://[]",
                                  "http://::1",
                                  "http://[::1]x",
                                  "http://[g::1]",
                                  "http://a\\b",
                                  "http://a<b",
                                  "http://a%"}) {
        CAPTURE(text);
        CHECK_FALSE(Origin::parse(text).has_value());
    }
    CHECK_FALSE(Origin::parse("http://a\0b"s).has_value());
}

TEST_CASE("origins differ if scheme, host or port does") {
    auto same = [](std::string_view a, std::string_view b) { return Origin::parse(a) == Origin::parse(b); };
    CHECK(same("http://a.example", "HTTP://A.example:80"));
    CHECK(same("https://a.example:443", "https://a.example"));
    CHECK_FALSE(same("http://a.example", "https://a.example"));
    CHECK_FALSE(same("http://a.example:443", "https://a.example"));
    CHECK_FALSE(same("http://a.example", "http://b.example"));
    CHECK_FALSE(same("http://a.example", "http://a.example:8080"));
    CHECK_FALSE(same("http://a.example", "http://a.example.evil.example"));
    CHECK_FALSE(same("http://a.example", "http://x.a.example"));
}

TEST_CASE("names are compared without case, in ASCII only") {
    CHECK(kvolt::detail::iequals("Content-Length", "CONTENT-lENGTH"));
    CHECK(kvolt::detail::iequals("", ""));
    CHECK_FALSE(kvolt::detail::iequals("a", "ab"));
    CHECK_FALSE(kvolt::detail::iequals("[", "{"));  // differ by the bit that makes a letter lower case
    CHECK_FALSE(kvolt::detail::iequals("\xC9", "\xE9"));
    CHECK(kvolt::detail::lowered("ABC-xyz-[\xC9") == "abc-xyz-[\xC9");
}
