#ifndef KVOLT_TESTING_REQUEST_HPP
#define KVOLT_TESTING_REQUEST_HPP

#include <kvolt/detail/http/response_parser.hpp>
#include <kvolt/detail/testing/client_connections.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/response.hpp>
#include <kvolt/testing/response_stream.hpp>
#include <kvolt/url.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::testing {

/// A request in the making: `client.post("/users").header("X-Token", "t").body("Ann").send()`. It can be sent more than
/// once.
///
/// @note Lifetime: that of the client.
class Request {
public:
    Request(detail::ClientConnections& connections, std::string_view method, std::string_view target)
        : connections_(&connections), method_(method), target_(target) {}

    /// Add a header field, as it is: nothing is checked. Host is `localhost` unless it is given.
    Request& header(std::string_view name, std::string_view value) {
        fields_.emplace_back(name, value);
        return *this;
    }

    /// @param type  The Content-Type; none if empty.
    Request& body(std::string body, std::string_view type = {}) {
        body_ = std::move(body);
        if (!type.empty()) header("Content-Type", type);
        return *this;
    }

    /// Send it and run the app until the whole response has come. Connections are kept and used again.
    ///
    /// Real time goes by if the handler waits for it, as for timers and threads of its own, up to Client::patience().
    ///
    /// @throws std::runtime_error  that says why there is no response: the handler waits for what does not come, the
    ///                             connection was closed, or the app has stopped.
    Response send() {
        auto [connection, parser] = begin();
        connection.read_into(parser, [&parser = parser] { return parser.complete(); });
        Response response(parser.status(), parser.fields(), parser.take_body());
        if (parser.keep_alive() && parser.status() != 101) connections_->give_back(std::move(connection));
        return response;
    }

    /// Send it and run the app until the response has begun, whose body is then read part by part. Throws like send().
    ResponseStream open() {
        auto [connection, parser] = begin();
        return ResponseStream(std::move(connection), std::move(parser));
    }

private:
    bool has(std::string_view name) const noexcept {
        for (const auto& [other, value] : fields_)
            if (detail::iequals(other, name)) return true;
        return false;
    }

    std::string bytes() const {
        std::string out = method_ + ' ' + target_ + " HTTP/1.1\r\n";
        auto add = [&](std::string_view name, std::string_view value) {
            ((out += name) += ": ") += value;
            out += "\r\n";
        };
        if (!has("Host")) add("Host", "localhost");
        for (const auto& [name, value] : fields_) add(name, value);
        bool sized = body_ && !has("Content-Length") && !has("Transfer-Encoding");
        if (sized) add("Content-Length", std::to_string(body_->size()));
        return out += "\r\n" + body_.value_or(std::string());
    }

    // Send, and wait for the head of the final response.
    std::pair<Connection, detail::ResponseParser> begin() {
        Connection connection = connections_->take();
        connection.purpose(method_ + ' ' + target_);
        connection.send(bytes());
        for (;;) {
            detail::ResponseParser parser(method_ == "HEAD");
            connection.read_into(parser, [&] { return parser.has_head(); });
            if (parser.status() >= 200 || parser.status() == 101) return {std::move(connection), std::move(parser)};
        }
    }

    detail::ClientConnections* connections_;
    std::string method_, target_;
    Response::Fields fields_;
    std::optional<std::string> body_;
};

}  // namespace kvolt::testing

#endif
