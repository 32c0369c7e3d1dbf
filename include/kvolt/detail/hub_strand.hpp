#ifndef KVOLT_DETAIL_HUB_STRAND_HPP
#define KVOLT_DETAIL_HUB_STRAND_HPP

#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/hub_departures.hpp>
#include <kvolt/detail/hub_roster.hpp>
#include <kvolt/detail/hub_shard.hpp>
#include <kvolt/detail/hub_shards.hpp>
#include <kvolt/detail/inbox.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/reserve.hpp>
#include <kvolt/detail/room_sizes.hpp>
#include <kvolt/detail/token_bucket.hpp>
#include <kvolt/detail/undo.hpp>
#include <kvolt/hub_options.hpp>
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
    using Delivery = HubShard::Delivery;

public:
    /// @param limits  Of the app; read when somebody joins, which takes a running app.
    HubStrand(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options)
        : loops_(std::move(loops)),
          limits_(limits),
          options_(options),
          home_(*loops_->front()),
          strand_(home_.executor()),
          history_rooms_(options.history().rooms) {}

    std::shared_ptr<HubMember> join(std::shared_ptr<Peer> peer, Value value, std::string key,
                                    std::string_view room) override {
        SeatId id{++last_id_};
        Loop& loop = peer->loop();
        if (!is_own(loop)) throw std::logic_error("kvolt: Hub::join() of a socket of another app");
        auto member = std::make_shared<HubMember>(id, std::move(peer), options_.backlog().value_or(limits_.backlog),
                                                  options_.slow(), room.empty());
        member->shard = &shard(loop);
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

    bool submit(HubEntry entry) override {
        if (entry.kind == Kind::message && !takes_messages()) return false;
        if (home_.mailbox()->closed()) return false;            // the app has stopped
        bool of_hook = dealing_here() && !moves_member(entry);  // comes right behind what it was called for
        if (of_hook || reached()) {
            order(std::move(entry));
            return true;
        }
        charge(entry);
        return !incoming_.push(std::move(entry)) || wake_home();
    }

    bool list(std::string_view room, Values& values) override {
        if (!dealing_here() && !reached()) return false;
        values = listed(room);
        return true;
    }

    void ask(std::string room, Waiter<Values> answer) override {
        HubEntry entry = about(nullptr, Kind::ask, room);
        more(entry).question = std::make_shared<HubQuestion>(HubQuestion{std::move(answer), nullptr, {}});
        HubQuestion& question = *entry.more->question;
        Loop* here = Loop::current();
        if (here != nullptr && here != &home_ && is_own(*here)) {
            question.asker = &shard(*here);
            question.asker->await_answer();
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
        stats.messages = messages_.load(std::memory_order_relaxed);
        stats.refused = refused_.load(std::memory_order_relaxed);
        stats.limited = limited_.load(std::memory_order_relaxed);
        for (const HubShard* shard : shards_.all()) {
            stats.deliveries += shard->deliveries();
            stats.dropped += shard->dropped();
            stats.coalesced += shard->coalesced();
            stats.behind += shard->behind();
            stats.disconnected += shard->disconnected();
        }
        return stats;
    }

private:
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

    // A call at a queue, on its loop. If that ends before, so does what waits in the queue.
    struct Call {
        Call(std::shared_ptr<HubStrand> called, HubShard* at) : hub(std::move(called)), shard(at) {}
        Call(Call&&) noexcept = default;
        ~Call() {
            if (hub && loop().mailbox()->closed()) shard ? shard->inbox().clear() : hub->incoming_.clear();
        }

        Loop& loop() const { return shard ? shard->loop() : hub->home_; }
        Reserve<>& room() const { return shard ? shard->room() : hub->incoming_room_; }

        static bool post(Call call) {
            Mailbox& mailbox = *call.loop().mailbox();
            Reserve<>& room = call.room();
            return mailbox.post(room, [call = std::move(call)]() mutable {
                Loop& here = call.loop();
                Reserve<>& next = call.room();
                here.take_turns(next, std::move(call));
            });
        }

        bool operator()() {
            if (shard ? shard->take_turn() : hub->take_turn()) return true;
            hub.reset();
            return false;
        }

        std::shared_ptr<HubStrand> hub;
        HubShard* shard;  // nullptr: of those who give the order
    };

    // There is room for one, and one that waits does for all.
    bool wake_home() { return Call::post({this->shared_from_this(), nullptr}); }

    bool takes_messages() {
        if (home_.ending() && !dealing_here()) return false;  // what its hooks say belongs to what was taken on
        if (under_way_.load(std::memory_order_relaxed) <= options_.queue()) return true;
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
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

    // Made when it is first needed.
    HubShard& shard(Loop& loop) {
        return shards_.of(
            loop, [&] { return std::make_unique<HubShard>(loop, options_.history(), hooks_, this->weak_from_this()); });
    }

    // On the home loop

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
        if (!dealing_ && answered_) {  // whoever asked runs on here, where nothing is being dealt
            auto question = std::move(answered_);
            question->answer(std::move(question->values));
        }
        if (failed) throw std::bad_alloc();  // what left the strand would end the loop's turn
    }

    // On the strand: whatever gets here first is first for everybody. What a hook submits meanwhile comes next.
    void deal_in_turn(HubEntry entry) {
        if (dealing_) {
            charge(entry);
            return waiting_.push_back(std::move(entry));
        }
        dealing_ = true;
        bool dealt = Loop::attempt([&] { deal(entry); });
        deal_waiting();
        dealing_ = false;
        failed_ = !dealt;
    }

    void deal_waiting() noexcept {
        while (!waiting_.empty()) {
            HubEntry next = std::move(waiting_.front());
            waiting_.pop_front();
            hooks_.guard([&] { deal(next); });
        }
    }

    void deal(HubEntry& entry) {
        dealt_ += HubShard::overhead;
        switch (entry.kind) {
            case Kind::message:
                messages_.store(messages_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
                return address(entry);
            case Kind::close:
                history_rooms_.forget(entry.room);
                more(entry).forget = entry.room;
                return deal_to_room(entry);
            case Kind::enter: return enter_roster(entry);
            case Kind::leave: return leave_roster(entry);
            case Kind::change:
                return roster_.change(*entry.member, std::move(entry.more->value), std::move(entry.more->key));
            case Kind::ask: return answer(std::move(entry.more->question), entry.room);
        }
    }

    void enter_roster(HubEntry& entry) {
        HubMember& member = *entry.member;
        Undo undo([&] {
            if (entry.more) refuse(entry);
        });
        if (entry.more) roster_.change(member, std::move(entry.more->value), std::move(entry.more->key));
        roster_.enter(entry.member, entry.room);
        undo.done();
        hooks_.call(hooks_.joined, member.id, member.listed_value.get(), std::string_view(entry.room));
    }

    void leave_roster(HubEntry& entry) {
        HubMember& member = *entry.member;
        if (!entry.room.empty()) {
            roster_.leave(member, entry.room);
            return hooks_.call(hooks_.left, member.id, member.listed_value.get(), std::string_view(entry.room));
        }
        leave_roster(member);
    }

    // A member cannot be taken in. If it had to wait for that, its join() has told it otherwise.
    void refuse(HubEntry& entry) noexcept {
        leave_roster(*entry.member);
        if (entry.charge) hooks_.guard([&] { entry.member->peer->close(close_code::internal_error, {}); });
    }

    void leave_roster(HubMember& member) noexcept {
        roster_.remove(member, [&](const HubRoom& room) {
            if (!room.name.empty() || member.roomless)
                hooks_.call(hooks_.left, member.id, member.listed_value.get(), std::string_view(room.name));
        });
    }

    void address(HubEntry& entry) {
        if (entry.member)
            deal_to(entry.member, entry);
        else if (entry.more && entry.more->to != SeatId::none)
            deal_to(roster_.find(entry.more->to), entry);
        else if (entry.more && !entry.more->key.empty())
            for (const auto& member : roster_.find(entry.more->key)) deal_to(member, entry);
        else
            deal_to_room(entry);
    }

    // Messages of a history go to all loops, which keep them for those who come later.
    void keep(HubEntry& entry) {
        bool kept = entry.kind == Kind::message && keeps_history() &&
                    !(entry.more && (entry.more->where || !entry.more->options.history()));
        if (!kept) return;
        if (shards_.size() < loops_->size())
            for (const auto& loop : *loops_) shard(*loop);
        SeatId except = entry.more ? entry.more->options.except() : SeatId::none;
        std::string key = entry.more ? entry.more->options.coalesce() : std::string();
        entry.kept = std::make_shared<const KeptMessage>(
            KeptMessage{messages_.load(std::memory_order_relaxed), std::move(entry.frame), std::move(key), except});
        auto in_use = [this](std::string_view room) { return !roster_.in(room).empty(); };
        if (auto forget = history_rooms_.use(entry.room, in_use)) more(entry).forget = std::move(forget);
    }

    bool keeps_history() const noexcept { return options_.history().messages > 0; }

    static HubEntry::More& more(HubEntry& entry) {
        if (!entry.more) entry.more = std::make_unique<HubEntry::More>();
        return *entry.more;
    }

    void deal_to_room(HubEntry& entry) {
        keep(entry);
        if (seen_.size() != shards_.size()) seen_ = shards_.all();
        std::shared_ptr<const HubEntry> shared;
        HubShard* own = nullptr;
        for (HubShard* shard : seen_) {
            if (!shard->listens() && !keeps_history()) continue;
            if (&shard->loop() == &home_) {
                own = shard;
                continue;
            }
            if (!shared) shared = share(entry);
            send(*shard, {shared, nullptr, {}});
        }
        if (own) dealt_ += own->deliver(shared ? *shared : entry);
    }

    void deal_to(const std::shared_ptr<HubMember>& member, const HubEntry& entry) {
        if (!member) return;
        if (&member->shard->loop() == &home_) {
            dealt_ += member->shard->deliver(entry, member.get());
            return;
        }
        HubEntry copy;
        copy.frame = entry.frame;
        send(*member->shard, {share(copy), member, {}});
    }

    std::shared_ptr<const HubEntry> share(HubEntry& entry) {
        charge(entry);
        return std::make_shared<const HubEntry>(std::move(entry));
    }

    void send(HubShard& shard, Delivery delivery) {
        bool wake = true;
        if (!Loop::attempt([&] { wake = shard.inbox().push(std::move(delivery)); })) shard.miss();
        if (wake) Loop::attempt([&] { Call::post({this->shared_from_this(), &shard}); });  // or one waits already
    }

    void answer(std::shared_ptr<HubQuestion> question, std::string_view room) {
        question->values = listed(room);
        HubShard* asker = question->asker;
        if (asker == nullptr)
            answered_ = std::move(question);
        else
            send(*asker, {nullptr, nullptr, std::move(question)});
    }

    Values listed(std::string_view room) const {
        Values result;
        for (const HubMember* member : roster_.in(room)) result.push_back(member->listed_value);
        return result;
    }

    void charge(HubEntry& entry) {
        static constexpr std::size_t overhead = 128;  // of an empty one, about
        entry.charge = Charge(under_way_, entry.message().size() + overhead);
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
    HubShards shards_;
    RoomSizes sizes_;
    std::atomic<std::uint64_t> messages_{0}, refused_{0}, limited_{0};

    HubHooks hooks_;
    HubDepartures departures_;

    // Of the home loop
    bool dealing_ = false;
    bool failed_ = false;  // to deal, for want of memory
    std::shared_ptr<HubQuestion> answered_;
    std::size_t dealt_ = 0;  // how much there was to do, in members
    Reserve<512> order_room_;
    std::deque<HubEntry> waiting_;
    std::vector<HubShard*> seen_;
    HubRoster roster_;
    HubHistoryRooms history_rooms_;
};

}  // namespace kvolt::detail

#endif
