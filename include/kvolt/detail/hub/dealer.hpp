#ifndef KVOLT_DETAIL_HUB_DEALER_HPP
#define KVOLT_DETAIL_HUB_DEALER_HPP

#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/hub/entry.hpp>
#include <kvolt/detail/hub/history.hpp>
#include <kvolt/detail/hub/hooks.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/hub/member.hpp>
#include <kvolt/detail/hub/question.hpp>
#include <kvolt/detail/hub/roster.hpp>
#include <kvolt/detail/hub/shard.hpp>
#include <kvolt/detail/hub/shards.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// What the entries of a hub do, one after another in their order. All but the count of messages belongs to the loop
/// that gives the order, home.
///
/// @tparam Tag  Makes it a template, so that only files which make a hub compile it.
template <class Tag>
class HubDealer {
    using Kind = HubItem::Kind;

public:
    /// @param loops  Of the app; home is the first one.
    HubDealer(const Loops& loops, const HubOptions& options, const HubHooks& hooks, HubShards& shards,
              HubAccounts& accounts)
        : loops_(loops),
          home_(*loops.front()),
          hooks_(hooks),
          shards_(shards),
          accounts_(accounts),
          keeps_history_(options.history().messages > 0),
          history_rooms_(options.history().rooms) {}

    /// @returns  how much there was to do, in members.
    std::size_t deal(const std::shared_ptr<HubItem>& item) { return HubShard::overhead + act(item); }

    /// Let whoever asked on no other loop have the answer. He runs on within this call.
    void tell_answer() {
        if (auto question = std::move(answered_)) question->tell();
    }

    HubValues listed(std::string_view room) const {
        HubValues result;
        result.reserve(roster_.in(room).size());
        for (const HubMember* member : roster_.in(room)) result.push_back(member->listed_value);
        return result;
    }

    /// How many messages have had their place. Any thread.
    std::uint64_t messages() const noexcept { return messages_.load(std::memory_order_relaxed); }

private:
    // The number of members that were dealt with. Of what fails only moves do, for want of memory.
    std::size_t act(const std::shared_ptr<HubItem>& item) {
        if (item->kind == Kind::depart) return leave_roster(static_cast<HubMember&>(*item));
        if (item->kind == Kind::ask) return answer(std::static_pointer_cast<HubQuestion>(item));
        auto entry = std::static_pointer_cast<HubEntry>(item);
        switch (entry->kind) {
            case Kind::message:
                messages_.store(messages_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
                return address(entry);
            case Kind::close: history_rooms_.forget(entry->room); return deal_to_room(entry);
            case Kind::enter: enter_roster(*entry); break;
            case Kind::leave: leave_roster(*entry); break;
            default: change_roster(*entry);
        }
        return 0;
    }

    void enter_roster(HubEntry& entry) {
        HubMember& member = *entry.member;
        if (!entry.more && !roster_.find(member.id)) return;
        Undo undo([&] {
            if (entry.more) leave_roster(member);
            refuse(entry);
        });
        if (entry.more) roster_.change(member, std::move(entry.more->value), std::move(entry.more->key));
        roster_.enter(entry.member, entry.room);
        undo.done();
        for (std::string_view room : {std::string_view(), std::string_view(entry.room)}) history_rooms_.use(room, true);
        hooks_.call(hooks_.joined, member.peer, member.id, member.listed_value, std::string_view(entry.room));
    }

    void leave_roster(HubEntry& entry) {
        HubMember& member = *entry.member;
        if (!roster_.leave(member, entry.room)) return;
        if (roster_.in(entry.room).empty()) history_rooms_.use(entry.room, false);
        hooks_.call(hooks_.left, member.peer, member.id, member.listed_value, std::string_view(entry.room));
    }

    void change_roster(HubEntry& entry) {
        if (!roster_.find(entry.member->id)) return;
        Undo undo([&] { refuse(entry); });
        roster_.change(*entry.member, std::move(entry.more->value), std::move(entry.more->key));
        undo.done();
    }

    // There is no memory for a move. If it had to wait for its place, its member was told otherwise. One who could not
    // join takes no part in what follows, until it has been closed.
    static void refuse(const HubEntry& entry) noexcept {
        if (entry.waited) entry.member->shard->miss(*entry.member);
    }

    // The number of its rooms, each of which is about as much work as a member.
    std::size_t leave_roster(HubMember& member) noexcept {
        std::size_t rooms = 0;
        roster_.remove(member, [&](const HubRoom& room) {
            ++rooms;
            if (room.members.empty()) history_rooms_.use(room.name, false);
            if (!room.name.empty() || member.roomless)
                hooks_.call(hooks_.left, member.peer, member.id, member.listed_value, std::string_view(room.name));
        });
        return rooms;
    }

    std::size_t address(const std::shared_ptr<HubEntry>& entry) {
        if (entry->member) return deal_to(entry->member, entry);
        const HubEntry::More* more = entry->more.get();
        if (more && more->to != SeatId::none) return deal_to(roster_.find(more->to), entry);
        if (!more || more->key.empty()) return deal_to_room(entry);
        std::size_t members = 0;
        for (HubMember* member : roster_.find(more->key)) members += deal_to(member->shared_from_this(), entry);
        return members;
    }

    // Messages of a history go to all loops, which keep them for those who come later.
    void keep(HubEntry& entry) noexcept {
        if (!entry.kept) return;
        entry.kept->place = messages_.load(std::memory_order_relaxed);
        bool kept = Loop::attempt([&] {
            if (shards_.size() < loops_.size())
                for (const auto& loop : loops_) shards_.of(*loop);
            entry.forget = history_rooms_.keep(entry.room, !roster_.in(entry.room).empty());
        });
        if (kept) return;
        entry.frame = std::move(entry.kept->frame);  // its room has no history yet, so this leaves no gap
        entry.kept.reset();
    }

    std::size_t deal_to_room(const std::shared_ptr<HubEntry>& entry) {
        keep(*entry);
        HubShard* own = nullptr;
        shards_.for_each([&](HubShard& shard) {
            if (!shard.listens() && !keeps_history_) return;
            if (&shard.loop() == &home_) {
                own = &shard;
                return;
            }
            accounts_.charge(*entry);
            shard.send(entry, nullptr, {});
        });
        return own ? own->deliver(*entry) : 0;
    }

    std::size_t deal_to(const std::shared_ptr<HubMember>& member, const std::shared_ptr<HubEntry>& entry) {
        if (!member) return 0;
        if (&member->shard->loop() == &home_) return member->shard->deliver(*entry, member.get());
        accounts_.charge(*entry);
        member->shard->send(entry, member, accounts_.more(*entry, sizeof(HubDelivery)));
        return 0;
    }

    std::size_t answer(const std::shared_ptr<HubQuestion>& question) {
        try {
            question->values = listed(question->room);
        } catch (const std::bad_alloc&) {
            question->failure = std::current_exception();
        }
        std::size_t members = question->values.size();
        if (question->asker == nullptr)
            answered_ = question;
        else
            question->asker->push(question);
        return members;
    }

    const Loops& loops_;
    Loop& home_;
    const HubHooks& hooks_;
    HubShards& shards_;
    HubAccounts& accounts_;
    const bool keeps_history_;
    std::atomic<std::uint64_t> messages_{0};
    std::shared_ptr<HubQuestion> answered_;
    HubRoster roster_;
    HubHistoryRooms history_rooms_;
};

}  // namespace kvolt::detail

#endif
