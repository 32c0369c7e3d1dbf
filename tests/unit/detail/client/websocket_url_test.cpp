#include "catch.hpp"
#include <kvolt/detail/client/websocket_url.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using kvolt::detail::WebSocketUrl;

TEST_CASE("websocket url: good ones") {
    struct Case {
        std::string text;
        bool secure;
        std::string host;
        unsigned port;
        std::string target, authority;
    };
    const std::vector<Case> cases = {
        {"ws://localhost", false, "localhost", 80, "/", "localhost"},
        {"ws://localhost/", false, "localhost", 80, "/", "localhost"},
        {"wss://Example.COM/Chat", true, "example.com", 443, "/Chat", "example.com"},
        {"WS://h:8080/a/b?c=d&e", false, "h", 8080, "/a/b?c=d&e", "h:8080"},
        {"ws://h?a=1", false, "h", 80, "/?a=1", "h"},
        {"ws://h:443/", false, "h", 443, "/", "h:443"},
        {"wss://h:443/", true, "h", 443, "/", "h"},
        {"wss://h:80/", true, "h", 80, "/", "h:80"},
        {"ws://h:/", false, "h", 80, "/", "h"},
        {"ws://127.0.0.1:1/", false, "127.0.0.1", 1, "/", "127.0.0.1:1"},
        {"ws://[::1]:8080/x", false, "[::1]", 8080, "/x", "[::1]:8080"},
        {"ws://h/caf%C3%A9?a=b://c/?d", false, "h", 80, "/caf%C3%A9?a=b://c/?d", "h"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.text);
        auto url = WebSocketUrl::parse(c.text);
        CHECK(url.secure == c.secure);
        CHECK(url.host == c.host);
        CHECK(url.port == c.port);
        CHECK(url.target == c.target);
        CHECK(url.authority() == c.authority);
        CHECK(url.to_string() == (c.secure ? "wss://" : "ws://") + c.authority + c.target);
    }
    CHECK(WebSocketUrl::parse("ws://[::1]/").bare_host() == "::1");
    CHECK(WebSocketUrl::parse("ws://a/").bare_host() == "a");
}

TEST_CASE("websocket url: bad ones") {
    for (const char* text : {"",
                             "ws",
                             "ws:",
                             "ws://",
                             "ws:///",
                             "ws://:80/",
                             "http://h/",
                             "https://h/",
                             "//h/",
                             "h/",
                             "ws:/h/",
                             "ws://h:0/",
                             "ws://h:65536/",
                             "ws://h:x/",
                             "ws://h:-1/",
                             "ws://user@h/",
                             "ws://user:pass@h/",
                             "ws://h/#top",
                             "ws://h/a b",
                             "ws://h/\xC3\xA9",
                             "ws://h/\r\nX: y",
                             "ws://h h/",
                             "ws://[::1/",
                             "ws://[x]/",
                             "ws://a%41/",
                             "ws://h\r\n/"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(WebSocketUrl::parse(text), std::invalid_argument);
    }
}
