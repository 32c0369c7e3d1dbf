#ifndef KVOLT_DETAIL_HUB_ENTRY_HPP
#define KVOLT_DETAIL_HUB_ENTRY_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/core/charge.hpp>
#include <kvolt/detail/hub/history.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/hub/member.hpp>
#include <kvolt/detail/websocket/peer.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

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

/// What users make to take one place in a hub's order.
struct HubEntry : HubItem {
    using HubItem::HubItem;

    /// What most messages do without.
    struct More {
        BroadcastOptions options;
        std::string coalesce;                          // the key, and whose it is; see coalesce_key()
        std::function<bool(const void* value)> where;  // who of the room gets it
        SeatId to = SeatId::none;                      // instead of a room
        std::string key;                               // instead of a room; of a member
        std::shared_ptr<const void> value;             // of a member
        std::uint16_t code = 0;                        // of a close; its reason is in `frame`
        std::shared_ptr<Peer> told_of;                 // by the hook that has said this
    };

    std::string frame;  // a message, ready to be sent
    std::string room;
    std::shared_ptr<HubMember> member;  // whom it is about, or who alone gets it
    std::shared_ptr<Peer> by;           // of the seat that has said it
    bool waited = false;                // for its place, so that whoever made it was told that all is well
    std::unique_ptr<More> more;
    std::shared_ptr<KeptMessage> kept;  // has the frame, if it is for a history
    std::optional<std::string> forget;  // the history of this room
    Charge charge, own;                 // while it is on its way between loops; of sums that the above keep

    const std::string& message() const noexcept { return kept ? kept->frame : frame; }

    More& need_more() {
        if (!more) more = std::make_unique<More>();
        return *more;
    }

    /// Take the memory that a history needs, while whoever says this can still be told that there is none.
    void prepare_to_keep() {
        if (kind != Kind::message || member) return;
        if (more && (more->to != SeatId::none || !more->key.empty() || more->where || !more->options.history())) return;
        kept = std::make_shared<KeptMessage>();
        if (more) kept->key = more->coalesce;
        if (more) kept->except = more->options.except();
        kept->frame = std::move(frame);
    }

    /// About how many bytes it takes.
    std::size_t size() const noexcept {
        std::size_t size = sizeof(HubEntry) + message().size() + room.size();
        if (kept) size += sizeof(KeptMessage) + kept->key.size();
        if (more) size += sizeof(More) + more->key.size() + more->coalesce.size() + more->options.coalesce().size();
        return size;
    }
};

/// What a member does in one of its rooms, or with what is known of it.
///
/// @param value, key  What is known of it from now on, if that is told, too.
inline std::shared_ptr<HubEntry> make_move(HubItem::Kind kind, std::shared_ptr<HubMember> member, std::string_view room,
                                           std::shared_ptr<const void> value = nullptr, std::string key = {}) {
    auto entry = std::make_shared<HubEntry>(kind);
    entry->room = room;
    entry->member = std::move(member);
    if (!value) return entry;
    entry->need_more().value = std::move(value);
    entry->more->key = std::move(key);
    return entry;
}

/// Bytes of what a hub has under way between threads: in all, and what one connection has to answer for. That is what
/// its members say and do, and what hooks say of that.
class HubAccounts {
public:
    std::size_t messages() const noexcept { return messages_.load(std::memory_order_relaxed); }
    std::size_t closes() const noexcept { return closes_.load(std::memory_order_relaxed); }
    std::size_t moves() const noexcept { return moves_.load(std::memory_order_relaxed); }
    static std::size_t moves(Peer& peer) noexcept { return peer.moves().load(std::memory_order_relaxed); }
    static std::size_t said(Peer& peer) noexcept { return peer.said().load(std::memory_order_relaxed); }

    /// How much of what all may say is one connection's.
    static constexpr std::size_t shares = 8;

    /// Count an entry until it is destroyed.
    void charge(HubEntry& entry) noexcept {
        if (entry.charge) return;
        const std::size_t size = entry.size();
        entry.charge = Charge(account(entry), size);
        if (auto* own = own_account(entry)) entry.own = Charge(*own, size);
    }

    /// What comes on top if an entry goes to many seats one by one.
    Charge more(const HubEntry& entry, std::size_t bytes) noexcept { return Charge(account(entry), bytes); }

private:
    using Sum = std::atomic<std::size_t>;

    static bool is_told(const HubEntry& entry) noexcept { return entry.more && entry.more->told_of; }

    Sum& account(const HubEntry& entry) noexcept {
        if (is_told(entry)) return moves_;
        if (entry.kind == HubItem::Kind::message) return messages_;
        return entry.kind == HubItem::Kind::close ? closes_ : moves_;
    }

    static Sum* own_account(const HubEntry& entry) noexcept {
        if (is_told(entry)) return &entry.more->told_of->moves();
        if (entry.kind == HubItem::Kind::message) return entry.by ? &entry.by->said() : nullptr;
        return entry.kind == HubItem::Kind::close ? nullptr : &entry.member->peer->moves();
    }

    Sum messages_{0}, closes_{0}, moves_{0};
};

/// What a loop is to deliver.
struct HubDelivery : HubItem {
    HubDelivery(std::shared_ptr<const HubEntry> what, std::shared_ptr<HubMember> whom, std::size_t missed,
                Charge for_it) noexcept
        : HubItem(Kind::delivery),
          entry(std::move(what)),
          only(std::move(whom)),
          gaps(missed),
          charge(std::move(for_it)) {}

    const std::shared_ptr<const HubEntry> entry;
    const std::shared_ptr<HubMember> only;  // of the room
    const std::size_t gaps;                 // so far, in what the loop was to deliver
    const Charge charge;                    // where one entry may make many of these
};

}  // namespace kvolt::detail

#endif
