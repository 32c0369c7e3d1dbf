#ifndef KVOLT_DETAIL_HUB_STRAND_HPP
#define KVOLT_DETAIL_HUB_STRAND_HPP

#include <kvolt/detail/hub_call.hpp>
#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/hub_dealer.hpp>
#include <kvolt/detail/hub_departures.hpp>
#include <kvolt/detail/hub_entry.hpp>
#include <kvolt/detail/hub_hooks.hpp>
#include <kvolt/detail/hub_member.hpp>
#include <kvolt/detail/hub_shard.hpp>
#include <kvolt/detail/hub_shards.hpp>
#include <kvolt/detail/inbox.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/mailbox.hpp>
#include <kvolt/detail/peer.hpp>
#include <kvolt/detail/reserve.hpp>
#include <kvolt/detail/room_sizes.hpp>
#include <kvolt/detail/token_bucket.hpp>
#include <kvolt/detail/undo.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// The order of a hub.
///
/// An entry, from any thread, goes to the home loop (the app's first), where a strand gives it its place in the one
/// order. From there each loop that has members gets its messages in batches, encoded once, and delivers to its own
/// members. Who comes and goes does so at once on its own loop, and enters the roster, which home keeps, at its place
/// in the order.
///
/// @tparam Tag  Makes it a template, so that only files which make a hub compile it.
template <class Tag>
class HubStrand final : public HubCore, public std::enable_shared_from_this<HubStrand<Tag>> {
    using Kind = HubEntry::Kind;

public:
    /// @param limits  Of the app; read when somebody joins, which takes a running app.
    HubStrand(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options)
        : loops_(std::move(loops)),
          limits_(limits),
          options_(options),
          home_(*loops_->front()),
          strand_(home_.executor()),
          shards_(options_.history(), hooks_),
          dealer_(*loops_, options_, hooks_, shards_, under_way_) {}

    /// Before anything else.
    void start() { shards_.owner(this->weak_from_this()); }

    std::shared_ptr<HubMember> join(std::shared_ptr<Peer> peer, Value value, std::string key,
                                    std::string_view room) override {
        SeatId id{++last_id_};
        Loop& loop = peer->loop();
        if (!is_own(loop)) throw std::logic_error("kvolt: Hub::join() of a socket of another app");
        auto member = std::make_shared<HubMember>(id, std::move(peer), options_.backlog().value_or(limits_.backlog),
                                                  options_.slow(), room.empty());
        member->shard = &shards_.of(loop);
        member->value = value;
        HubEntry entry = about(member, Kind::enter, room, known(std::move(value), std::move(key)));
        if (!room.empty()) sizes_.enter(room);
        Undo uncounted([&] { sizes_.leave(room); });
        auto replayed = member->shard->join(*member, room);
        uncounted.done();
        Undo undo([&] { depart(member); });
        submit(std::move(entry));
        undo.done();
        member->shard->settle(std::move(replayed));
        return member;
    }

    bool enter(const std::shared_ptr<HubMember>& member, std::string_view room) override {
        HubEntry entry = about(member, Kind::enter, room);
        auto replayed = member->shard->enter(*member, room);
        if (!replayed) return false;
        Undo undo([&] { member->shard->leave(*member, room); });
        sizes_.enter(room);
        Undo uncounted([&] { sizes_.leave(room); });
        submit(std::move(entry));
        uncounted.done();
        undo.done();
        member->shard->settle(std::move(*replayed));
        return true;
    }

    bool leave(const std::shared_ptr<HubMember>& member, std::string_view room) override {
        HubEntry entry = about(member, Kind::leave, room);  // `room` may be the room's own name
        if (!member->shard->leave(*member, entry.room)) return false;
        sizes_.leave(entry.room);
        submit(std::move(entry));
        return true;
    }

    bool may_broadcast(HubMember& member) override {
        if (!options_.rate()) return true;
        auto [per_second, burst] = *options_.rate();
        auto now = TokenBucket::Clock::now();
        if (!member.bucket) member.bucket.emplace(burst, now);
        if (member.bucket->take(per_second, burst, now)) return true;
        limited_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }

