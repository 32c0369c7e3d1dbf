#ifndef KVOLT_DETAIL_CLIENT_HANDSHAKE_HPP
#define KVOLT_DETAIL_CLIENT_HANDSHAKE_HPP

// The client's part of the opening handshake (RFC 6455, section 4.1): what it asks, and what it takes for an answer.

#include <kvolt/connect_error.hpp>
#include <kvolt/connect_options.hpp>
#include <kvolt/detail/client/websocket_url.hpp>
#include <kvolt/detail/core/base64.hpp>
#include <kvolt/detail/core/escape.hpp>
#include <kvolt/detail/core/random.hpp>
#include <kvolt/detail/http/answer_parser.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/detail/websocket/handshake.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// A new Sec-WebSocket-Key: 16 random bytes.
inline std::string make_websocket_key() { return encode_base64(random_value<std::array<unsigned char, 16>>()); }

inline std::string handshake_request(const WebSocketUrl& url, const ConnectOptions& options, std::string_view key) {
    std::string host = url.authority();
    for (const auto& [name, value] : options.fields())
        if (iequals(name, "Host")) host = value;
    std::string request = "GET " + url.target + " HTTP/1.1\r\nHost: " + host +
                          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                          "\r\nSec-WebSocket-Key: ";
    request += key;
    std::string_view separator = "\r\nSec-WebSocket-Protocol: ";
    for (const std::string& name : options.protocols()) {
        (request += separator) += name;
        separator = ", ";
    }
    if (options.compression()) (request += "\r\nSec-WebSocket-Extensions: ") += options.compression()->offer();
    for (const auto& [name, value] : options.fields())
        if (!iequals(name, "Host")) ((request += "\r\n") += name).append(": ") += value;
    return request += "\r\n\r\n";
}

/// Check the head of the server's answer.
///
/// @param key  The one that was sent.
/// @returns  the subprotocol that the server has agreed to; empty if none.
/// @throws ConnectError  that tells what is wrong with it.
inline std::string check_answer(const Answer& answer, const ConnectOptions& options, std::string_view key) {
    using Reason = ConnectError::Reason;
    auto fail = [](std::string what, std::string_view value = {}) {
        if (!value.empty()) what += ": " + printable(value);
        throw ConnectError(Reason::handshake, what);
    };
    if (answer.status != 101) {
        std::string what = "the server answered " + std::to_string(answer.status) + ' ' + printable(answer.reason, 100);
        if (answer.count("Location") > 0) what += ", go to " + printable(answer.field("Location"));
        if (!answer.body.empty()) what += ": " + printable(answer.body);
        throw ConnectError(Reason::status, what, answer.status, answer.body);
    }
    if (answer.version < 11) fail("the server answered 101 in HTTP/1.0");
    if (answer.count("Upgrade") == 0) fail("the server's 101 has no Upgrade field");
    if (answer.count("Upgrade") > 1 || !iequals(answer.field("Upgrade"), "websocket"))
        fail("the server's 101 upgrades to something else", answer.field("Upgrade"));
    if (!answer.has_token("Connection", "upgrade")) fail("the server's 101 has no Connection: Upgrade");
    if (answer.count("Sec-WebSocket-Accept") == 0) fail("the server's 101 has no Sec-WebSocket-Accept");
    if (answer.count("Sec-WebSocket-Accept") > 1 || answer.field("Sec-WebSocket-Accept") != accept_key(key))
        fail("the server's Sec-WebSocket-Accept is wrong", answer.field("Sec-WebSocket-Accept"));
    if (!options.compression() && answer.count("Sec-WebSocket-Extensions") > 0)
        fail("the server uses an extension that was not offered", answer.field("Sec-WebSocket-Extensions"));
    if (answer.count("Sec-WebSocket-Protocol") == 0) return {};
    if (answer.count("Sec-WebSocket-Protocol") > 1) fail("the server speaks more than one subprotocol");
    std::string protocol(answer.field("Sec-WebSocket-Protocol"));
    if (std::find(options.protocols().begin(), options.protocols().end(), protocol) == options.protocols().end())
        fail("the server speaks a subprotocol that was not offered", protocol.empty() ? "an empty one" : protocol);
    return protocol;
}

/// What a server that has passed check_answer() speaks of the extensions that were offered.
///
/// @throws ConnectError  that tells what is wrong with it.
inline Extensions accept_extensions(const Answer& answer, const ConnectOptions& options) {
    if (answer.count("Sec-WebSocket-Extensions") == 0) return {};
    std::string list;
    for (const auto& [name, value] : answer.fields)
        if (iequals(name, "Sec-WebSocket-Extensions")) (list += list.empty() ? "" : ", ") += value;
    return options.compression()->accept(list);
}

}  // namespace kvolt::detail

#endif
