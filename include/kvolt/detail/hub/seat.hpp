#ifndef KVOLT_DETAIL_HUB_SEAT_HPP
#define KVOLT_DETAIL_HUB_SEAT_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt::detail {

/// A Hub::Seat, whatever the hub knows of its members. Move-only.
class HubSeat {
public:
    HubSeat() noexcept = default;

    /// Join.
    HubSeat(std::shared_ptr<HubCore> core, const std::shared_ptr<Peer>& peer, HubCore::Value value, std::string key,
            std::string_view room);

    HubSeat(HubSeat&& other) noexcept = default;
    HubSeat& operator=(HubSeat&& other) noexcept;
    ~HubSeat() { leave(); }

    void leave() noexcept {
        if (member_) leave_hub();
    }

    MoveResult enter(std::string_view room);
    MoveResult leave(std::string_view room);
    const std::string& room() const;
    std::vector<std::string> rooms() const;

    BroadcastResult broadcast(MessageView message, const BroadcastOptions& options);
    BroadcastResult broadcast(MessageView message, std::string_view room, const BroadcastOptions& options);
    bool within_rate();
    BroadcastResult send(MessageView message);

    void slow(SlowPolicy policy);
    void backlog(const Backlog& limit);

    /// The Member.
    const void* value() const;

    MoveResult change(HubCore::Value value, std::string key);

    SeatId id() const noexcept;
    explicit operator bool() const noexcept { return member_ != nullptr; }

private:
    void leave_hub() noexcept;
    HubMember& joined() const;
    HubMember& here() const;
    HubMember& readable() const;
    HubCore& hub() const;

    std::shared_ptr<HubCore> core_;
    std::shared_ptr<HubMember> member_;  // nullptr for a seat that has been left or never joined
};

}  // namespace kvolt::detail

#endif
