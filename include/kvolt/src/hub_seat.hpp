#ifndef KVOLT_SRC_HUB_SEAT_HPP
#define KVOLT_SRC_HUB_SEAT_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/config.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/hooks.hpp>
#include <kvolt/detail/hub/member.hpp>
#include <kvolt/detail/hub/seat.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

inline void check_loop(const Peer& peer) {
    if (!peer.on_loop()) throw std::logic_error("kvolt: a seat is joined and used in the handler that upgraded");
    if (HubHooks::choosing()) throw std::logic_error("kvolt: the predicate of a broadcast must not use the hub");
}

KVOLT_INLINE HubSeat::HubSeat(std::shared_ptr<HubCore> core, const std::shared_ptr<Peer>& peer, HubCore::Value value,
                              std::string key, std::string_view room) {
    check_room(room);
    check_loop(*peer);
    if (peer->role() == Role::client)
        throw std::logic_error("kvolt: Hub::join() of a client's connection, whose frames need masks of their own");
    member_ = core->join(peer, std::move(value), std::move(key), room);
    core_ = std::move(core);
}

KVOLT_INLINE HubSeat& HubSeat::operator=(HubSeat&& other) noexcept {
    if (this != &other) {
        leave();
        core_ = std::move(other.core_);
        member_ = std::move(other.member_);
    }
    return *this;
}

KVOLT_INLINE void HubSeat::leave_hub() noexcept { std::exchange(core_, nullptr)->leave(std::move(member_)); }

KVOLT_INLINE MoveResult HubSeat::enter(std::string_view room) {
    check_room(room);
    return hub().enter(member_, room);
}

KVOLT_INLINE MoveResult HubSeat::leave(std::string_view room) {
    HubCore& from = hub();
    return room.empty() ? MoveResult::unchanged : from.leave(member_, room);
}

KVOLT_INLINE const std::string& HubSeat::room() const { return readable().places.back().room->name; }

KVOLT_INLINE std::vector<std::string> HubSeat::rooms() const {
    std::vector<std::string> names;
    for (const HubPlace& place : readable().places)
        if (!place.room->name.empty()) names.push_back(place.room->name);
    return names;
}

KVOLT_INLINE BroadcastResult HubSeat::broadcast(MessageView message, const BroadcastOptions& options) {
    if (!here().roomless && room().empty()) return BroadcastResult::nobody;
    return broadcast(message, room(), options);
}

KVOLT_INLINE BroadcastResult HubSeat::broadcast(MessageView message, std::string_view room,
                                                const BroadcastOptions& options) {
    check_room(room);
    return within_rate() ? core_->broadcast(message, room, options, member_->peer) : BroadcastResult::limited;
}

KVOLT_INLINE bool HubSeat::within_rate() { return hub().may_broadcast(*member_); }

KVOLT_INLINE BroadcastResult HubSeat::send(MessageView message) { return hub().send(message, member_); }

KVOLT_INLINE void HubSeat::slow(SlowPolicy policy) { here().terms.policy = policy; }

KVOLT_INLINE void HubSeat::backlog(const Backlog& limit) { here().terms.limit = limit; }

KVOLT_INLINE const void* HubSeat::value() const { return readable().value.get(); }

KVOLT_INLINE MoveResult HubSeat::change(HubCore::Value value, std::string key) {
    return hub().change(member_, std::move(value), std::move(key));
}

KVOLT_INLINE SeatId HubSeat::id() const noexcept { return member_ ? member_->id : SeatId::none; }

KVOLT_INLINE HubMember& HubSeat::joined() const {
    if (!member_) throw std::logic_error("kvolt: a seat that has been left or never joined");
    return *member_;
}

KVOLT_INLINE HubMember& HubSeat::here() const {
    check_loop(*joined().peer);
    return *member_;
}

// Nothing changes any more once the loop has ended.
KVOLT_INLINE HubMember& HubSeat::readable() const { return joined().peer->mailbox()->closed() ? *member_ : here(); }

KVOLT_INLINE HubCore& HubSeat::hub() const {
    here();
    return *core_;
}

}  // namespace kvolt::detail

#endif
