#ifndef KVOLT_DETAIL_HUB_CORE_HPP
#define KVOLT_DETAIL_HUB_CORE_HPP

// Who is where in a hub, and delivery on each loop.

#include <kvolt/detail/charge.hpp>
#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/inbox.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/peer.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A member's place in a hub, on the loop of its connection.
struct HubMember {
    HubMember(std::shared_ptr<Peer> whose, std::string_view where) : peer(std::move(whose)), room(where) {}
    virtual ~HubMember() = default;

    std::shared_ptr<Peer> peer;
    std::string room;
    std::size_t place = 0;          // in HubShard's list of everyone
    std::size_t place_in_room = 0;  // in the room's list, if it has a room
};

struct Broadcast {
    std::string frame;
    std::string room;
    Charge charge;  // while it is on its way between loops
};

/// A hub's members on one loop. All but the counters and the inbox belongs to that loop's thread.
class HubShard {
public:
    HubShard(Loop& loop, const Backlog& limit, SlowPolicy policy) : loop_(loop), limit_(limit), policy_(policy) {}

    Loop& loop() noexcept { return loop_; }

    void join(HubMember& member) {
        add(everyone_, member, &HubMember::place);
        if (!member.room.empty()) add(rooms_[member.room], member, &HubMember::place_in_room);
        size_.store(everyone_.size(), std::memory_order_release);
    }

    void leave(HubMember& member) {
        remove(everyone_, member, &HubMember::place);
        if (!member.room.empty()) {
            auto room = rooms_.find(member.room);
            remove(room->second, member, &HubMember::place_in_room);
            if (room->second.empty()) rooms_.erase(room);
        }
        size_.store(everyone_.size(), std::memory_order_release);
    }

    /// The members of a room; everyone for the empty one.
    const std::vector<HubMember*>& members(std::string_view room) const {
        static const std::vector<HubMember*> none;
        if (room.empty()) return everyone_;
        auto found = rooms_.find(room);
        return found == rooms_.end() ? none : found->second;
    }

    void deliver(const Broadcast& broadcast) {
        const auto& to = members(broadcast.room);
        if (to.empty()) return;
        std::size_t begin = loop_.begin_append();
        loop_.outgoing() += broadcast.frame;
        std::size_t end = loop_.outgoing().size(), queued = 0, dropped = 0;
        std::vector<Peer*> slow;  // closed behind the loop: that appends, too
        for (HubMember* member : to) {
            Link* link = member->peer->link();
            if (link == nullptr) continue;
            std::uint64_t dropped_before = link->outbox().dropped();
            switch (link->send(begin, end, Unit::droppable, limit_, policy_)) {
                case Outbox::Added::queued:
                case Outbox::Added::backpressure: ++queued; break;
                case Outbox::Added::overflow: slow.push_back(member->peer.get()); [[fallthrough]];
                case Outbox::Added::dropped: dropped += member->peer->over() ? 0 : 1; break;
            }
            dropped += link->outbox().dropped() - dropped_before;
        }
        std::size_t closed = 0;
        for (Peer* peer : slow) {
            if (peer->over()) continue;  // it has a second seat
            dropped += peer->link()->outbox().shed();
            peer->close(close_code::try_again_later, "too slow");
            ++closed;
        }
        count(deliveries_, queued);
        count(dropped_, dropped);
        count(disconnected_, closed);
    }

    // Any thread

    std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }
    std::uint64_t deliveries() const noexcept { return deliveries_.load(std::memory_order_relaxed); }
    std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
    std::uint64_t disconnected() const noexcept { return disconnected_.load(std::memory_order_relaxed); }
    Inbox<std::shared_ptr<const Broadcast>>& inbox() noexcept { return inbox_; }

private:
    using List = std::vector<HubMember*>;
    using Counter = std::atomic<std::uint64_t>;

    static void add(List& list, HubMember& member, std::size_t HubMember::*place) {
        member.*place = list.size();
        list.push_back(&member);
    }

    static void remove(List& list, HubMember& member, std::size_t HubMember::*place) {
        list.back()->*place = member.*place;
        list[member.*place] = list.back();
        list.pop_back();
    }

    // Only this loop's thread writes, so no locked instruction is needed.
    static void count(Counter& counter, std::size_t more) noexcept {
        if (more > 0) counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    Loop& loop_;
    const Backlog limit_;
    const SlowPolicy policy_;
    List everyone_;
    std::map<std::string, List, std::less<>> rooms_;
    std::atomic<std::size_t> size_{0};
    Counter deliveries_{0}, dropped_{0}, disconnected_{0};
    Inbox<std::shared_ptr<const Broadcast>> inbox_;
};

/// What all hubs do alike. This is a seam: files that only define handlers need not compile what is behind it.
class HubCore {
public:
    virtual ~HubCore() = default;

    /// Let a member take part. On its loop.
    virtual void join(HubMember& member) = 0;

    /// Let it leave; from other threads it does so a little later.
    virtual void leave(std::unique_ptr<HubMember> member) noexcept = 0;

    /// Any thread. False if it was dropped.
    virtual bool broadcast(Broadcast broadcast) = 0;

    /// The loops' parts so far. Any thread; they live as long as the hub.
    virtual std::vector<HubShard*> shards() const = 0;

    virtual HubStats stats() const = 0;
};

}  // namespace kvolt::detail

#endif
