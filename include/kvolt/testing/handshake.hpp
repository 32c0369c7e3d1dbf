#ifndef KVOLT_TESTING_HANDSHAKE_HPP
#define KVOLT_TESTING_HANDSHAKE_HPP

#include <kvolt/detail/http/response_parser.hpp>
#include <kvolt/detail/testing/client_connections.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/request.hpp>
#include <kvolt/testing/response.hpp>
#include <kvolt/testing/websocket.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::testing {

/// A WebSocket in the making: `client.websocket("/ws").header("Cookie", "id=7").connect()`.
///
/// @note Lifetime: that of the client.
class Handshake {
public:
    Handshake(detail::ClientConnections& connections, std::string_view target)
        : request_(connections, "GET", target), target_(target) {
        request_.header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    }

    /// Add a header field, such as Origin, of which there is none by default, as with clients that are no browsers.
    Handshake& header(std::string_view name, std::string_view value) {
        request_.header(name, value);
        return *this;
    }

    /// Offer a subprotocol, after those that were offered before.
    Handshake& protocol(std::string_view name) { return header("Sec-WebSocket-Protocol", name); }

    /// Run the app until it has answered.
    ///
    /// @throws std::runtime_error  that says why, if there is no WebSocket: the status and body of a refusal, or what
    ///                             Request::send() throws.
    WebSocket connect() {
        ResponseStream answer = request_.open();
        if (answer.status() != 101) {
            std::string body;
            while (auto part = answer.read()) body += *part;
            throw std::runtime_error("kvolt: GET " + target_ + ": no WebSocket but " + std::to_string(answer.status()) +
                                     ' ' + body);
        }
        Response response(answer.status(), answer.fields(), {});
        return WebSocket(std::move(answer).release(), std::move(response));
    }

    /// Run the app until it has refused, and return how.
    ///
    /// @throws std::runtime_error  if it accepts, and what Request::send() throws.
    Response refusal() {
        Response response = request_.send();
        if (response.status() == 101)
            throw std::runtime_error("kvolt: GET " + target_ + ": no refusal but a WebSocket");
        return response;
    }

private:
    Request request_;
    std::string target_;
};

}  // namespace kvolt::testing

#endif
