#include "catch.hpp"
#include <kvolt/detail/client_handshake.hpp>

#include <string>

using kvolt::ConnectOptions;
using namespace kvolt::detail;

// Bad answers are told in tests/server/websocket_client_test.cpp, from socket to message.

TEST_CASE("client handshake: keys are 16 bytes in base64, each another") {
    std::string key = make_websocket_key();
    CHECK(is_websocket_key(key));
    CHECK(key != make_websocket_key());
}

TEST_CASE("client handshake: the request") {
    ConnectOptions options;
    std::string begin = "GET /chat?a=b HTTP/1.1\r\nHost: ",
                middle =
                    "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    "Sec-WebSocket-Key: KEY\r\n";
    auto url = WebSocketUrl::parse("ws://h:8080/chat?a=b");
    CHECK(handshake_request(url, options, "KEY") == begin + "h:8080" + middle + "\r\n");
    options.protocols({"a", "b"}).header("Cookie", "x").header("HOST", "other").header("Origin", "http://o");
    CHECK(handshake_request(url, options, "KEY") ==
          begin + "other" + middle + "Sec-WebSocket-Protocol: a, b\r\nCookie: x\r\nOrigin: http://o\r\n\r\n");
}

TEST_CASE("client handshake: the good answer of RFC 6455, section 1.3") {
    Answer answer;
    answer.status = 101;
    answer.fields = {{"Upgrade", "websocket"},
                     {"Connection", "Upgrade"},
                     {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
                     {"Sec-WebSocket-Protocol", "chat"}};
    ConnectOptions options;
    options.protocols({"superchat", "chat"});
    CHECK(check_answer(answer, options, "dGhlIHNhbXBsZSBub25jZQ==") == "chat");
    options.protocols({"Chat"});
    CHECK_THROWS_AS(check_answer(answer, options, "dGhlIHNhbXBsZSBub25jZQ=="), kvolt::ConnectError);
    answer.fields.pop_back();
    CHECK(check_answer(answer, options, "dGhlIHNhbXBsZSBub25jZQ==").empty());
    CHECK_THROWS_AS(check_answer(answer, options, "another"), kvolt::ConnectError);
}

TEST_CASE("client handshake: what a server says fits into one line") {
    CHECK(printable("a\r\nb\x1B[1m\x7F\xC3\xA9") == "a  b [1m ??");
    CHECK(printable(std::string(300, 'x')) == std::string(200, 'x'));
}
