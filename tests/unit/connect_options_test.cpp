#include "catch.hpp"
#include <kvolt/connect_options.hpp>

#include <stdexcept>
#include <string>

using kvolt::ConnectOptions;

TEST_CASE("connect options: subprotocols are tokens, each named once") {
    CHECK(ConnectOptions().protocols({"chat.v1", "chat.v2"}).protocols().size() == 2);
    CHECK_THROWS_AS(ConnectOptions().protocols({"a", "a"}), std::invalid_argument);
    CHECK_THROWS_AS(ConnectOptions().protocols({"a, b"}), std::invalid_argument);
    CHECK_THROWS_AS(ConnectOptions().protocols({""}), std::invalid_argument);
}

TEST_CASE("connect options: header fields cannot break the request, or be those of the handshake") {
    ConnectOptions options;
    options.header("Cookie", "a=1").header("Cookie", "b=2").header("X-Empty", "");
    CHECK(options.fields().size() == 3);
    for (const char* name : {"", "a b", "a:", "Upgrade", "connection", "Sec-WebSocket-Key", "sec-websocket-protocol",
                             "Content-Length", "Transfer-Encoding"})
        CHECK_THROWS_AS(options.header(name, "x"), std::invalid_argument);
    for (const std::string& value : {std::string("a\r\nb"), std::string("a\nb"), std::string("a\0b", 3)})
        CHECK_THROWS_AS(options.header("X", value), std::invalid_argument);
    CHECK(options.fields().size() == 3);
}

TEST_CASE("connect options: paths of Unix sockets") {
    CHECK(ConnectOptions().unix_socket("/run/chat.sock").unix_path() == "/run/chat.sock");
    CHECK_THROWS_AS(ConnectOptions().unix_socket(""), std::invalid_argument);
    CHECK_THROWS_AS(ConnectOptions().unix_socket(std::string(108, 'x')), std::invalid_argument);
    CHECK_THROWS_AS(ConnectOptions().unix_socket(std::string("a\0b", 3)), std::invalid_argument);
}
