#ifndef KVOLT_DETAIL_HUB_SHARD_HPP
#define KVOLT_DETAIL_HUB_SHARD_HPP

#include <kvolt/detail/core/charge.hpp>
#include <kvolt/detail/core/inbox.hpp>
#include <kvolt/detail/core/prefetch.hpp>
#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/hub/call.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/entry.hpp>
#include <kvolt/detail/hub/history.hpp>
#include <kvolt/detail/hub/hooks.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/hub/member.hpp>
#include <kvolt/detail/hub/question.hpp>
#include <kvolt/detail/hub/shared_frame.hpp>
#include <kvolt/detail/hub/slow.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/outbox.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A hub's members on one loop. All but the counters and the inbox belongs to that loop's thread.
class HubShard {
public:
    /// @param owner  What this and `hooks` are parts of.
    HubShard(Loop& loop, const History& history, const HubHooks& hooks, std::weak_ptr<HubCore> owner)
        : loop_(loop), hooks_(hooks), owner_(std::move(owner)), rooms_(&HubMember::places) {
        if (history.messages > 0) history_.emplace(history.messages, history.bytes);
    }

    Loop& loop() noexcept { return loop_; }

    /// The one that was made before this one; set once, before anything else.
    void earlier(std::unique_ptr<HubShard> shard) noexcept { earlier_ = std::move(shard); }
    HubShard* earlier() const noexcept { return earlier_.get(); }

    /// @returns  what is to be settled once all know of the member.
    HubTally join(HubMember& member, std::string_view room) {
        Undo undo([&] { rooms_.leave(member); });
        rooms_.enter(member, {});
        rooms_.enter(member, room);
        if (Link* link = member.peer->link()) member.terms.sender = link->outbox().join(counts_);
        undo.done();
        size_.store(rooms_.everyone().size(), std::memory_order_release);
        return replay(member, {}, room);
    }

    /// Let a member be in one more room. Returns the same.
    HubTally enter(HubMember& member, std::string_view room) {
        rooms_.enter(member, room);
        return replay(member, room, room);
    }

    void settle(HubTally tally) noexcept { slow_.settle(std::move(tally)); }

    bool is_in(const HubMember& member, std::string_view room) const { return rooms_.has(member, room); }

    bool leave(HubMember& member, std::string_view room) { return rooms_.leave(member, room); }

    /// Leave for good. On the loop, or on any thread when it has ended.
    ///
    /// @param told  `void(const std::string&)`, called for each of the member's rooms.
    template <class Told>
    void remove(HubMember& member, Told told) noexcept {
        std::lock_guard lock(leaving_);
        for (const HubPlace& place : member.places) told(place.room->name);
        rooms_.leave(member);
        Link* link = member.peer->on_loop() ? member.peer->link() : nullptr;
        if (link != nullptr) {
            link->outbox().leave(member.terms.sender);
            member.peer->let_go(&member);
        }
        size_.store(rooms_.everyone().size(), std::memory_order_release);
    }

    /// Do what an entry says, to one member or to those of its room. Those for whom there is no memory are closed: they
    /// would miss a message.
    ///
    /// @returns  how many there are.
    std::size_t deliver(const HubEntry& entry, HubMember* only = nullptr) {
        if (history_) remember(entry);
        if (entry.kind == HubEntry::Kind::close) return close(entry);
        if (only == nullptr) return send(entry, rooms_.in(entry.room));
        return only->places.empty() ? 0 : send(entry, std::span(&only, 1));
    }

    /// Somebody here asks who is in a room, and may join when he knows: he must not miss what is new by then.
    void await_answer() noexcept { questions_.fetch_add(1, std::memory_order_relaxed); }

    // Any thread

    /// Deliver this on the loop, behind what was sent before. Never fails: for want of memory, those who would miss it
    /// are closed. On the loop that gives the order.
    ///
    /// @param only    If not nullptr, to this member alone.
    /// @param charge  For that.
    void send(std::shared_ptr<const HubEntry> entry, std::shared_ptr<HubMember> only, Charge charge) noexcept {
        std::shared_ptr<HubItem> item;
        if (Loop::attempt(
                [&] { item = std::make_shared<HubDelivery>(std::move(entry), only, gaps_, std::move(charge)); })) {
            if (!push(std::move(item))) lose(static_cast<const HubDelivery&>(*item));
        } else if (only) {
            miss(*only);
        } else {
            ++gaps_;
            all_missed_.store(true, std::memory_order_relaxed);
            let_go();
        }
    }

    /// For want of memory, a member does not get what it was to have: it is closed. Takes no memory.
    void miss(HubMember& member) noexcept {
        member.missed.store(true, std::memory_order_relaxed);
        let_go();
    }

