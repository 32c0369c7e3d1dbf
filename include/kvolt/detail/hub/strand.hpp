#ifndef KVOLT_DETAIL_HUB_STRAND_HPP
#define KVOLT_DETAIL_HUB_STRAND_HPP

#include <kvolt/detail/core/inbox.hpp>
#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/token_bucket.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/hub/call.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/dealer.hpp>
#include <kvolt/detail/hub/entry.hpp>
#include <kvolt/detail/hub/hooks.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/hub/member.hpp>
#include <kvolt/detail/hub/question.hpp>
#include <kvolt/detail/hub/room_sizes.hpp>
#include <kvolt/detail/hub/shard.hpp>
#include <kvolt/detail/hub/shards.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/message.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

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
    using Kind = HubItem::Kind;

public:
    /// @param limits  Of the app; read when somebody joins, which takes a running app.
    HubStrand(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options)
        : loops_(std::move(loops)),
          limits_(limits),
          options_(options),
          home_(*loops_->front()),
          strand_(home_.executor()),
          shards_(options_.history(), hooks_),
          dealer_(*loops_, options_, hooks_, shards_, accounts_) {}

    /// Before anything else.
    void start() { shards_.owner(this->weak_from_this()); }

    std::shared_ptr<HubMember> join(std::shared_ptr<Peer> peer, Value value, std::string key,
                                    std::string_view room) override {
        Loop& loop = peer->loop();
        if (!loops_->has(loop)) throw std::logic_error("kvolt: Hub::join() of a socket of another app");
        if (is_busy(*peer))
            throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                    "kvolt: Hub::join(): too many moves of this connection are under way");
        if (accounts_.moves() > options_.queue())  // of connections that have gone, too
            throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                                    "kvolt: Hub::join(): too many moves of all members are under way");
        joined_.store(true, std::memory_order_relaxed);
        SeatId id{++last_id_};
        auto member = std::make_shared<HubMember>(id, std::move(peer), options_.backlog().value_or(limits_.backlog),
                                                  options_.slow(), room.empty());
        member->shard = &shards_.of(loop);
        member->value = value;
        auto entry = make_move(Kind::enter, member, room, std::move(value), std::move(key));
        if (!room.empty()) sizes_.enter(room);
        Undo uncounted([&] { sizes_.leave(room); });
        auto replayed = member->shard->join(*member, room);
        uncounted.done();
        Undo undo([&] { depart(member); });
        submit_move(std::move(entry));
        undo.done();
        member->shard->settle(std::move(replayed));
        return member;
    }

    MoveResult enter(const std::shared_ptr<HubMember>& member, std::string_view room) override {
        if (member->shard->is_in(*member, room)) return MoveResult::unchanged;
        if (member->places.size() > options_.rooms()) return MoveResult::too_many_rooms;  // one of them is everyone
        if (is_busy(*member->peer)) return MoveResult::busy;
        auto entry = make_move(Kind::enter, member, room);
        sizes_.enter(room);
        Undo uncounted([&] { sizes_.leave(room); });
        auto replayed = member->shard->enter(*member, room);
        bool done = Loop::attempt([&] { submit_move(std::move(entry)); });
        if (done) uncounted.done();
        if (!done) member->shard->leave(*member, room);
        member->shard->settle(std::move(replayed));  // it has that in any case
        if (!done) throw std::bad_alloc();
        return MoveResult::done;
    }

    MoveResult leave(const std::shared_ptr<HubMember>& member, std::string_view room) override {
        auto entry = make_move(Kind::leave, member, room);  // `room` may be the room's own name
        if (!member->shard->leave(*member, entry->room)) return MoveResult::unchanged;
        sizes_.leave(entry->room);
        submit_move(std::move(entry));
        return MoveResult::done;
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

    MoveResult change(const std::shared_ptr<HubMember>& member, Value value, std::string key) override {
        if (is_busy(*member->peer)) return MoveResult::busy;
        auto entry = make_move(Kind::change, member, {}, value, std::move(key));
        member->value.swap(value);
        Undo undo([&] { member->value.swap(value); });
        submit_move(std::move(entry));
        undo.done();
        return MoveResult::done;
    }

    HubHooks& hooks() override {
        if (joined_.load(std::memory_order_relaxed))
            throw std::logic_error("kvolt: tell a hub what to call before anybody joins");
        return hooks_;
    }

    void unhook() noexcept override { hooks_.off(); }

    void leave(std::shared_ptr<HubMember> member) noexcept override {
        HubShard& shard = *member->shard;
        std::shared_ptr<HubItem> leaver = member;
        bool here = member->peer->on_loop() && !HubHooks::choosing();
        if (here || !shard.push(std::move(leaver))) depart(std::move(member));
    }

    BroadcastResult submit(std::shared_ptr<HubEntry> entry) override {
        if (auto peer = hooks_.told_of()) {
            entry->need_more().told_of = std::move(peer);
        } else if (entry->by && HubAccounts::said(*entry->by) > options_.queue() / HubAccounts::shares) {
            limited_.fetch_add(1, std::memory_order_relaxed);
            return BroadcastResult::limited;
        } else if (is_full(entry->kind)) {
            refused_.fetch_add(1, std::memory_order_relaxed);
            return BroadcastResult::full;
        }
        if (home_.mailbox()->closed()) return BroadcastResult::stopped;
        if (options_.history().messages > 0) entry->prepare_to_keep();
        if (dealing_here()) {  // as hooks do: it comes right behind what they were called for
            waiting_.push(std::move(entry));
            return BroadcastResult::taken;
        }
        if (reached()) {
            if (home_.ending()) return BroadcastResult::stopped;
            order(std::move(entry));
            return BroadcastResult::taken;
        }
        Loop::Work arriving(home_);  // whose end waits for it, from now on
        if (home_.ending()) return BroadcastResult::stopped;
        accounts_.charge(*entry);
        return push(std::move(entry)) ? BroadcastResult::taken : BroadcastResult::stopped;
    }

    bool list(std::string_view room, Values& values) override {
        if (!dealing_here() && !reached()) return false;
        values = dealer_.listed(room);
        return true;
    }

    void ask(std::string room, HubQuestion::Answer answer) override {
        Loop* here = Loop::current();
        bool outside = here == nullptr || !loops_->has(*here);
        auto question = std::make_shared<HubQuestion>(std::move(room));
        question->answer = here && outside ? answer_on(*here, std::move(answer)) : std::move(answer);
        question->outside = outside;
        if (!outside && here != &home_) {
            question->asker = &shards_.of(*here);
            question->asker->await_answer();
        }
        if (!push(question)) forget(*question);
    }

    std::size_t size(std::string_view room) const override {
        if (!room.empty()) return sizes_.of(room);
        std::size_t sum = 0;
        shards_.for_each([&](const HubShard& shard) { sum += shard.size(); });
        return sum;
    }

    HubStats stats() const override {
        HubStats stats;
        stats.messages = dealer_.messages();
        stats.refused = refused_.load(std::memory_order_relaxed);
        stats.limited = limited_.load(std::memory_order_relaxed);
        stats.invalid = this->invalid();
        shards_.for_each([&](const HubShard& shard) { shard.add_to(stats); });
        return stats;
    }

private:
    friend class HubCall<HubStrand>;

    // On the member's loop, or on any thread when that has ended.
    void depart(std::shared_ptr<HubMember> member) noexcept {
        member->shard->remove(*member, [&](const std::string& room) { sizes_.leave(room); });
        if (home_.mailbox()->closed()) return;
        std::shared_ptr<HubItem> item = std::move(member);
        if (!Loop::attempt([&] { give_place(item); })) push(std::move(item));
    }

    void submit_move(std::shared_ptr<HubEntry> entry) {
        entry->waited = !reached() || dealing_here();
        if (entry->waited) accounts_.charge(*entry);
        give_place(std::move(entry));
    }

    // Now if nothing waits before it, else behind what waits of the same member. What has been done is never refused.
    void give_place(std::shared_ptr<HubItem> item) {
        if (!reached())
            push(std::move(item));
        else if (dealing_here())
            waiting_.push(std::move(item));
        else
            order(std::move(item));
    }

    // False if the home loop has ended. If it does so now, what was taken is let go of by clear(), which counts it.
    bool push(std::shared_ptr<HubItem>&& item) noexcept {
        auto pushed = incoming_.push(std::move(item));
        if (pushed == Inbox<HubItem>::Pushed::first)  // there is room for one call, and one that waits does for all
            Loop::attempt([&] { HubCall<HubStrand>::post(this->shared_from_this()); });
        return pushed != Inbox<HubItem>::Pushed::closed;
    }

    bool is_busy(Peer& peer) const noexcept { return HubAccounts::moves(peer) > options_.moves(); }

    bool is_full(Kind kind) const noexcept {
        return (kind == Kind::message ? accounts_.messages() : accounts_.closes()) > options_.queue();
    }

    // Whether this is where the order is given, and all that came before has its place.
    bool reached() const { return Loop::current() == &home_ && incoming_.empty(); }

    bool dealing_here() const { return Loop::current() == &home_ && dealing_; }

    // The app has ended without an answer. Who waits on one of its loops has ended with it.
    static void forget(HubQuestion& question) noexcept {
        if (!question.outside || !question.answer) return;
        question.failure = std::make_exception_ptr(std::system_error(
            std::make_error_code(std::errc::operation_canceled), "kvolt: Hub::members() of an app that has stopped"));
        Loop::attempt([&] { question.tell(); });
    }

    // For HubCall

    Loop& loop() noexcept { return home_; }
    Reserve<>& room() noexcept { return incoming_room_; }

    bool take_turn() {
        return incoming_.take_turn([&](std::shared_ptr<HubItem> next) {
            dealt_ = 0;
            hooks_.attempt([&] { order(std::move(next)); });
            return dealt_;
        });
    }

    void clear() noexcept {
        incoming_.close([&](const std::shared_ptr<HubItem>& item) {
            if (item->kind == Kind::message) refused_.fetch_add(1, std::memory_order_relaxed);
            if (item->kind == Kind::ask) forget(static_cast<HubQuestion&>(*item));
        });
    }

    void order(std::shared_ptr<HubItem> item) {
        failed_ = false;
        auto turn = [self = this->shared_from_this(), item = std::move(item)]() mutable {
            self->deal_in_turn(std::move(item));
        };
        boost::asio::dispatch(strand_, order_room_.bind(std::move(turn)));
        bool failed = std::exchange(failed_, false);
        dealer_.tell_answer();
        if (failed) throw std::bad_alloc();  // what left the strand would end the loop's turn
    }

    // On the strand: whatever gets here first is first for everybody. What a hook says meanwhile comes next.
    void deal_in_turn(std::shared_ptr<HubItem> item) {
        dealing_ = true;
        bool dealt = Loop::attempt([&] { dealt_ += dealer_.deal(item); });
        while (!waiting_.empty()) {
            auto next = waiting_.pop();
            hooks_.attempt([&] { dealt_ += dealer_.deal(next); });
        }
        dealing_ = false;
        failed_ = !dealt;
    }

    std::shared_ptr<Loops> loops_;
    const Limits& limits_;
    const HubOptions options_;
    Loop& home_;
    boost::asio::strand<Loop::executor_type> strand_;
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<bool> joined_{false};
    HubAccounts accounts_;
    Inbox<HubItem> incoming_;
    Reserve<> incoming_room_;
    HubHooks hooks_;
    HubShards shards_;
    RoomSizes sizes_;
    std::atomic<std::uint64_t> refused_{0}, limited_{0};

    // Of the home loop
    bool dealing_ = false;
    bool failed_ = false;    // to deal, for want of memory
    std::size_t dealt_ = 0;  // how much there was to do, in members
    Reserve<> order_room_;
    ItemQueue<HubItem> waiting_;
    HubDealer<Tag> dealer_;
};

}  // namespace kvolt::detail

#endif
