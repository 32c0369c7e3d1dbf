#ifndef KVOLT_SRC_EVENTS_HPP
#define KVOLT_SRC_EVENTS_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/events.hpp>
#include <kvolt/handler.hpp>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

KVOLT_INLINE Event& Event::name(std::string name) {
    check(name);
    name_ = std::move(name);
    return *this;
}

KVOLT_INLINE Event& Event::id(std::string id) {
    check(id);
    id_ = std::move(id);
    has_id_ = true;
    return *this;
}

KVOLT_INLINE std::string Event::text() const {
    std::string out;
    if (!name_.empty()) add(out, "event: ", name_);
    if (has_id_) add(out, "id: ", id_);
    if (retry_.count() >= 0) add(out, "retry: ", std::to_string(retry_.count()));
    std::string_view rest = data_;
    while (true) {
        std::size_t end = rest.find_first_of("\r\n");
        add(out, "data: ", rest.substr(0, end));
        if (end == rest.npos) break;
        rest.remove_prefix(end + (rest.substr(end, 2) == "\r\n" ? 2 : 1));
    }
    return out += '\n';
}

KVOLT_INLINE void Event::add(std::string& out, std::string_view field, std::string_view value) {
    out += field;
    out += value;
    out += '\n';
}

KVOLT_INLINE void Event::check(std::string_view value) {
    if (detail::breaks_field(value))
        throw std::invalid_argument("kvolt: a line end or NUL in the name or id of an event");
}

KVOLT_INLINE Task<bool> EventStream::send_text(std::string text) { co_return co_await exchange_->write(text); }

}  // namespace kvolt

#endif
