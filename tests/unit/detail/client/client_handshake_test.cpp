#include "catch.hpp"
#include <kvolt/deflate.hpp>
#include <kvolt/detail/client/handshake.hpp>

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
    auto deflate = kvolt::deflate(kvolt::DeflateOptions().context_takeover());
    CHECK(handshake_request(url, ConnectOptions().compression(deflate).header("A", "b"), "KEY") ==
          begin + "h:8080" + middle +
              "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nA: b\r\n\r\n");
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

TEST_CASE("client handshake: extensions, in as many lines as the server likes") {
    auto options = ConnectOptions().compression(kvolt::deflate(kvolt::DeflateOptions().context_takeover()));
    Answer answer;
    answer.fields = {{"Upgrade", "websocket"}};
    CHECK(accept_extensions(answer, {}).inflater == nullptr);
    CHECK(accept_extensions(answer, options).inflater == nullptr);
    answer.fields.emplace_back("SEC-websocket-extensions", "permessage-deflate");
    auto agreed = accept_extensions(answer, options);
    CHECK(agreed.inflater != nullptr);
    CHECK(agreed.deflater != nullptr);
    answer.fields.emplace_back("Sec-WebSocket-Extensions", "foo");
    CHECK_THROWS_WITH(accept_extensions(answer, options),
                      "the server uses an extension that was not offered: permessage-deflate, foo");
}
