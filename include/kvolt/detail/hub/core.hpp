#ifndef KVOLT_DETAIL_HUB_CORE_HPP
#define KVOLT_DETAIL_HUB_CORE_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/hub/hooks.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt::detail {

struct HubEntry;
struct HubMember;

/// What is known of several members.
using HubValues = std::vector<std::shared_ptr<const void>>;

/// @throws std::length_error  for the name of a room that is too long.
void check_room(std::string_view room);

/// What all hubs do alike, whatever they know of their members. This is a seam: files that only define handlers need
/// not compile what is behind it.
class HubCore {
public:
    using Value = std::shared_ptr<const void>;  // a Member
    using Values = HubValues;
    using Where = std::function<bool(const void* value)>;

    virtual ~HubCore() = default;

    // On the member's loop

    virtual std::shared_ptr<HubMember> join(std::shared_ptr<Peer> peer, Value value, std::string key,
                                            std::string_view room) = 0;
    virtual MoveResult enter(const std::shared_ptr<HubMember>& member, std::string_view room) = 0;
    virtual MoveResult leave(const std::shared_ptr<HubMember>& member, std::string_view room) = 0;
    virtual bool may_broadcast(HubMember& member) = 0;
    virtual MoveResult change(const std::shared_ptr<HubMember>& member, Value value, std::string key) = 0;

    // Any thread

    /// @throws std::logic_error  if somebody has joined already.
    virtual HubHooks& hooks() = 0;

    /// Call no hook any more.
    virtual void unhook() noexcept = 0;

    /// Leave for good, on the member's loop: from other threads a little later. Takes no memory.
    virtual void leave(std::shared_ptr<HubMember> member) noexcept = 0;

    /// Give a message, or a close, its place in the order.
    virtual BroadcastResult submit(std::shared_ptr<HubEntry> entry) = 0;

    // The entries that users make; see Hub

    /// @param by  The connection of the seat that says it, if one does.
    BroadcastResult broadcast(MessageView message, std::string_view room, const BroadcastOptions& options,
                              std::shared_ptr<Peer> by = nullptr);
    BroadcastResult broadcast_if(MessageView message, Where where, std::string_view room,
                                 const BroadcastOptions& options);
    BroadcastResult send(MessageView message, SeatId seat);
    BroadcastResult send(MessageView message, std::string_view key);
    BroadcastResult send(MessageView message, std::shared_ptr<HubMember> member);
    BroadcastResult close_room(std::string_view room, std::uint16_t code, std::string_view reason);

    /// Who is in a room, if this is the loop that gives the order; false elsewhere.
    virtual bool list(std::string_view room, Values& values) = 0;

    /// The same from elsewhere: `answer` is called on the caller's loop when it has reached that place in the order, or
    /// on that which gives it; with an exception if the app has ended.
    virtual void ask(std::string room, Waiter<std::exception_ptr, Values> answer) = 0;

    virtual std::size_t size(std::string_view room) const = 0;
    virtual HubStats stats() const = 0;

protected:
    std::uint64_t invalid() const noexcept { return invalid_.load(std::memory_order_relaxed); }

private:
    BroadcastResult submit(MessageView message, std::shared_ptr<HubEntry> entry);

    std::atomic<std::uint64_t> invalid_{0};  // messages
};

}  // namespace kvolt::detail

#endif