    void change(const std::shared_ptr<HubMember>& member, Value value, std::string key) override {
        member->value = value;
        submit(about(member, Kind::change, {}, known(std::move(value), std::move(key))));
    }

    HubHooks& hooks() override {
        if (shards_.size() > 0) throw std::logic_error("kvolt: tell a hub what to call before anybody joins");
        return hooks_;
    }

    void unhook() noexcept override { hooks_.off(); }

    void leave(std::shared_ptr<HubMember> member) noexcept override {
        auto peer = member->peer;
        auto leaving = [departure = Departure(this->shared_from_this(), std::move(member))] {};
        if (!peer->on_loop()) peer->mailbox()->post(std::move(leaving));
    }

    BroadcastResult submit(HubEntry entry) override {
        if (entry.kind == Kind::message)
            if (auto result = takes_messages(); result != BroadcastResult::taken) return result;
        if (home_.mailbox()->closed()) return BroadcastResult::stopped;
        bool of_hook = dealing_here() && !moves_member(entry);  // comes right behind what it was called for
        if (of_hook || reached()) {
            order(std::move(entry));
            return BroadcastResult::taken;
        }
        entry.charge_to(under_way_);
        bool comes = !incoming_.push(std::move(entry)) || wake_home();
        return comes ? BroadcastResult::taken : BroadcastResult::stopped;
    }

    bool list(std::string_view room, Values& values) override {
        if (!dealing_here() && !reached()) return false;
        values = dealer_.listed(room);
        return true;
    }

    void ask(std::string room, Waiter<Values> answer) override {
        HubEntry entry = about(nullptr, Kind::ask, room);
        auto question = std::make_shared<HubQuestion>(HubQuestion{std::move(answer), nullptr, {}});
        entry.need_more().question = question;
        Loop* here = Loop::current();
        if (here != nullptr && here != &home_ && is_own(*here)) {
            question->asker = &shards_.of(*here);
            question->asker->await_answer();
        }
        submit(std::move(entry));
    }

    std::size_t size(std::string_view room) const override {
        if (!room.empty()) return sizes_.of(room);
        std::size_t sum = 0;
        for (const HubShard* shard : shards_.all()) sum += shard->size();
        return sum;
    }

    HubStats stats() const override {
        HubStats stats;
        stats.messages = dealer_.messages();
        stats.refused = refused_.load(std::memory_order_relaxed);
        stats.limited = limited_.load(std::memory_order_relaxed);
        stats.invalid = this->invalid();
        for (const HubShard* shard : shards_.all()) shard->add_to(stats);
        return stats;
    }

private:
    friend class HubCall<HubStrand>;

    // A member that leaves when this is destroyed: on its loop, or without it when that has ended.
    struct Departure {
        Departure(std::shared_ptr<HubStrand> hub, std::shared_ptr<HubMember> leaver)
            : strand(std::move(hub)), member(std::move(leaver)) {}
        Departure(Departure&&) noexcept = default;
        ~Departure() {
            if (member) strand->depart(std::move(member));
        }

        std::shared_ptr<HubStrand> strand;
        std::shared_ptr<HubMember> member;
    };

    // Never fails: of whom the others cannot be told now, they are told later.
    void depart(std::shared_ptr<HubMember> member) noexcept {
        {
            std::lock_guard leaving(leaving_);
            for (const HubPlace& place : member->places) sizes_.leave(place.room->name);
            member->shard->leave(*member);
        }
        if (Loop::attempt([&] { submit(about(member, Kind::leave)); })) return;
        departures_.add(std::move(member));
        Loop::attempt([&] { wake_home(); });
    }

    // There is room for one, and one that waits does for all.
    bool wake_home() { return HubCall<HubStrand>::post(this->shared_from_this()); }

