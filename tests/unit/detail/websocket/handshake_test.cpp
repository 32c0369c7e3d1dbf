#include "catch.hpp"
#include <kvolt/detail/websocket/handshake.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::HttpError;
using kvolt::Request;
using kvolt::UpgradeOptions;
using namespace kvolt::detail;

namespace {

constexpr std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==";

using Fields = std::vector<std::pair<std::string, std::string>>;

const Fields good_fields{{"Host", "h:8080"},
                         {"Upgrade", "websocket"},
                         {"Connection", "Upgrade"},
                         {"Sec-WebSocket-Version", "13"},
                         {"Sec-WebSocket-Key", std::string(key)}};

Request make(const Fields& fields, std::string_view method = "GET", int version = 11) {
    Request request;
    request.start(method, "/ws", version);
    for (const auto& [name, value] : fields) request.add_field(name, value);
    return request;
}

// The good handshake with one field replaced; an empty list removes it.
Request with(std::string_view name, const std::vector<std::string>& values) {
    Fields fields;
    for (const auto& field : good_fields)
        if (field.first != name) fields.push_back(field);
    for (const std::string& value : values) fields.emplace_back(name, value);
    return make(fields);
}

// 101, or the status of the refusal.
int status_of(const Request& request, const UpgradeOptions& options = {}, bool secure = false) {
    try {
        check_handshake(request, options, secure, request.host());
        return 101;
    } catch (const HttpError& error) {
        return error.status();
    }
}

}  // namespace

TEST_CASE("a good handshake is accepted, in all the forms that the field has") {
    CHECK(status_of(make(good_fields)) == 101);
    CHECK(status_of(with("Upgrade", {"WebSocket"})) == 101);
    CHECK(status_of(with("Upgrade", {"h2c, websocket"})) == 101);
    CHECK(status_of(with("Upgrade", {"h2c", "websocket"})) == 101);
    CHECK(status_of(with("Connection", {"keep-alive, Upgrade"})) == 101);
    CHECK(status_of(with("Connection", {"keep-alive", "upgrade"})) == 101);  // Beast refuses this legal case
    CHECK(status_of(with("Content-Length", {"0"})) == 101);
}

TEST_CASE("what is no handshake is told to upgrade") {
    for (const Request& request :
         {with("Upgrade", {}), with("Connection", {}), with("Upgrade", {"h2c"}), with("Upgrade", {"websockets"}),
          with("Connection", {"keep-alive"}), with("Connection", {"close"}), make({{"Host", "h"}})})
        CHECK(status_of(request) == 426);
    try {
        check_handshake(make({{"Host", "h"}}), {}, false, "h");
    } catch (const HttpError& error) {
        CHECK(error.headers() == HttpError::Fields{{"Upgrade", "websocket"}});
    }
}

TEST_CASE("a handshake is a GET of HTTP/1.1") {
    CHECK(status_of(make(good_fields, "POST")) == 400);
    CHECK(status_of(make(good_fields, "HEAD")) == 400);
    CHECK(status_of(make(good_fields, "get")) == 400);
    CHECK(status_of(make(good_fields, "GET", 10)) == 400);
}

