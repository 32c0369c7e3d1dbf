#ifndef KVOLT_DETAIL_HUB_SHARD_HPP
#define KVOLT_DETAIL_HUB_SHARD_HPP

#include <kvolt/detail/hub_entry.hpp>
#include <kvolt/detail/hub_history.hpp>
#include <kvolt/detail/hub_member.hpp>
#include <kvolt/detail/inbox.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/peer.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A hub's members on one loop. All but the counters and the inbox belongs to that loop's thread.
class HubShard {
public:
    HubShard(Loop& loop, const History& history) : loop_(loop), rooms_(&HubMember::places) {
        if (history.messages > 0) history_.emplace(history.messages, history.bytes);
    }

    Loop& loop() noexcept { return loop_; }

    void join(HubMember& member, std::string_view room) {
        replay(member, {}, room);
        rooms_.enter(member, {});
        rooms_.enter(member, room);
        size_.store(rooms_.everyone().size(), std::memory_order_release);
    }

    bool enter(HubMember& member, std::string_view room) {
        if (!rooms_.enter(member, room)) return false;
        replay(member, room, room);
        return true;
    }

    bool leave(HubMember& member, std::string_view room) { return rooms_.leave(member, room); }

    void leave(HubMember& member) {
        rooms_.leave(member);
        size_.store(rooms_.everyone().size(), std::memory_order_release);
    }

    /// Do what an entry says, to one member or to those of its room.
    void deliver(const HubEntry& entry, HubMember* only = nullptr) {
        if (history_) remember(entry);
        if (entry.kind == HubEntry::Kind::close) return close(entry);
        if (only == nullptr) return send(entry, rooms_.in(entry.room));
        if (!only->places.empty()) send(entry, std::span(&only, 1));
    }

    /// What comes from the loop that gives the order.
    struct Delivery {
        std::shared_ptr<const HubEntry> entry;
        std::shared_ptr<HubMember> only;
        std::weak_ptr<HubQuestion> question;  // which has its answer
    };

    void deliver(const Delivery& delivery) {
        if (delivery.entry) return deliver(*delivery.entry, delivery.only.get());
        if (auto question = delivery.question.lock()) question->answer(std::move(question->values));
    }

    // Any thread

    Inbox<Delivery>& inbox() noexcept { return inbox_; }

    std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }
    std::uint64_t deliveries() const noexcept { return deliveries_.load(std::memory_order_relaxed); }
    std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
    std::uint64_t disconnected() const noexcept { return disconnected_.load(std::memory_order_relaxed); }

private:
    using Counter = std::atomic<std::uint64_t>;

    // What has become of what was sent.
    struct Tally {
        std::size_t queued = 0, dropped = 0;
        std::vector<std::shared_ptr<HubMember>> slow;  // closed behind the loop: that appends, too
    };

    void send(const HubEntry& entry, std::span<HubMember* const> members) {
        if (members.empty()) return;
        const HubEntry::More* more = entry.more.get();
        std::size_t begin = loop_.begin_append();
        loop_.outgoing() += entry.message();
        std::size_t end = loop_.outgoing().size();
        Tally tally;
        for (HubMember* member : members)
            if (!more || is_for(*more, *member)) send(*member, begin, end, tally);
        settle(tally);
    }

    void send(HubMember& member, std::size_t begin, std::size_t end, Tally& tally) {
        Link* link = member.peer->link();
        if (link == nullptr) return;
        std::uint64_t dropped_before = link->outbox().dropped();
        switch (link->send(begin, end, Unit::droppable, member.limit, member.policy)) {
            case Outbox::Added::queued:
            case Outbox::Added::backpressure: ++tally.queued; break;
            case Outbox::Added::overflow: tally.slow.push_back(member.shared_from_this()); [[fallthrough]];
            case Outbox::Added::dropped: tally.dropped += link->outbox().finished() ? 0 : 1; break;
        }
        tally.dropped += link->outbox().dropped() - dropped_before;
    }

    void settle(Tally& tally) {
        std::size_t closed = 0;
        for (const auto& member : tally.slow) {
            Peer& peer = *member->peer;
            if (peer.over()) continue;  // it has a second seat
            tally.dropped += peer.link()->outbox().shed();
            peer.close(close_code::try_again_later, "too slow");
            ++closed;
        }
        count(deliveries_, tally.queued);
        count(dropped_, tally.dropped);
        count(disconnected_, closed);
    }

    void remember(const HubEntry& entry) {
        if (entry.more && entry.more->forget) history_->forget(*entry.more->forget);
        if (entry.kept) history_->add(entry.room, entry.kept);
    }

    // What is kept of a room, or of two.
    void replay(HubMember& member, std::string_view room, std::string_view other) {
        if (!history_) return;
        Tally tally;
        history_->replay(room, other, [&](const KeptMessage& message) {
            if (message.except == member.id) return;
            std::size_t begin = loop_.begin_append();
            loop_.outgoing() += message.frame;
            send(member, begin, loop_.outgoing().size(), tally);
        });
        settle(tally);
    }

    static bool is_for(const HubEntry::More& more, const HubMember& member) {
        return member.id != more.options.except() && (!more.where || more.where(member.value.get()));
    }

    void close(const HubEntry& entry) {
        std::vector<std::shared_ptr<Peer>> peers;
        for (HubMember* member : rooms_.in(entry.room)) peers.push_back(member->peer);
        for (const auto& peer : peers) peer->close(entry.more->code, entry.frame);
    }

    // Only this loop's thread writes, so no locked instruction is needed.
    static void count(Counter& counter, std::size_t more) noexcept {
        if (more > 0) counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
    }

    Loop& loop_;
    HubRooms rooms_;
    std::optional<HubHistory> history_;
    std::atomic<std::size_t> size_{0};
    Counter deliveries_{0}, dropped_{0}, disconnected_{0};
    Inbox<Delivery> inbox_;
};

}  // namespace kvolt::detail

#endif
