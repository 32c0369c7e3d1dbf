#include "catch.hpp"
#include <kvolt/request.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

using kvolt::Request;

TEST_CASE("a request is what it was filled with") {
    Request request;
    request.start("POST", "/a?b=c", 10);
    request.add_field("Host", "example.com");
    request.add_field("X", "");
    request.body_buffer() = "body";
    CHECK(request.method() == "POST");
    CHECK(request.target() == "/a?b=c");
    CHECK(request.version() == 10);
    CHECK(request.body() == "body");
    REQUIRE(request.field_count() == 2);
    CHECK(request.field_name(0) == "Host");
    CHECK(request.field_value(0) == "example.com");
    CHECK(request.field_value(1).empty());
    CHECK_THROWS_AS(request.field_name(2), std::out_of_range);
}

TEST_CASE("a request that is used again has nothing left of the last one") {
    Request request;
    request.start("POST", "/long/target/of/the/first", 10);
    request.add_field("Cookie", "secret");
    request.body_buffer() = "secret";
    request.start("GET", "/");
    CHECK(request.method() == "GET");
    CHECK(request.target() == "/");
    CHECK(request.version() == 11);
    CHECK(request.field_count() == 0);
    CHECK(request.header("Cookie").empty());
    CHECK(request.body().empty());
    request.clear();
    CHECK(request.method().empty());
    CHECK(request.target().empty());
}

TEST_CASE("views stay right however many fields follow") {
    Request request;
    request.start("GET", "/target");
    for (int i = 0; i < 1000; ++i) request.add_field("Name-" + std::to_string(i), "value " + std::to_string(i));
    CHECK(request.method() == "GET");
    CHECK(request.target() == "/target");
    CHECK(request.header("name-0") == "value 0");
    CHECK(request.header("NAME-999") == "value 999");
}

TEST_CASE("a head is kept once, and what is made of its parts stays right when it is gone") {
    Request request;
    std::string head = "GET /a/../b HTTP/1.1\r\nHost: h\r\nEmpty:\r\n\r\n";
    const std::string_view bytes = head;
    request.hold(bytes);
    request.start(bytes.substr(0, 3), bytes.substr(4, 7));
    request.add_field(bytes.substr(22, 4), bytes.substr(28, 1));
    request.add_field(bytes.substr(31, 5), bytes.substr(37, 0));
    request.add_field("Other", "from elsewhere");
    request.release();
    head.assign(head.size(), '?');
    CHECK(request.method() == "GET");
    CHECK(request.target() == "/a/../b");
    CHECK(request.raw_path() == "/b");
    CHECK(request.header("Host") == "h");
    CHECK(request.find("Empty") == "");
    CHECK(request.header("Other") == "from elsewhere");
    request.add_field(bytes.substr(0, 3), "no part any more");
    CHECK(request.header("???") == "no part any more");
    request.start("PUT", "/");
    CHECK(request.field_count() == 0);
}

TEST_CASE("a path is plain if it has neither escapes nor dots") {
    Request request;
    for (const char* target : {"/", "/a/b-c_d", "/a?b=%2F..", "//a", "/@:;,"}) {
        CAPTURE(target);
        request.start("GET", target);
        CHECK(request.has_plain_path());
    }
    for (const char* target : {"", "*", "a", "http://h/a", "/a.b", "/..", "/%41", "/a#b", "/a b", "/\xC3", "?a"}) {
        CAPTURE(target);
        request.start("GET", target);
        CHECK_FALSE(request.has_plain_path());
    }
    request.start("GET", "/");
    request.clear();
    CHECK_FALSE(request.has_plain_path());
}

TEST_CASE("path and query of a target") {
    struct Case {
        std::string_view target, path, query;
    };
    for (const Case& c : {
             Case{"/", "/", ""},
             Case{"/a/b", "/a/b", ""},
             Case{"/a?", "/a", ""},
             Case{"/a?b=c?d", "/a", "b=c?d"},
             Case{"/?", "/", ""},
             Case{"/caf%C3%A9", "/caf%C3%A9", ""},
             Case{"//a//b", "//a//b", ""},
             Case{"/a?x=http://h/p", "/a", "x=http://h/p"},
             Case{"http://example.com/a/b?c", "/a/b", "c"},
             Case{"HTTPS://example.com:1/a", "/a", ""},
             Case{"http://example.com", "/", ""},
             Case{"http://example.com?q=/x", "/", "q=/x"},
             Case{"http://example.com/?q", "/", "q"},
             Case{"/http://example.com/a", "/http://example.com/a", ""},
             Case{"/a/../b?c=/../d", "/b", "c=/../d"},
             Case{"http://example.com/a/%2e%2e/b?c", "/b", "c"},
             Case{"/a/..", "/", ""},
             Case{"/../a", "/../a", ""},
             Case{"/.well-known/x", "/.well-known/x", ""},
             Case{"*", "*", ""},
             Case{"example.com:80", "example.com:80", ""},
             Case{"ftp://example.com/a", "ftp://example.com/a", ""},
             Case{"", "", ""},
         }) {
        CAPTURE(c.target);
        Request request;
        request.start("GET", c.target);
        CHECK(request.raw_path() == c.path);
        CHECK(request.raw_query() == c.query);
    }
}

TEST_CASE("the host is that of an absolute target, otherwise that of the Host field") {
    for (auto [target, host] : {std::pair("/a", "field:80"), std::pair("*", "field:80"), std::pair("http://h", "h"),
                                std::pair("http://h?q", "h"), std::pair("HTTPS://h:8080/a?b", "h:8080"),
                                std::pair("http:///a", ""), std::pair("/http://h/", "field:80")}) {
        CAPTURE(target);
        Request request;
        request.start("GET", target);
        request.add_field("Host", "field:80");
        CHECK(request.host() == host);
    }
}

TEST_CASE("fields are found without case, the first one wins, all are counted") {
    Request request;
    request.start("GET", "/");
    request.add_field("Accept", "a");
    request.add_field("ACCEPT", "b");
    request.add_field("Accept-Encoding", "gzip");
    request.add_field("Empty", "");
    CHECK(request.header("accept") == "a");
    CHECK(request.count("aCCept") == 2);
    CHECK(request.find("Accept-Encoding") == "gzip");
    CHECK(request.find("Accept-") == std::nullopt);
    CHECK(request.find("Empty") == "");
    CHECK(request.find("Absent") == std::nullopt);
    CHECK(request.header("Absent").empty());
    CHECK(request.count("Absent") == 0);
}

TEST_CASE("a token is found in any line of a list, and only as a whole") {
    struct Case {
        std::string_view first, second;
        bool found;
    };
    for (const Case& c : {
             Case{"upgrade", "", true},
             Case{"Upgrade", "", true},
             Case{"keep-alive, Upgrade", "", true},
             Case{"keep-alive,upgrade", "", true},
             Case{"keep-alive", "Upgrade", true},  // two lines mean one list
             Case{"keep-alive", "close,\t UPGRADE \t,x", true},
             Case{",, upgrade ,,", "", true},
             Case{"", "", false},
             Case{"upgraded", "", false},
             Case{"xupgrade", "", false},
             Case{"up grade", "", false},
             Case{"upgrade;q=1", "", false},
             Case{"\"upgrade\"", "", false},
             Case{"keep-alive upgrade", "", false},
             Case{"up", "grade", false},
         }) {
        CAPTURE(c.first, c.second);
        Request request;
        request.start("GET", "/");
        request.add_field("Connection", c.first);
        request.add_field("Other", "upgrade");
        request.add_field("connection", c.second);
        CHECK(request.has_token("Connection", "upgrade") == c.found);
    }
}