    /// Deal with this on the loop: a delivery, an answered question, or a member that leaves from another thread.
    ///
    /// @returns  false if the loop has ended; it is the caller's then.
    bool push(std::shared_ptr<HubItem>&& item) noexcept {
        auto pushed = inbox_.push(std::move(item));
        if (pushed == Inbox<HubItem>::Pushed::first) wake();
        return pushed != Inbox<HubItem>::Pushed::closed;
    }

    // For HubCall

    Reserve<>& room() noexcept { return room_; }

    // On its loop

    /// @returns  true if there is more than what a turn has time for.
    bool take_turn() {
        if (missed_.exchange(false, std::memory_order_acquire)) close_missed();
        return inbox_.take_turn([&](std::shared_ptr<HubItem> next) {
            std::size_t members = 0;
            hooks_.attempt([&] { members = deal(std::move(next)); });
            return overhead + members;
        });
    }

    /// The loop has ended: nobody gets what waits here.
    void clear() noexcept {
        inbox_.close([&](std::shared_ptr<HubItem> item) {
            if (item->kind == HubItem::Kind::delivery)
                lose(static_cast<const HubDelivery&>(*item));
            else if (item->kind == HubItem::Kind::depart)
                depart(std::static_pointer_cast<HubMember>(std::move(item)));
        });
    }

    // Any thread

    std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }

    /// What an entry costs by itself, in members.
    static constexpr std::size_t overhead = 4;

    /// Whether what is broadcast matters here.
    bool listens() const noexcept { return size() > 0 || questions_.load(std::memory_order_acquire) > 0; }

    /// Add what has happened here.
    void add_to(HubStats& stats) const {
        auto value = [](const HubCounts::Counter& counter) { return counter.load(std::memory_order_relaxed); };
        stats.deliveries += value(counts_->deliveries);
        stats.dropped += value(counts_->dropped);
        stats.coalesced += value(counts_->coalesced);
        stats.behind += value(counts_->behind);
        stats.disconnected += value(counts_->disconnected);
    }

