#ifndef KVOLT_SRC_HUB_HPP
#define KVOLT_SRC_HUB_HPP

#include <kvolt/app.hpp>
#include <kvolt/broadcast_options.hpp>
#include <kvolt/config.hpp>
#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/hub_entry.hpp>
#include <kvolt/detail/hub_strand.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>
#include <kvolt/websocket.hpp>

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

inline HubEntry to_one(MessageView message, std::shared_ptr<HubMember> member = nullptr) {
    HubEntry entry;
    entry.member = std::move(member);
    append_frame(entry.frame, message.binary ? Opcode::binary : Opcode::text, message.payload);
    return entry;
}

inline HubEntry to_room(MessageView message, std::string_view room, const BroadcastOptions& options) {
    check_room(room);
    HubEntry entry = to_one(message);
    entry.room = room;
    if (!options.is_default()) entry.need_more().options = options;
    return entry;
}

KVOLT_INLINE bool HubCore::broadcast(MessageView message, std::string_view room, const BroadcastOptions& options) {
    return submit(to_room(message, room, options));
}

KVOLT_INLINE bool HubCore::broadcast_if(MessageView message, Where where, std::string_view room,
                                        const BroadcastOptions& options) {
    HubEntry entry = to_room(message, room, options);
    entry.need_more().where = std::move(where);
    return submit(std::move(entry));
}

KVOLT_INLINE bool HubCore::send(MessageView message, SeatId seat) {
    HubEntry entry = to_one(message);
    entry.need_more().to = seat;
    return seat != SeatId::none && submit(std::move(entry));
}

KVOLT_INLINE bool HubCore::send(MessageView message, std::string_view key) {
    HubEntry entry = to_one(message);
    entry.need_more().key = key;
    return !key.empty() && submit(std::move(entry));
}

KVOLT_INLINE bool HubCore::send(MessageView message, std::shared_ptr<HubMember> member) {
    return submit(to_one(message, std::move(member)));
}

KVOLT_INLINE void HubCore::close_room(std::string_view room, std::uint16_t code, std::string_view reason) {
    check_room(room);
    check_close_code(code);
    HubEntry entry;
    entry.kind = HubEntry::Kind::close;
    entry.frame = reason;
    entry.room = room;
    entry.need_more().code = code;
    submit(std::move(entry));
}

}  // namespace kvolt::detail

#endif
