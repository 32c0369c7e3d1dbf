#ifndef KVOLT_SRC_HUB_HPP
#define KVOLT_SRC_HUB_HPP

#include <kvolt/app.hpp>
#include <kvolt/broadcast_options.hpp>
#include <kvolt/config.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/entry.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/hub/strand.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/message.hpp>
#include <kvolt/websocket.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace kvolt::detail {

template <class Strand>
std::shared_ptr<HubCore> make_hub(App& app, const HubOptions& options) {
    auto hub = std::make_shared<Strand>(app.loops(), app.limits(), options);
    hub->start();
    hub->hooks().log = [weak = std::weak_ptr(app.core())](std::string_view line) {
        if (auto core = weak.lock()) core->log(line);
    };
    return hub;
}

KVOLT_INLINE void check_room(std::string_view room) {
    if (room.size() > 255) throw std::length_error("kvolt: a room's name has at most 255 bytes");
}

inline std::shared_ptr<HubEntry> make_message() { return std::make_shared<HubEntry>(HubItem::Kind::message); }

inline std::shared_ptr<HubEntry> to_room(std::string_view room, const BroadcastOptions& options) {
    check_room(room);
    auto entry = make_message();
    entry->room = room;
    if (options.is_default()) return entry;
    entry->need_more().options = options;
    entry->more->coalesce = coalesce_key(room, options.coalesce());
    return entry;
}

KVOLT_INLINE BroadcastResult HubCore::submit(MessageView message, std::shared_ptr<HubEntry> entry) {
    if (!message.is_valid()) {
        invalid_.fetch_add(1, std::memory_order_relaxed);
        return BroadcastResult::invalid;
    }
    append_frame(entry->frame, message.binary ? Opcode::binary : Opcode::text, message.payload);
    return submit(std::move(entry));
}

KVOLT_INLINE BroadcastResult HubCore::broadcast(MessageView message, std::string_view room,
                                                const BroadcastOptions& options, std::shared_ptr<Peer> by) {
    auto entry = to_room(room, options);
    entry->by = std::move(by);
    return submit(message, std::move(entry));
}

KVOLT_INLINE BroadcastResult HubCore::broadcast_if(MessageView message, Where where, std::string_view room,
                                                   const BroadcastOptions& options) {
    auto entry = to_room(room, options);
    entry->need_more().where = std::move(where);
    return submit(message, std::move(entry));
}

KVOLT_INLINE BroadcastResult HubCore::send(MessageView message, SeatId seat) {
    if (seat == SeatId::none) return BroadcastResult::nobody;
    auto entry = make_message();
    entry->need_more().to = seat;
    return submit(message, std::move(entry));
}

KVOLT_INLINE BroadcastResult HubCore::send(MessageView message, std::string_view key) {
    if (key.empty()) return BroadcastResult::nobody;
    auto entry = make_message();
    entry->need_more().key = key;
    return submit(message, std::move(entry));
}

KVOLT_INLINE BroadcastResult HubCore::send(MessageView message, std::shared_ptr<HubMember> member) {
    auto entry = make_message();
    entry->by = member->peer;
    entry->member = std::move(member);
    return submit(message, std::move(entry));
}

KVOLT_INLINE BroadcastResult HubCore::close_room(std::string_view room, std::uint16_t code, std::string_view reason) {
    check_room(room);
    check_close(code, reason);
    auto entry = std::make_shared<HubEntry>(HubItem::Kind::close);
    entry->frame = reason;
    entry->room = room;
    entry->forget = entry->room;
    entry->need_more().code = code;
    return submit(std::move(entry));
}

}  // namespace kvolt::detail

#endif
