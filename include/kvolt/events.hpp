#ifndef KVOLT_EVENTS_HPP
#define KVOLT_EVENTS_HPP

// Server-sent events, as browsers' EventSource takes them (HTML Standard, section 9.2).

#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/handler.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

/// One server-sent event: `Event("23 °C").name("temperature").id("7")`.
class Event {
public:
    /// @param data  UTF-8, in any number of lines.
    explicit Event(std::string data = {}) : data_(std::move(data)) {}

    /// What the page listens for by `addEventListener(name, ...)`; without one, `onmessage` gets it.
    ///
    /// @throws std::invalid_argument  for a line end in it.
    Event& name(std::string name);

    /// What the browser will send as Last-Event-ID when it comes back.
    ///
    /// @throws std::invalid_argument  for a line end or NUL in it.
    Event& id(std::string id);

    /// How long the browser waits before it comes back after a lost connection.
    Event& retry(std::chrono::milliseconds delay) noexcept {
        retry_ = delay;
        return *this;
    }

    /// The event as it is sent, with the empty line that ends it.
    std::string text() const;

private:
    static void add(std::string& out, std::string_view field, std::string_view value);
    static void check(std::string_view value);

    std::string data_, name_, id_;
    bool has_id_ = false;
    std::chrono::milliseconds retry_{-1};
};

/// A response of server-sent events, made by `context.events()`. It ends when the handler returns.
///
/// While nothing is sent for `Limits::ping_interval`, a comment keeps the connection open and finds out whether the
/// browser is still there.
///
/// @note Lifetime: that of the handler.
/// @note Thread safety: none; for the connection's loop, where the handler runs.
class EventStream {
public:
    EventStream(detail::Exchange& exchange, std::string_view last_id) noexcept
        : exchange_(&exchange), last_id_(last_id) {}

    /// Send an event; completes like ResponseStream::write().
    ///
    /// If the browser goes while the handler waits for something else, such as a timer, that wait is cancelled, which
    /// mostly throws: clean up in destructors, not behind the loop that sends.
    ///
    /// @returns  false if nobody wants more: the browser is gone, or the server stops. Then return.
    Task<bool> send(const Event& event) { return send_text(event.text()); }
    Task<bool> send(std::string_view data) { return send_text(Event(std::string(data)).text()); }

    /// The id of the last event that the browser has got before it came back; empty at first.
    std::string_view last_id() const noexcept { return last_id_; }

    /// False once what is sent reaches nobody.
    bool is_open() const noexcept { return exchange_->streaming(); }

private:
    Task<bool> send_text(std::string text);

    detail::Exchange* exchange_;
    std::string_view last_id_;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/events.hpp>
#endif

#endif