    BroadcastResult takes_messages() {
        // What its hooks say belongs to what was taken on.
        if (home_.ending() && !dealing_here()) return BroadcastResult::stopped;
        if (under_way_.load(std::memory_order_relaxed) <= options_.queue()) return BroadcastResult::taken;
        refused_.fetch_add(1, std::memory_order_relaxed);
        return BroadcastResult::full;
    }

    // Whether this is where the order is given, and all that came before has its place.
    bool reached() const { return Loop::current() == &home_ && incoming_.empty(); }

    bool dealing_here() const { return Loop::current() == &home_ && dealing_; }

    // What must not overtake what was said of the same member before.
    static bool moves_member(const HubEntry& entry) noexcept {
        return entry.kind == Kind::enter || entry.kind == Kind::leave || entry.kind == Kind::change;
    }

    static HubEntry about(std::shared_ptr<HubMember> member, Kind kind, std::string_view room = {},
                          std::unique_ptr<HubEntry::More> more = nullptr) {
        HubEntry entry;
        entry.kind = kind;
        entry.room = room;
        entry.member = std::move(member);
        entry.more = std::move(more);
        return entry;
    }

    static std::unique_ptr<HubEntry::More> known(Value value, std::string key) {
        auto more = std::make_unique<HubEntry::More>();
        more->value = std::move(value);
        more->key = std::move(key);
        return more;
    }

    bool is_own(const Loop& loop) const {
        return std::any_of(loops_->begin(), loops_->end(), [&](const auto& own) { return own.get() == &loop; });
    }

    // For HubCall

    Loop& loop() noexcept { return home_; }
    Reserve<>& room() noexcept { return incoming_room_; }
    void clear() noexcept { incoming_.clear(); }

    bool take_turn() {
        auto tell = [&](auto member) { hooks_.guard([&] { order(about(std::move(member), Kind::leave)); }); };
        departures_.take(tell);
        return incoming_.take_turn([&](HubEntry& next) {
            dealt_ = 0;
            hooks_.guard([&] { order(std::move(next)); });
            return dealt_;
        });
    }

    void order(HubEntry entry) {
        failed_ = false;
        auto turn = [self = this->shared_from_this(), entry = std::move(entry)]() mutable {
            self->deal_in_turn(std::move(entry));
        };
        boost::asio::dispatch(strand_, order_room_.bind(std::move(turn)));
        bool failed = std::exchange(failed_, false);
        if (!dealing_) dealer_.tell_answer();
        if (failed) throw std::bad_alloc();  // what left the strand would end the loop's turn
    }

    // On the strand: whatever gets here first is first for everybody. What a hook submits meanwhile comes next.
    void deal_in_turn(HubEntry entry) {
        if (dealing_) {
            entry.charge_to(under_way_);
            return waiting_.push_back(std::move(entry));
        }
        dealing_ = true;
        bool dealt = Loop::attempt([&] { dealt_ += dealer_.deal(entry); });
        deal_waiting();
        dealing_ = false;
        failed_ = !dealt;
    }

    void deal_waiting() noexcept {
        while (!waiting_.empty()) {
            HubEntry next = std::move(waiting_.front());
            waiting_.pop_front();
            hooks_.guard([&] { dealt_ += dealer_.deal(next); });
        }
    }

    std::shared_ptr<Loops> loops_;
    const Limits& limits_;
    const HubOptions options_;
    Loop& home_;
    boost::asio::strand<Loop::executor_type> strand_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<std::size_t> under_way_{0};  // bytes
    Inbox<HubEntry> incoming_;
    Reserve<> incoming_room_;
    std::mutex leaving_;  // when the loops have ended, several threads may leave one shard
    HubHooks hooks_;
    HubShards shards_;
    RoomSizes sizes_;
    std::atomic<std::uint64_t> refused_{0}, limited_{0};
    HubDepartures departures_;

    // Of the home loop
    bool dealing_ = false;
    bool failed_ = false;    // to deal, for want of memory
    std::size_t dealt_ = 0;  // how much there was to do, in members
    Reserve<512> order_room_;
    std::deque<HubEntry> waiting_;
    HubDealer<Tag> dealer_;
};

}  // namespace kvolt::detail

#endif
