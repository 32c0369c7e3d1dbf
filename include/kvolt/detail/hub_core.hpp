#ifndef KVOLT_DETAIL_HUB_CORE_HPP
#define KVOLT_DETAIL_HUB_CORE_HPP

// The part of a hub that does not depend on its Member: who is where, and one order for all.
//
// A broadcast, from any thread, goes to the home loop (the app's first), where a strand gives it its place in the one
// order. From there each loop that has members gets it in batches, encoded once, and delivers to its own members.

#include <kvolt/detail/frame.hpp>
#include <kvolt/detail/inbox.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/peer.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A member's place in a hub, on the loop of its connection.
struct HubMember {
    explicit HubMember(std::shared_ptr<Peer> peer) : peer(std::move(peer)) {}
    virtual ~HubMember() = default;

    std::shared_ptr<Peer> peer;
    std::string room;
    std::size_t place = 0;          // in HubShard's list of everyone
    std::size_t place_in_room = 0;  // in the room's list, if it has a room
};

struct Broadcast {
    std::string frame;
    std::string room;
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
                case Outbox::Added::queued: ++queued; break;
                case Outbox::Added::backpressure:
                    ++queued;
                    dropped += link->outbox().dropped() - dropped_before;
                    break;
                case Outbox::Added::overflow: slow.push_back(member->peer.get()); [[fallthrough]];
                case Outbox::Added::dropped: dropped += member->peer->over() ? 0 : 1; break;
            }
        }
        for (Peer* peer : slow) {
            peer->link()->outbox().shed();
            peer->close(close_code::try_again_later, "too slow");
        }
        count(deliveries_, queued);
        count(dropped_, dropped);
        count(disconnected_, slow.size());
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

/// What hubs call is virtual, so that files which only define handlers need not compile it.
class HubCore : public std::enable_shared_from_this<HubCore> {
public:
    /// @param limits  Of the app; read when somebody joins, which takes a running app.
    HubCore(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options)
        : loops_(std::move(loops)),
          limits_(limits),
          options_(options),
          home_(*loops_->front()),
          strand_(home_.executor()) {}

    virtual ~HubCore() = default;

    /// Let a member take part. On its loop.
    virtual void join(HubMember& member) { shard(member.peer->loop()).join(member); }

    /// Let it leave; from other threads it does so a little later.
    virtual void leave(std::unique_ptr<HubMember> member) noexcept {
        Peer& peer = *member->peer;
        auto leave_here = [self = shared_from_this(), member = std::shared_ptr<HubMember>(std::move(member))] {
            self->shard(member->peer->loop()).leave(*member);
        };
        if (peer.on_loop() || !peer.mailbox()->post(leave_here))
            leave_here();  // without its loop nothing else touches the hub
    }

    /// The shard of a loop, made when it is first needed. Any thread; it lives as long as the hub.
    HubShard& shard(Loop& loop) {
        std::lock_guard lock(mutex_);
        for (const auto& shard : shards_)
            if (&shard->loop() == &loop) return *shard;
        return *shards_.emplace_back(
            std::make_unique<HubShard>(loop, options_.backlog().value_or(limits_.backlog), options_.slow()));
    }

    /// All shards so far. Any thread.
    virtual std::vector<HubShard*> shards() const {
        std::lock_guard lock(mutex_);
        std::vector<HubShard*> result;
        for (const auto& shard : shards_) result.push_back(shard.get());
        return result;
    }

    /// Any thread.
    virtual void broadcast(Broadcast broadcast) {
        if (Loop::current() == &home_) return order(std::move(broadcast));
        if (incoming_.push(std::move(broadcast)))
            home_.mailbox()->post([self = shared_from_this()] {
                for (Broadcast& next : self->incoming_.take()) self->order(std::move(next));
            });
    }

    virtual HubStats stats() const {
        HubStats stats;
        stats.messages = messages_.load(std::memory_order_relaxed);
        for (const HubShard* shard : shards()) {
            stats.deliveries += shard->deliveries();
            stats.dropped += shard->dropped();
            stats.disconnected += shard->disconnected();
        }
        return stats;
    }

private:
    // On the home loop.
    void order(Broadcast broadcast) {
        boost::asio::dispatch(strand_, [self = shared_from_this(), broadcast = std::move(broadcast)]() mutable {
            self->deal(std::move(broadcast));
        });
    }

    // On the strand: whatever gets here first is first for everybody.
    void deal(Broadcast broadcast) {
        messages_.store(messages_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        std::shared_ptr<const Broadcast> shared;
        HubShard* own = nullptr;
        std::lock_guard lock(mutex_);
        for (const auto& shard : shards_) {
            if (shard->size() == 0) continue;
            if (&shard->loop() == &home_) {
                own = shard.get();
                continue;
            }
            if (!shared) shared = std::make_shared<const Broadcast>(broadcast);
            if (shard->inbox().push(shared))
                shard->loop().mailbox()->post([self = shared_from_this(), shard = shard.get()] {
                    for (const auto& next : shard->inbox().take()) shard->deliver(*next);
                });
        }
        if (own) own->deliver(shared ? *shared : broadcast);
    }

    std::shared_ptr<Loops> loops_;
    const Limits& limits_;
    const HubOptions options_;
    Loop& home_;
    boost::asio::strand<Loop::executor_type> strand_;
    Inbox<Broadcast> incoming_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<HubShard>> shards_;
    std::atomic<std::uint64_t> messages_{0};
};

}  // namespace kvolt::detail

#endif
