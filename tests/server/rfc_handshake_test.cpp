// The opening handshake: RFC 6455, sections 4.1 and 4.2.

#include "rfc.hpp"

#include <string>

using namespace test::rfc;

namespace {

const std::string start = "GET /ws HTTP/1.1\r\n" + host, upgrade = "Upgrade: websocket\r\n",
                  connection = "Connection: Upgrade\r\n", version = "Sec-WebSocket-Version: 13\r\n",
                  key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                  handshake = start + upgrade + connection + version + key;

std::string with_key(const std::string& value) {
    return start + upgrade + connection + version + "Sec-WebSocket-Key: " + value + "\r\n\r\n";
}

}  // namespace

TEST_CASE("rfc: the opening handshake") {
    run({
        {"good", handshake + end, 101, kept},
        {"any case", start + "UPGRADE: WebSocket\r\nCONNECTION: uPGRADE\r\nsec-websocket-version: 13\r\n" + key + end,
         101, kept},
        {"a Connection list", start + upgrade + "Connection: keep-alive, Upgrade\r\n" + version + key + end, 101, kept},
        {"two Connection lines", start + upgrade + "Connection: keep-alive\r\n" + connection + version + key + end, 101,
         kept},
        {"an Upgrade list", start + "Upgrade: h2c, websocket\r\n" + connection + version + key + end, 101, kept},
        {"two Upgrade lines", start + "Upgrade: h2c\r\n" + upgrade + connection + version + key + end, 101, kept},
        {"an empty body", handshake + "Content-Length: 0\r\n\r\n", 101, kept},
        {"an extension", handshake + "Sec-WebSocket-Extensions: permessage-deflate; x=\"y\"\r\n\r\n", 101, kept},
        {"a subprotocol", handshake + "Sec-WebSocket-Protocol: chat\r\n\r\n", 101, kept},
        {"the absolute form", "GET http://localhost/ws HTTP/1.1\r\n" + handshake.substr(start.find("Host")) + end, 101,
         kept},
        {"the same origin", handshake + "Origin: http://localhost\r\n\r\n", 101, kept, "", "", Over::plain},
        {"the same origin but for TLS", handshake + "Origin: http://localhost\r\n\r\n", 403, closed, "", "", Over::tls},
        {"the same origin, by TLS", handshake + "Origin: https://localhost\r\n\r\n", 101, kept, "", "", Over::tls},
        {"the same origin but by TLS", handshake + "Origin: https://localhost\r\n\r\n", 403, closed, "", "",
         Over::plain},
        {"no Upgrade", start + connection + version + key + end, 426, kept},
        {"another protocol", start + "Upgrade: h2c\r\n" + connection + version + key + end, 426, kept},
        {"almost that protocol", start + "Upgrade: websocket2\r\n" + connection + version + key + end, 426, kept},
        {"no Connection", start + upgrade + version + key + end, 426, closed},
        {"Connection: close", start + upgrade + "Connection: close\r\n" + version + key + end, 426, closed},
        {"no version", start + upgrade + connection + key + end, 426, closed},
        {"version 8", start + upgrade + connection + "Sec-WebSocket-Version: 8\r\n" + key + end, 426, closed},
        {"version 131", start + upgrade + connection + "Sec-WebSocket-Version: 131\r\n" + key + end, 426, closed},
        {"versions in a list", start + upgrade + connection + "Sec-WebSocket-Version: 13, 8\r\n" + key + end, 426,
         closed},
        {"two versions", handshake + "Sec-WebSocket-Version: 8\r\n\r\n", 426, closed},
        {"no key", start + upgrade + connection + version + end, 400, closed},
        {"an empty key", with_key(""), 400, closed},
        {"a short key", with_key("x"), 400, closed},
        {"a key of 15 bytes", with_key("dGhlIHNhbXBsZSBub25j"), 400, closed},
        {"a key of 17 bytes", with_key("dGhlIHNhbXBsZSBub25jZWU="), 400, closed},
        {"a key that is no base64", with_key("dGhlIHNhbXBsZSBub25jZ!=="), 400, closed},
        {"a key without its end", with_key("dGhlIHNhbXBsZSBub25jZQ"), 400, closed},
        {"two keys", handshake + "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n", 400, closed},
        {"the same key twice", handshake + key + end, 400, closed},
        {"POST", "POST" + handshake.substr(3) + end, 400, closed},
        {"HEAD", "HEAD" + handshake.substr(3) + end, 400, closed},
        {"HTTP/1.0", "GET /ws HTTP/1.0\r\n" + handshake.substr(start.find("Host")) + end, 400, closed},
        {"a body", handshake + "Content-Length: 5\r\n\r\nhello", 400, closed},
        {"a chunked body", handshake + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400, closed},
        {"an empty chunked body", handshake + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, closed},
        {"no Host", "GET /ws HTTP/1.1\r\n" + upgrade + connection + version + key + end, 400, closed},
        {"another origin", handshake + "Origin: http://evil\r\n\r\n", 403, closed},
        {"the origin null", handshake + "Origin: null\r\n\r\n", 403, closed},
        {"the origin of the Host field, which the absolute form makes void",
         "GET http://other/ws HTTP/1.1\r\n" + handshake.substr(start.find("Host")) + "Origin: http://localhost\r\n\r\n",
         403, closed},
        {"no upgrade where none is offered", "GET /echo/a HTTP/1.1\r\n" + handshake.substr(start.find("Host")) + end,
         200, closed, "GET /echo/a"},
        {"an upgrade to HTTP/2",
         get + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" +
             "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
         200, kept, "GET /"},
    });
}

TEST_CASE("rfc: a refused handshake is told what would do") {
    RfcServer server;
    auto plain = server.open().request(start + end);
    CHECK(plain.status == 426);
    CHECK(plain.field("upgrade") == "websocket");
    CHECK(plain.field("connection").starts_with("upgrade"));
    CHECK(plain.field("sec-websocket-version") == "");
    auto old = server.open().request(start + upgrade + connection + "Sec-WebSocket-Version: 8\r\n" + key + end);
    CHECK(old.status == 426);
    CHECK(old.field("upgrade") == "websocket");
    CHECK(old.field("sec-websocket-version") == "13");
}

TEST_CASE("rfc: frames right behind the handshake are not lost") {
    on_every_server([](RfcServer& server) {
        const std::string bytes =
            handshake + end + test::frame(test::text, "early") + test::frame(test::binary, "bird");
        for (bool whole : {true, false}) {
            auto client = server.open();
            if (whole)
                client.send(good + bytes);
            else
                send_bytewise(client, good + bytes);
            CHECK(client.read_response().body == "GET /echo/good");
            auto answer = client.read_response();
            CHECK(answer.status == 101);
            CHECK(answer.field("sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            CHECK(answer.fields.count("sec-websocket-extensions") == 0);
            CHECK(client.read_frame().payload == "early");
            CHECK(client.read_frame().payload == "bird");
        }
    });
}
