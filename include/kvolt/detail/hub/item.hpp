#ifndef KVOLT_DETAIL_HUB_ITEM_HPP
#define KVOLT_DETAIL_HUB_ITEM_HPP

#include <cstdint>
#include <memory>

namespace kvolt::detail {

/// What waits in a hub's queues. It brings its own place there, so that to wait takes no memory.
struct HubItem {
    enum class Kind : std::uint8_t {
        message,   ///< A HubEntry to a room, a seat or a key.
        close,     ///< A HubEntry: close whoever is in a room.
        enter,     ///< A HubEntry: a member has entered a room.
        leave,     ///< A HubEntry: it has left one.
        change,    ///< A HubEntry: it is known otherwise now.
        depart,    ///< A HubMember, who leaves for good.
        ask,       ///< A HubQuestion on its way to the order, and back.
        delivery,  ///< A HubDelivery, from the order to one loop.
    };

    explicit HubItem(Kind what) noexcept : kind(what) {}

    const Kind kind;
    std::shared_ptr<HubItem> next;  // in the queue
};

}  // namespace kvolt::detail

#endif
