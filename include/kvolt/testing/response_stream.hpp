#ifndef KVOLT_TESTING_RESPONSE_STREAM_HPP
#define KVOLT_TESTING_RESPONSE_STREAM_HPP

#include <kvolt/detail/http/response_parser.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/response.hpp>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::testing {

/// A server-sent event as a page gets it.
struct Event {
    std::string name;  ///< Empty if it has none.
    std::string data;
    std::string id;
};

/// A response that is read part by part, made by `client.get(...).open()`. While nobody reads, the app is slowed down.
/// Move-only; the connection is closed when this is destroyed.
class ResponseStream {
public:
    /// The head is here already.
    ResponseStream(Connection connection, detail::ResponseParser parser)
        : connection_(std::move(connection)),
          parser_(std::move(parser)),
          head_(parser_.status(), parser_.fields(), {}) {}

    int status() const noexcept { return head_.status(); }
    std::string_view header(std::string_view name) const noexcept { return head_.header(name); }
    const Response::Fields& fields() const noexcept { return head_.fields(); }

    /// What comes next of the body, in whatever pieces; nothing at its end.
    ///
    /// @throws std::runtime_error  that says why, if neither comes: the app waits for something else, or the body was
    ///                             cut off.
    std::optional<std::string> read() {
        connection_.read_into(parser_, [&] { return !parser_.body().empty() || parser_.complete(); });
        std::string part = parser_.take_body();
        if (part.empty()) return std::nullopt;
        return part;
    }

    /// The next event of `c.events()`, past comments; nothing at the end. Throws like read().
    std::optional<Event> read_event() {
        for (;;) {
            std::size_t end = events_.find("\n\n");
            if (end == events_.npos) {
                auto part = read();
                if (!part) return std::nullopt;
                events_ += *part;
                continue;
            }
            std::string block = events_.substr(0, end + 1);
            events_.erase(0, end + 2);
            if (auto event = parse(block)) return event;
        }
    }

    /// Close before the end, as a browser does whose page is left. The handler is told of it by the clock:
    /// `client.advance(200ms)`.
    void close() noexcept { connection_.close(); }

    /// Give the connection away, for what follows an upgrade.
    Connection release() && { return std::move(connection_); }

private:
    static std::optional<Event> parse(std::string_view block) {
        Event event;
        bool any = false, data = false;
        while (!block.empty()) {
            std::string_view line = block.substr(0, block.find('\n'));
            block.remove_prefix(line.size() + 1);
            std::size_t colon = line.find(':');
            if (colon == 0) continue;
            std::string_view name = line.substr(0, colon),
                             value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
            if (value.starts_with(' ')) value.remove_prefix(1);
            any = true;
            if (name == "event") event.name = value;
            if (name == "id") event.id = value;
            if (name != "data") continue;
            if (std::exchange(data, true)) event.data += '\n';
            event.data += value;
        }
        if (!any) return std::nullopt;
        return event;
    }

    Connection connection_;
    detail::ResponseParser parser_;
    Response head_;
    std::string events_;  // what has come of the next ones
};

}  // namespace kvolt::testing

#endif