TEST_CASE("another version than 13 is told so") {
    for (const std::vector<std::string>& versions : std::vector<std::vector<std::string>>{
             {}, {""}, {"8"}, {"14"}, {"013"}, {"13, 8"}, {"13", "13"}, {"13", "8"}, {"1 3"}}) {
        CAPTURE(versions);
        CHECK(status_of(with("Sec-WebSocket-Version", versions)) == 426);
    }
    try {
        check_handshake(with("Sec-WebSocket-Version", {"8"}), {}, false, "h");
    } catch (const HttpError& error) {
        CHECK(error.headers() == HttpError::Fields{{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
    }
}

TEST_CASE("there is exactly one key, 16 bytes in base64") {
    const std::string good(key);
    for (const std::vector<std::string>& keys :
         std::vector<std::vector<std::string>>{{},
                                               {""},
                                               {"x"},
                                               {good, good},
                                               {good + ", " + good},
                                               {good.substr(0, 22)},
                                               {good.substr(0, 23)},
                                               {good + "="},
                                               {"dGhlIHNhbXBsZSBub25jZQ= "},
                                               {"dGhlIHNhbXBsZSBub25jZ==="},
                                               {"dGhlIHNhbXBsZSBub25jZQA="},
                                               {"dGhlIHNhbXBsZSBub25jZQAA"},
                                               {"dGhlIHNhbXBsZSBub25j-Q=="},
                                               {"dGhlIHNhbXBsZSBub25j_Q=="},
                                               {"dGhlIHNhbXBsZSBub2 jZQ=="},
                                               {"=Gh=IHNhbXBsZSBub25jZQ=="},
                                               {"dGhlIHNhbXBsZSBub25jZQ==AAAA"}}) {
        CAPTURE(keys);
        CHECK(status_of(with("Sec-WebSocket-Key", keys)) == 400);
    }
    CHECK(is_websocket_key("++++++++++++++++/////w=="));
    CHECK(is_websocket_key("AAAAAAAAAAAAAAAAAAAAAA=="));
}

TEST_CASE("a handshake has no body") {
    CHECK(status_of(with("Content-Length", {"1"})) == 400);
    CHECK(status_of(with("Content-Length", {"10"})) == 400);
    CHECK(status_of(with("Transfer-Encoding", {"chunked"})) == 400);
    Request request = make(good_fields);
    request.body_buffer() = "x";
    CHECK(status_of(request) == 400);
}

TEST_CASE("by default only pages of the same origin connect, and clients without one") {
    CHECK(status_of(with("Origin", {"http://h:8080"})) == 101);
    CHECK(status_of(with("Origin", {"HTTP://H:8080"})) == 101);
    CHECK(status_of(with("Origin", {})) == 101);
    for (const std::vector<std::string>& origins :
         std::vector<std::vector<std::string>>{{"https://h:8080"},
                                               {"http://h"},
                                               {"http://h:80"},
                                               {"http://h:8081"},
                                               {"http://evil.example"},
                                               {"http://h:8080.evil.example"},
                                               {"http://evil.example/h:8080"},
                                               {"http://evil@h:8080"},
                                               {"null"},
                                               {""},
                                               {"h:8080"},
                                               {"http://h:8080/"},
                                               {"http://h:8080", "http://h:8080"},
                                               {"http://h:8080", "http://evil.example"},
                                               {"http://evil.example http://h:8080"}}) {
        CAPTURE(origins);
        CHECK(status_of(with("Origin", origins)) == 403);
    }
}

TEST_CASE("the scheme of the own origin is that of the connection") {
    CHECK(status_of(with("Origin", {"https://h:8080"}), {}, true) == 101);
    CHECK(status_of(with("Origin", {"http://h:8080"}), {}, true) == 403);
    Fields fields = good_fields;
    fields[0].second = "h";
    fields.emplace_back("Origin", "https://h:443");
    CHECK(status_of(make(fields), {}, true) == 101);
    CHECK(status_of(make(fields), {}, false) == 403);
}

TEST_CASE("a list of origins adds to the own one, any origin opens it, and one can be required") {
    UpgradeOptions list;
    list.allow_origin("https://a.example");
    CHECK(status_of(with("Origin", {"https://a.example"}), list) == 101);
    CHECK(status_of(with("Origin", {"https://A.example:443"}), list) == 101);
    CHECK(status_of(with("Origin", {"http://h:8080"}), list) == 101);
    CHECK(status_of(with("Origin", {"https://b.example"}), list) == 403);
    CHECK(status_of(with("Origin", {"https://x.a.example"}), list) == 403);
    CHECK(status_of(with("Origin", {"null"}), list) == 403);

    auto any = UpgradeOptions().allow_any_origin();
    CHECK(status_of(with("Origin", {"https://b.example"}), any) == 101);
    CHECK(status_of(with("Origin", {"null"}), any) == 101);

    auto required = UpgradeOptions().require_origin();
    CHECK(status_of(with("Origin", {}), required) == 403);
    CHECK(status_of(with("Origin", {"http://h:8080"}), required) == 101);
}

TEST_CASE("a predicate, a name's own and those of apps add to the own origin, too") {
    auto options = UpgradeOptions()
                       .allow_origin("null")
                       .allow_origin("tauri://localhost")
                       .allow_origin("https://*.a.example")
                       .allow_origins([](std::string_view origin) { return origin == "https://chosen.example"; });
    for (std::string origin :
         {"http://h:8080", "null", "tauri://localhost", "https://x.a.example", "https://chosen.example"})
        CHECK(status_of(with("Origin", {origin}), options) == 101);
    for (std::string origin : {"https://h:8080", "", "tauri://evil", "https://a.example", "https://other.example"})
        CHECK(status_of(with("Origin", {origin}), options) == 403);
    CHECK(status_of(with("Origin", {"null", "null"}), options) == 403);
}

TEST_CASE("an origin that is required is required also where any is allowed") {
    auto options = UpgradeOptions().allow_any_origin().require_origin();
    CHECK(status_of(with("Origin", {"https://b.example"}), options) == 101);
    CHECK(status_of(with("Origin", {}), options) == 403);
}

TEST_CASE("a handshake without Host matches no Origin") {
    Fields fields(good_fields.begin() + 1, good_fields.end());
    fields.emplace_back("Origin", "http://h:8080");
    CHECK(status_of(make(fields)) == 403);
}

TEST_CASE("the protocol is the client's favourite among those of the server") {
    struct Case {
        std::vector<std::string> offers;
        std::string agreed;
    };
    auto options = UpgradeOptions().protocols({"chat.v1", "chat.v2"});
    for (const Case& c : {
             Case{{}, ""},
             Case{{""}, ""},
             Case{{"chat.v2"}, "chat.v2"},
             Case{{"chat.v2, chat.v1"}, "chat.v2"},
             Case{{"other,chat.v1"}, "chat.v1"},
             Case{{"other", " chat.v2\t,chat.v1"}, "chat.v2"},  // lines are one list
             Case{{"other"}, ""},
             Case{{"CHAT.v1"}, ""},  // names are compared with case
             Case{{"chat.v"}, ""},
             Case{{"chat.v11"}, ""},
             Case{{",,chat.v1"}, "chat.v1"},
         }) {
        CAPTURE(c.offers);
        CHECK(agree_on_protocol(with("Sec-WebSocket-Protocol", c.offers), options) == c.agreed);
        CHECK(agree_on_protocol(with("Sec-WebSocket-Protocol", c.offers), {}).empty());
    }
}

TEST_CASE("the own origin is that of the target, if it is absolute, whatever the Host field says") {
    for (auto [origin, status] : {std::pair("http://h:8080", 403), std::pair("http://target", 101)}) {
        Request request;
        request.start("GET", "http://target/ws");
        for (const auto& [name, value] : good_fields) request.add_field(name, value);
        request.add_field("Origin", origin);
        CHECK(status_of(request) == status);
    }
}
