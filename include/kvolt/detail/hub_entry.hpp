#ifndef KVOLT_DETAIL_HUB_ENTRY_HPP
#define KVOLT_DETAIL_HUB_ENTRY_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/charge.hpp>
#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/hub_history.hpp>
#include <kvolt/detail/hub_member.hpp>
#include <kvolt/detail/waiter.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

class HubShard;

/// Somebody asks who is in a room.
struct HubQuestion {
    Waiter<HubValues> answer;
    HubShard* asker = nullptr;  // where the answer takes its place among what is delivered; nullptr: on no loop
    HubValues values;
};

/// A key means something else in each room.
inline std::string coalesce_key(std::string_view room, std::string_view key) {
    std::string scoped;
    if (key.empty()) return scoped;
    scoped.reserve(1 + room.size() + key.size());
    scoped += static_cast<char>(room.size());
    scoped += room;
    scoped += key;
    return scoped;
}

/// What takes one place in a hub's order.
struct HubEntry {
    enum class Kind : std::uint8_t {
        message,  ///< To a room, a seat or a key.
        close,    ///< Close whoever is in a room.
        enter,    ///< A member has entered a room.
        leave,    ///< It has left one, or for good if `room` is empty.
        change,   ///< It is known otherwise now.
        ask,      ///< Tell who is in a room.
    };

    /// What most messages do without.
    struct More {
        BroadcastOptions options;
        std::string coalesce;                          // the key, and whose it is; see coalesce_key()
        std::function<bool(const void* value)> where;  // who of the room gets it
        SeatId to = SeatId::none;                      // instead of a room
        std::string key;                               // instead of a room; of a member
        std::shared_ptr<const void> value;             // of a member
        std::optional<std::string> forget;             // the history of this room
        std::uint16_t code = 0;                        // of a close; its reason is in `frame`
        std::shared_ptr<HubQuestion> question;
    };

    Kind kind = Kind::message;
    std::string frame;  // a message, ready to be sent
    std::string room;
    std::shared_ptr<HubMember> member;  // whom it is about
    std::unique_ptr<More> more;
    std::shared_ptr<const KeptMessage> kept;  // has the frame, if there is a history
    Charge charge;                            // while it is on its way between loops

    const std::string& message() const noexcept { return kept ? kept->frame : frame; }

    More& need_more() {
        if (!more) more = std::make_unique<More>();
        return *more;
    }

    /// Count it, while it is on its way, to a sum of bytes.
    void charge_to(std::atomic<std::size_t>& sum) {
        static constexpr std::size_t overhead = 128;  // of an empty one, about
        charge = Charge(sum, message().size() + overhead);
    }
};

}  // namespace kvolt::detail

#endif