private:
    void let_go() noexcept {
        missed_.store(true, std::memory_order_release);
        wake();
    }

    void wake() noexcept {
        Loop::attempt([&] { HubCall<HubShard>::post({owner_.lock(), this}); });  // or one waits already
    }

    std::size_t deal(std::shared_ptr<HubItem> item) {
        switch (item->kind) {
            case HubItem::Kind::delivery: {
                const auto& delivery = static_cast<const HubDelivery&>(*item);
                if (std::exchange(seen_gaps_, delivery.gaps) != delivery.gaps) forget_all();
                return deliver(*delivery.entry, delivery.only.get());
            }
            case HubItem::Kind::ask: {
                Undo answered([&] { questions_.fetch_sub(1, std::memory_order_release); });
                static_cast<HubQuestion&>(*item).tell();
                return 0;
            }
            default: {
                auto member = std::static_pointer_cast<HubMember>(std::move(item));
                std::size_t rooms = member->places.size();
                depart(std::move(member));
                return rooms;
            }
        }
    }

    void depart(std::shared_ptr<HubMember> member) noexcept {
        if (auto owner = owner_.lock()) owner->leave(std::move(member));
    }

    // Nobody will get it any more.
    void lose(const HubDelivery& delivery) noexcept {
        if (delivery.entry->kind != HubItem::Kind::message) return;
        std::lock_guard lock(leaving_);
        SenderCounts::count(counts_->dropped, delivery.only ? 1 : addressed(*delivery.entry));
    }

    // How many members of its room get a message. A predicate must not be called any more.
    std::size_t addressed(const HubEntry& entry) const noexcept {
        const auto& members = rooms_.in(entry.room);
        if (!entry.more) return members.size();
        if (entry.more->where) return 0;
        auto is_addressed = [&](const HubMember* member) { return member->id != entry.more->options.except(); };
        return static_cast<std::size_t>(std::count_if(members.begin(), members.end(), is_addressed));
    }

    std::size_t send(const HubEntry& entry, std::span<HubMember* const> members) {
        if (members.empty()) return 0;
        std::size_t count = members.size();
        const HubEntry::More* more = entry.more.get();
        const bool chosen = more && more->where;
        if (chosen)  // now: what it does must not come between the frame and its members
            for (HubMember* member : members) member->chosen = hooks_.holds(more->where, member->value.get());
        HubTally tally;
        std::string_view key = more ? std::string_view(more->coalesce) : std::string_view();
        SharedFrame frame(loop_, entry.message(), key);
        for (std::size_t i = 0; i < members.size(); ++i) {
            fetch_ahead(members.subspan(i));
            HubMember& member = *members[i];
            if (!more || (member.id != more->options.except() && (!chosen || member.chosen)))
                send(member, frame, key.size(), tally);
        }
        settle(std::move(tally));
        return count;
    }

    // They lie far apart in memory, and each step needs the one before: the member, its peer, its connection.
    static void fetch_ahead(std::span<HubMember* const> members) {
        if (members.size() > 6) prefetch(members[6], 64);
        if (members.size() > 4) prefetch(members[4]->peer.get(), 64);
        if (members.size() > 2) prefetch(members[2]->peer->link(), sizeof(Link));
    }

    void send(HubMember& member, SharedFrame& frame, std::size_t key, HubTally& tally) {
        if (Link* link = member.peer->link()) link->attempt([&] { send(*link, member, frame, key, tally); });
    }

    void send(Link& link, HubMember& member, SharedFrame& frame, std::size_t key, HubTally& tally) {
        SharedFrame::Range range = frame.for_one(member.peer->deflater());
        auto added = link.send(range.begin, range.end, Unit::droppable, member.terms, key);
        if (added == Outbox::Added::queued) {
            ++tally.queued;
            return;
        }
        if (added == Outbox::Added::backpressure) ++tally.queued;
        if (added == Outbox::Added::overflow)
            tally.overflowing.push_back(member.shared_from_this());
        else if (HubSlow::is_behind(link.outbox(), member.terms.limit) && !std::exchange(member.behind, true))
            tally.behind.push_back(member.shared_from_this());
    }

    void remember(const HubEntry& entry) {
        if (entry.forget) history_->forget(*entry.forget);
        if (entry.kept && !Loop::attempt([&] { history_->add(entry.room, entry.kept); }))
            history_->forget(entry.room);  // what follows has no gap then
    }

    // Something before this was missed, also by the history, and by those whom that was told of since.
    void forget_all() {
        if (history_) history_->clear();
        for (HubMember* member : rooms_.everyone()) close(*member, close_code::internal_error, {});
    }

    // What is kept of a room, or of two. What is too much to wait for the member goes as far as the network takes it at
    // once, so that a history makes nobody slow; of the rest, the oldest is left out.
    HubTally replay(HubMember& member, std::string_view room, std::string_view other) {
        HubTally tally;
        Link* link = member.peer->link();
        if (!history_ || link == nullptr) return tally;
        const Outbox& outbox = link->outbox();
        history_->replay(room, other, [&](const KeptMessage& message, const Backlog& rest) {
            if (message.except == member.id) return;
            const Backlog& limit = member.terms.limit;
            bool fits = outbox.messages() + rest.messages <= limit.messages &&
                        outbox.backlog() + outbox.pending() + rest.bytes <= limit.bytes;
            if (!fits) link->flush();
            if (!fits && outbox.backlog() > 0) return;
            SharedFrame frame(loop_, message.frame, message.key);
            send(member, frame, message.key.size(), tally);
        });
        return tally;
    }

    std::size_t close(const HubEntry& entry) {
        const auto& members = rooms_.in(entry.room);
        for (HubMember* member : members) close(*member, entry.more->code, entry.frame);
        return members.size();
    }

    // Its handler runs on later, not within this call: until then nobody leaves.
    static void close(HubMember& member, std::uint16_t code, std::string_view reason) {
        if (Link* link = member.peer->link()) link->attempt([&] { member.peer->close(code, reason); });
    }

    void close_missed() {
        bool all = all_missed_.exchange(false, std::memory_order_relaxed);
        for (HubMember* member : rooms_.everyone())
            if (member->missed.exchange(false, std::memory_order_relaxed) || all)
                close(*member, close_code::internal_error, {});
    }

    Loop& loop_;
    std::unique_ptr<HubShard> earlier_;
    const HubHooks& hooks_;
    const std::weak_ptr<HubCore> owner_;
    HubRooms rooms_;
    std::optional<HubHistory> history_;
    const std::shared_ptr<HubCounts> counts_ = std::make_shared<HubCounts>();  // also of the connections
    HubSlow slow_{hooks_, owner_, *counts_};
    std::atomic<std::size_t> size_{0}, questions_{0};
    std::mutex leaving_;  // when the loop has ended, several threads may leave
    Inbox<HubItem> inbox_;
    std::atomic<bool> missed_{false}, all_missed_{false};  // by one member at least; by everyone
    std::size_t gaps_ = 0;                                 // in what was sent here; of the loop that gives the order
    std::size_t seen_gaps_ = 0;                            // of these, in what has come
    Reserve<> room_;
};

}  // namespace kvolt::detail

#endif
