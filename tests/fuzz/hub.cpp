// A hub whose members come and go, move and fall behind on up to three loops, each of which runs only when the input
// says so: what every connection gets, and all that the hub tells, as a model has it that deals with one thing at a
// time. Some of the connections are members of a second hub, too, which talks when nothing else is under way.

#include "input.hpp"
#include "outbox_model.hpp"
#include "require.hpp"
#include <kvolt/app.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/inbox.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/entry.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/hub/seat.hpp>
#include <kvolt/detail/hub/shard.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/hub.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

using kvolt::Backlog;
using kvolt::HubOptions;
using kvolt::HubStats;
using kvolt::MoveResult;
using kvolt::SeatId;
using kvolt::SlowPolicy;
using kvolt::WebSocket;
using namespace kvolt::detail;

namespace {

struct Member {
    std::string key;
};

using Value = std::shared_ptr<const Member>;
using Names = std::vector<std::string>;

bool taken(kvolt::BroadcastResult result) { return result == kvolt::BroadcastResult::taken; }

constexpr std::size_t unlimited = 1 << 30, nobody = static_cast<std::size_t>(-1);

std::string frame_of(std::string_view text) {
    std::string frame;
    append_frame(frame, Opcode::text, text);
    return frame;
}

// A connection whose peer takes so many bytes, and then no more for now.
class Connection final : public Link, public Peer {
public:
    Connection(Loop& loop, std::size_t room) : Link(loop), Peer(static_cast<Link&>(*this), {}), room_(room) {}

    std::string got;

    void take(std::size_t more) {
        room_ = std::min(room_ + more, unlimited);
        if (outbox().backlog() > 0 && outbox().drain(*this) > 0 && outbox().backlog() == 0) tell_drained();
    }

    void vanish() {
        if (link() == nullptr) return;
        outbox().clear();
        if (!over()) set_over(kvolt::close_code::abnormal, {});
        unlink();
        tell_drained();
    }

    std::size_t operator()(const boost::asio::const_buffer& bytes) {
        std::size_t size = std::min(bytes.size(), room_);
        got.append(static_cast<const char*>(bytes.data()), size);
        room_ -= size;
        return size;
    }
    std::size_t operator()(const Pieces& pieces) {
        std::size_t before = got.size();
        for (const auto& piece : pieces) (*this)(piece);
        return got.size() - before;
    }

    // Link

    void flush() override { outbox().flush(Link::loop().outgoing(), *this); }
    void shed() override {}
    void shut_down() override {}
    void abort() noexcept override {}
    void abandon() override {}

    // Peer

    kvolt::SendResult send(kvolt::MessageView message) override {
        add(Opcode::text, message.payload);
        return kvolt::SendResult::queued;
    }
    void close(std::uint16_t code, std::string_view reason) override {
        if (link() == nullptr || over()) return;
        add(Opcode::close, close_payload(code, reason));
        outbox().finish();
        flush();
        set_over(code, reason);
    }
    kvolt::Task<std::optional<kvolt::Message>> read() override { return {}; }
    kvolt::Task<> drained() override { return {}; }

private:
    void add(Opcode opcode, std::string_view payload) {
        std::size_t begin = Link::loop().begin_append();
        append_frame(Link::loop().outgoing(), opcode, payload);
        Link::send(begin, Link::loop().outgoing().size(), Unit::frame);
    }

    void on_deadline() override {}

    std::size_t room_;
};

// What takes one place in the order, or in what a loop does.
struct Entry {
    enum class Kind { message, close, enter, leave, change, ask } kind = Kind::message;
    std::string frame = {}, room = {};
    std::size_t seat = nobody;  // whom it is about, or for
    bool by_id = false;         // for whoever has the seat then
    std::string key = {};       // of a member: whom it is for, or what it is known as
    std::size_t except = nobody;
    std::string where = {}, coalesce = {};
    bool keep = true, kept = false;
    std::uint16_t code = 0;
    std::optional<std::string> forget = {};
    std::size_t payer = nobody;     // the connection on whose account it is while it is under way
    std::size_t question = nobody;  // its number; its answer, on the way back
};

// What the second hub does with those who are slow.
struct Second {
    HubOptions options;
    std::set<std::size_t> members = {};  // connections
    HubStats stats = {};
};

class Model {
public:
    Model(std::size_t loops, const HubOptions& options, const HubOptions& others)
        : loops_(loops), options_(options), second_{others} {}

    Names events;
    std::map<std::size_t, Names> answers;

    HubStats stats() const {
        HubStats all = stats_;
        add_counts(all, first);
        return all;
    }

    HubStats second_stats() const {
        HubStats all = second_.stats;
        add_counts(all, second);
        return all;
    }

    // Whether a member's next move is refused, where nothing of its connection may be under way.
    bool is_busy(std::size_t connection) const {
        auto pays = [&](const Entry& entry) { return entry.payer == connection; };
        if (std::any_of(incoming_.begin(), incoming_.end(), pays)) return true;
        return std::any_of(loops_.begin(), loops_.end(), [&](const LoopState& loop) {
            return std::any_of(loop.deliveries.begin(), loop.deliveries.end(),
                               [&](const auto& delivery) { return pays(delivery.first); });
        });
    }

    void connect(std::size_t loop, std::size_t room) { connections_.push_back({loop, room}); }

    void join(std::size_t connection, const std::string& key, const std::string& room) {
        std::size_t seat = seats_.size();
        seats_.push_back({connection, key, *options_.backlog(), options_.slow()});
        seats_[seat].rooms = {""};
        loops_[loop_of(seat)].known = true;
        if (!room.empty()) seats_[seat].rooms.push_back(room);
        if (connections_[connection].there) ++connections_[connection].outbox.seats[first];
        auto overflowing = replay(seat, "", room);
        submit({.kind = Entry::Kind::enter, .room = room, .seat = seat, .key = key, .payer = connection},
               loop_of(seat));
        settle(overflowing);
    }

    bool enter(std::size_t seat, const std::string& room) {
        if (is_in(seats_[seat].rooms, room)) return false;
        seats_[seat].rooms.push_back(room);
        auto overflowing = replay(seat, room, room);
        const std::size_t payer = seats_[seat].connection;
        submit({.kind = Entry::Kind::enter, .room = room, .seat = seat, .payer = payer}, loop_of(seat));
        settle(overflowing);
        return true;
    }

    bool leave(std::size_t seat, const std::string& room) {
        if (room.empty() || std::erase(seats_[seat].rooms, room) == 0) return false;
        const std::size_t payer = seats_[seat].connection;
        submit({.kind = Entry::Kind::leave, .room = room, .seat = seat, .payer = payer}, loop_of(seat));
        return true;
    }

    // On the seat's loop.
    void leave(std::size_t seat) {
        Wire& wire = connections_[seats_[seat].connection];
        seats_[seat].rooms.clear();
        if (wire.there) --wire.outbox.seats[first];
        submit({.kind = Entry::Kind::leave, .seat = seat}, loop_of(seat));
    }

    // On another thread.
    void leave_later(std::size_t seat) { push(loop_of(seat), {.kind = Entry::Kind::leave, .seat = seat}, nobody); }

    void change(std::size_t seat, const std::string& key) {
        const std::size_t payer = seats_[seat].connection;
        seats_[seat].value = key;
        submit({.kind = Entry::Kind::change, .seat = seat, .key = key, .payer = payer}, loop_of(seat));
    }

    void ask(std::size_t question, const std::string& room, std::size_t from) {
        if (from > 0 && from < loops_.size()) {
            loops_[from].known = true;
            ++loops_[from].questions;
        }
        submit({.kind = Entry::Kind::ask, .room = room, .seat = from, .question = question}, from);
    }

    void slow(std::size_t seat, SlowPolicy policy, const Backlog& limit) {
        seats_[seat].policy = policy;
        seats_[seat].limit = limit;
    }

    // From a loop, or from none. On the first loop, what was submitted has its place at once if nothing waits.
    void submit(Entry entry, std::size_t from) {
        if (from == 0 && !home_called_) {
            entry.payer = nobody;  // it is not under way
            return deal_with(std::move(entry));
        }
        incoming_.push_back(std::move(entry));
        if (!std::exchange(home_called_, true)) calls_.push_back(Call::home);
    }

    void join_second(std::size_t connection) {
        second_.members.insert(connection);
        if (connections_[connection].there) ++connections_[connection].outbox.seats[second];
    }

    void leave_second(std::size_t connection) {
        second_.members.erase(connection);
        if (connections_[connection].there) --connections_[connection].outbox.seats[second];
    }

    // By the second hub, when nothing is under way.
    void broadcast_second(const std::string& frame, const std::string& coalesce) {
        ++second_.stats.messages;
        for (std::size_t loop = 0; loop < loops_.size(); ++loop) {
            std::vector<std::size_t> overflowing;
            for (std::size_t i : second_.members) {
                if (connections_[i].loop != loop || !connections_[i].there) continue;
                const Terms terms{*second_.options.backlog(), second_.options.slow(), second};
                auto added = add(i, frame, Unit::droppable, terms, coalesce);
                if (added == Outbox::Added::queued || added == Outbox::Added::backpressure) ++second_.stats.deliveries;
                if (added == Outbox::Added::overflow) overflowing.push_back(i);
            }
            settle(overflowing);
        }
    }

    void send_directly(std::size_t connection, const std::string& frame) {
        if (connections_[connection].there) add(connection, frame, Unit::frame, Outbox::no_limit);
    }

    void close(std::size_t connection, std::uint16_t code, std::string_view reason) {
        Wire& wire = connections_[connection];
        if (!wire.there || wire.over) return;
        std::string frame;
        append_close(frame, code, reason);
        add(connection, frame, Unit::frame, Outbox::no_limit);
        wire.outbox.finished = wire.over = true;
        flush_one(connection);
    }

    void vanish(std::size_t connection) {
        connections_[connection].there = false;
        connections_[connection].outbox.clear();
    }

    void take(std::size_t connection, std::size_t more) {
        Wire& wire = connections_[connection];
        wire.room = std::min(wire.room + more, unlimited);
        if (wire.outbox.behind) write(wire);
    }

    void run(std::size_t loop) {
        if (loop > 0) {
            while (take_turn(loop)) flush(loop);
            return;
        }
        while (!calls_.empty()) {
            Call call = calls_.front();
            calls_.pop_front();
            if (call == Call::flush) {
                flush(0);
            } else if (call == Call::home ? take_home_turn() : take_turn(0)) {
                calls_.push_back(Call::flush);
                calls_.push_back(call);
            }
        }
    }

    void flush(std::size_t loop) {
        for (std::size_t i = 0; i < connections_.size(); ++i)
            if (connections_[i].loop == loop) flush_one(i);
    }

    const std::string& got(std::size_t connection) const { return connections_[connection].got; }
    bool over(std::size_t connection) const { return connections_[connection].over; }
    Names rooms(std::size_t seat) const { return {seats_[seat].rooms.begin() + 1, seats_[seat].rooms.end()}; }

    std::size_t size(const std::string& room) const {
        return static_cast<std::size_t>(
            std::count_if(seats_.begin(), seats_.end(), [&](const Seat& seat) { return is_in(seat.rooms, room); }));
    }

    Names members(const std::string& room) const {
        Names keys;
        for (const Seat& seat : seats_)
            if (is_in(seat.listed, room)) keys.push_back(seat.key);
        std::sort(keys.begin(), keys.end());
        return keys;
    }

private:
    struct Wire {
        std::size_t loop, room;
        OutboxModel outbox = {};
        std::string got = {};
        bool there = true, over = false;
    };

    struct Seat {
        std::size_t connection;
        std::string value;  // where it is
        Backlog limit;
        SlowPolicy policy;
        Names rooms = {}, listed = {};  // where it is, and in the order
        std::string key = {};           // in the order
        bool roomless = false;
    };

    struct LoopState {
        std::deque<std::pair<Entry, std::size_t>> deliveries;
        std::vector<Entry> history;
        bool known = false;   // to the hub: somebody has joined there, or something was kept
        bool called = false;  // to deal with the deliveries
        int questions = 0;    // that have not been answered there
    };

    // What the first loop is to do.
    enum class Call { home, deliveries, flush };

    static constexpr SenderId first = 1, second = 2;

    void add_counts(HubStats& stats, SenderId sender) const {
        for (const Wire& wire : connections_) {
            auto found = wire.outbox.counts.find(sender);
            if (found == wire.outbox.counts.end()) continue;
            stats.dropped += found->second.dropped;
            stats.coalesced += found->second.coalesced;
            stats.disconnected += found->second.disconnected;
        }
    }

    // To a loop.
    void push(std::size_t loop, Entry entry, std::size_t only) {
        loops_[loop].deliveries.push_back({std::move(entry), only});
        if (!std::exchange(loops_[loop].called, true) && loop == 0) calls_.push_back(Call::deliveries);
    }

    static bool is_in(const Names& rooms, const std::string& room) {
        return std::find(rooms.begin(), rooms.end(), room) != rooms.end();
    }

    std::size_t loop_of(std::size_t seat) const { return connections_[seats_[seat].connection].loop; }

    // The order

    void deal_with(Entry entry) {
        std::deque<Entry> batch{std::move(entry)};  // and what the hooks have to say about it
        for (; !batch.empty(); batch.pop_front()) {
            done_ += HubShard::overhead;
            deal(batch.front(), batch);
        }
    }

    // True if more may be left.
    bool take_home_turn() {
        for (done_ = 0; done_ < Inbox<HubItem>::turn;) {
            if (incoming_.empty()) return home_called_ = false;
            Entry next = std::move(incoming_.front());
            incoming_.pop_front();
            deal_with(std::move(next));
        }
        return true;
    }

    bool take_turn(std::size_t loop) {
        auto& deliveries = loops_[loop].deliveries;
        for (std::size_t done = 0; done < Inbox<HubItem>::turn; done += HubShard::overhead + done_) {
            if (deliveries.empty()) return loops_[loop].called = false;
            auto [entry, only] = std::move(deliveries.front());
            deliveries.pop_front();
            done_ = 0;
            if (entry.kind == Entry::Kind::leave)
                leave(entry.seat);
            else if (entry.kind == Entry::Kind::ask)
                --loops_[loop].questions;
            else
                deliver(loop, entry, only);
            if (entry.kind == Entry::Kind::leave) done_ = 0;
        }
        return true;
    }

    void deal(Entry& entry, std::deque<Entry>& batch) {
        switch (entry.kind) {
            case Entry::Kind::message: ++stats_.messages; return address(entry);
            case Entry::Kind::ask:
                answers[entry.question] = members(entry.room);
                done_ += answers[entry.question].size();
                if (entry.seat > 0 && entry.seat < loops_.size()) push(entry.seat, std::move(entry), nobody);
                return;
            case Entry::Kind::close:
                std::erase(history_rooms_, entry.room);
                entry.forget = entry.room;
                return to_room(entry);
            case Entry::Kind::change: seats_[entry.seat].key = entry.key; return;
            case Entry::Kind::enter: {
                Seat& seat = seats_[entry.seat];
                if (seat.listed.empty()) {
                    seat.key = entry.key;
                    seat.listed = {""};
                    seat.roomless = entry.room.empty();
                }
                if (!entry.room.empty()) seat.listed.push_back(entry.room);
                return tell('+', entry.seat, entry.room, batch);
            }
            case Entry::Kind::leave: {
                Names left{entry.room};
                if (entry.room.empty()) left = std::exchange(seats_[entry.seat].listed, {});
                std::erase(seats_[entry.seat].listed, entry.room);
                for (auto room = left.rbegin(); room != left.rend(); ++room)
                    if (!room->empty() || seats_[entry.seat].roomless) tell('-', entry.seat, *room, batch);
            }
        }
    }

    void tell(char what, std::size_t seat, const std::string& room, std::deque<Entry>& batch) {
        events.push_back(what + std::to_string(seat + 1) + ' ' + seats_[seat].key + ' ' + room);
        batch.push_back({.frame = frame_of(events.back()), .room = room, .payer = seats_[seat].connection});
    }

    void address(Entry& entry) {
        if (entry.seat != nobody) {
            if (!entry.by_id || !seats_[entry.seat].listed.empty()) to_one(entry, entry.seat);
        } else if (!entry.key.empty()) {
            for (std::size_t i = 0; i < seats_.size(); ++i)
                if (!seats_[i].listed.empty() && seats_[i].key == entry.key) to_one(entry, i);
        } else {
            entry.kept = options_.history().messages > 0 && entry.keep && entry.where.empty();
            if (entry.kept) make_room(entry);
            to_room(entry);
        }
    }

    void make_room(Entry& entry) {
        for (LoopState& loop : loops_) loop.known = true;
        if (std::erase(history_rooms_, entry.room) == 0 &&
            history_rooms_.size() >= std::max<std::size_t>(options_.history().rooms, 1)) {
            auto unused = [&](const std::string& room) { return members(room).empty(); };
            auto last = std::find_if(history_rooms_.begin(), history_rooms_.end(), unused);
            if (last == history_rooms_.end()) last = history_rooms_.begin();
            entry.forget = *last;
            history_rooms_.erase(last);
        }
        history_rooms_.push_back(entry.room);
    }

    void to_one(const Entry& entry, std::size_t seat) {
        if (loop_of(seat) == 0) return deliver(0, {.frame = entry.frame}, seat);
        push(loop_of(seat), {.frame = entry.frame}, seat);
    }

    void to_room(const Entry& entry) {
        auto is_on = [&](std::size_t loop) {
            for (std::size_t i = 0; i < seats_.size(); ++i)
                if (!seats_[i].rooms.empty() && loop_of(i) == loop) return true;
            return false;
        };
        for (std::size_t loop = 1; loop < loops_.size(); ++loop)
            if ((options_.history().messages > 0 && loops_[loop].known) || is_on(loop) || loops_[loop].questions > 0)
                push(loop, entry, nobody);
        deliver(0, entry, nobody);
    }

    // A loop

    void deliver(std::size_t loop, const Entry& entry, std::size_t only) {
        remember(loops_[loop].history, entry);
        std::vector<std::size_t> overflowing;
        for (std::size_t i = 0; i < seats_.size(); ++i) {
            const Seat& seat = seats_[i];
            if (loop_of(i) != loop || !is_in(seat.rooms, entry.room) || (only != nobody && i != only)) continue;
            ++done_;
            if (entry.kind == Entry::Kind::close)
                close(seat.connection, entry.code, entry.frame);
            else if (i != entry.except && (entry.where.empty() || seat.value == entry.where))
                send(i, entry, overflowing);
        }
        settle(overflowing);
    }

    void remember(std::vector<Entry>& history, const Entry& entry) {
        if (entry.forget) std::erase_if(history, [&](const Entry& old) { return old.room == *entry.forget; });
        if (!entry.kept) return;
        std::erase_if(history, [&](const Entry& old) {
            return old.room == entry.room && !entry.coalesce.empty() && old.coalesce == entry.coalesce;
        });
        history.push_back(entry);
        auto too_much = [&] {
            std::size_t messages = 0, bytes = 0;
            for (const Entry& old : history)
                if (old.room == entry.room) ++messages, bytes += old.frame.size() + old.coalesce.size();
            return messages > options_.history().messages || bytes > options_.history().bytes;
        };
        while (too_much())
            history.erase(
                std::find_if(history.begin(), history.end(), [&](const Entry& old) { return old.room == entry.room; }));
    }

    // What is more than may wait goes as far as the peer takes it.
    std::vector<std::size_t> replay(std::size_t seat, const std::string& room, const std::string& other) {
        const Wire& wire = connections_[seats_[seat].connection];
        const Backlog& limit = seats_[seat].limit;
        std::vector<std::size_t> overflowing;
        if (!wire.there) return overflowing;
        std::vector<Entry> left;
        std::size_t bytes = 0;
        for (const Entry& old : loops_[loop_of(seat)].history)
            if (old.room == room || old.room == other) {
                left.push_back(old);
                bytes += old.frame.size() + old.coalesce.size();
            }
        for (std::size_t i = 0; i < left.size(); bytes -= left[i].frame.size() + left[i].coalesce.size(), ++i) {
            if (left[i].except == seat) continue;
            std::size_t waiting = wire.outbox.behind ? wire.outbox.items.size() : 0;
            bool fits = waiting + left.size() - i <= limit.messages && wire.outbox.size() + bytes <= limit.bytes;
            if (!fits) flush_one(seats_[seat].connection);
            if (fits || !wire.outbox.behind) send(seat, left[i], overflowing);
        }
        return overflowing;
    }

    void send(std::size_t seat, const Entry& entry, std::vector<std::size_t>& overflowing) {
        const Seat& to = seats_[seat];
        if (!connections_[to.connection].there) return;
        auto added = add(to.connection, entry.frame, Unit::droppable, {to.limit, to.policy, first}, entry.coalesce);
        if (added == Outbox::Added::queued || added == Outbox::Added::backpressure) ++stats_.deliveries;
        if (added == Outbox::Added::overflow) overflowing.push_back(to.connection);
    }

    void settle(const std::vector<std::size_t>& overflowing) {
        for (std::size_t connection : overflowing) {
            if (connections_[connection].over) continue;
            connections_[connection].outbox.shed();
            close(connection, 1013, "too slow");
        }
    }

    // A connection

    Outbox::Added add(std::size_t connection, const std::string& frame, Unit unit, const Terms& terms,
                      const std::string& key = {}) {
        OutboxModel& outbox = connections_[connection].outbox;
        if (!outbox.behind && outbox.size() > 0 && outbox.size() + frame.size() > terms.limit.bytes / 2)
            flush_one(connection);
        return outbox.add({frame, unit, key, terms.sender}, terms.limit, terms.policy);
    }

    void flush_one(std::size_t connection) {
        if (!connections_[connection].outbox.behind) write(connections_[connection]);
    }

    static void write(Wire& wire) {
        std::string taken = wire.outbox.take(wire.room);
        wire.room -= taken.size();
        wire.got += taken;
    }

    std::vector<LoopState> loops_;
    const HubOptions options_;
    std::vector<Wire> connections_;
    std::vector<Seat> seats_;
    HubStats stats_;  // but for what the outboxes count
    Second second_;
    std::deque<Entry> incoming_;
    bool home_called_ = false;  // to deal with those
    std::deque<Call> calls_;
    Names history_rooms_;   // the latest last
    std::size_t done_ = 0;  // in this turn
};

class Both {
public:
    Both(std::size_t loops, const HubOptions& options, const HubOptions& others)
        : model_(loops, options, others),
          crowded_(options.moves() == 0),
          hub_(make_hub(app_, options)),
          second_(make_hub(app_, others)) {
        while (app_.loops()->size() < loops) app_.loops()->push_back(std::make_unique<Loop>());
        auto tell = [this](char what) {
            return [this, what](SeatId seat, const void* member, std::string_view room) {
                events_.push_back(what + std::to_string(static_cast<std::uint64_t>(seat)) + ' ' +
                                  static_cast<const Member*>(member)->key + ' ' + std::string(room));
                require(taken(hub_->broadcast(events_.back(), room, {})));
            };
        };
        hub_->hooks().joined = tell('+');
        hub_->hooks().left = tell('-');
        hub_->hooks().behind = [this](SeatId seat, const void*) { require(behind_.insert(seat).second); };
        hub_->hooks().caught_up = [this](SeatId seat, const void*) { require(behind_.erase(seat) == 1); };
    }

    ~Both() {
        seats_.clear();
        second_seats_.clear();
        connections_.clear();
        clear(*app_.loops());
    }

    // Call it within all loops at once: each takes it for one of its own handlers, and runs others when it is told to.
    void within(const std::function<void()>& call, std::size_t loop = 0) {
        if (loop == app_.loops()->size()) return call();
        auto& io = app_.loops()->at(loop)->io();
        boost::asio::post(io, [&, loop] { within(call, loop + 1); });
        io.poll_one();
    }

    void step(Input& input) {
        static const Names rooms{"", "red", "blue", "green"}, keys{"", "ann", "bob"};
        const char what = input.letter("BXJELGCSTDKMPRAVHOQUW");
        const std::size_t which = input.number(16);
        auto room = [&] { return rooms[input.number(rooms.size())]; };
        auto key = [&] { return keys[input.number(keys.size())]; };
        auto text = [&] { return std::to_string(number_++) + std::string(input.size(), '.'); };
        if (std::string_view("BXKTRQ").find(what) != std::string_view::npos) {
            std::size_t loop = which % (app_.loops()->size() + 1);
            bool outside = loop == app_.loops()->size();
            switch (what) {
                case 'B': {
                    const std::string said = text(), to = room();
                    broadcast(loop, said, to, "", {});
                    break;
                }
                case 'X': {
                    kvolt::BroadcastOptions options;
                    options.except(SeatId{input.number(8)}).coalesce(key()).history(input.number(2) == 0);
                    const std::string where = key(), said = text(), to = room();
                    broadcast(loop, said, to, where, options);
                    break;
                }
                case 'K': {
                    const std::string where = room();
                    on(loop, [&] { hub_->close_room(where, 4000, "closed"); });
                    model_.submit({.kind = Entry::Kind::close, .frame = "closed", .room = where, .code = 4000}, loop);
                    break;
                }
                case 'T': {
                    const std::string said = text();
                    const std::size_t seat = input.number(8);
                    send(loop, said, seat, key());
                    break;
                }
                case 'Q': ask(loop, room()); break;
                case 'R':
                    if (!outside) run(loop);
                    break;
            }
        } else if (what == 'W') {
            broadcast_second(text(), key());
        } else if (what == 'C') {
            connect(which % app_.loops()->size(), input.size());
        } else if (std::string_view("JDPAVHU").find(what) != std::string_view::npos) {
            if (connections_.empty()) return;
            const std::size_t i = which % connections_.size();
            const std::size_t loop = loops_[i];
            Connection& connection = *connections_[i];
            switch (what) {
                case 'J': {
                    const std::string who = key(), where = room();
                    if (seats_.size() == 12 || alone_.contains(i)) return;
                    bool busy = is_busy(i), refused = false;
                    on(loop, [&] {
                        try {
                            seats_.push_back({HubSeat(hub_, connections_[i], known_as(who), who, where), i});
                        } catch (const std::system_error&) {
                            refused = true;
                        }
                    });
                    require(refused == busy);
                    if (!busy) model_.join(i, who, where);
                    break;
                }
                case 'U': move_second(i); break;
                case 'D': {
                    const std::string direct = text();
                    if (connection.link() == nullptr) return;
                    on(loop, [&] { connection.send(direct); });
                    model_.send_directly(i, frame_of(direct));
                    break;
                }
                case 'P': {
                    const SlowPolicy policy{static_cast<int>(input.number(3))};
                    const std::size_t bytes = input.size(), messages = input.number(16);
                    auto is_of = [&](const Joined& joined) { return joined.connection == i; };
                    if (std::count_if(seats_.begin(), seats_.end(), is_of) != 1) return;
                    auto only = std::find_if(seats_.begin(), seats_.end(), is_of);
                    if (!only->seat) return;
                    on(loop, [&] {
                        only->seat.slow(policy);
                        only->seat.backlog({bytes, messages});
                    });
                    model_.slow(static_cast<std::size_t>(only - seats_.begin()), policy, {bytes, messages});
                    alone_.insert(i);
                    break;
                }
                case 'A': take(i, input.size()); break;
                case 'V':
                    on(loop, [&] { connection.vanish(); });
                    model_.vanish(i);
                    break;
                case 'H':
                    on(loop, [&] { connection.close(kvolt::close_code::normal, "bye"); });
                    model_.close(i, kvolt::close_code::normal, "bye");
                    break;
            }
        } else if (which < seats_.size() && seats_[which].seat) {
            HubSeat& seat = seats_[which].seat;
            const std::size_t loop = loops_[seats_[which].connection];
            const std::string where = std::string_view("GMO").find(what) != std::string_view::npos ? "" : room();
            switch (what) {
                case 'E':
                    on(loop, [&] {
                        bool busy = is_busy(seats_[which].connection);
                        auto result = seat.enter(where);
                        if (result == MoveResult::busy) return require(busy && !is_in(model_.rooms(which), where));
                        require(moved(result) == model_.enter(which, where));
                        require(!moved(result) || !busy);
                    });
                    break;
                case 'L': on(loop, [&] { require(moved(seat.leave(where)) == model_.leave(which, where)); }); break;
                case 'G': leave(which); break;
                case 'O':
                    seat.leave();
                    model_.leave_later(which);
                    break;
                case 'S': {
                    const std::string said = text();
                    on(loop, [&] { seat.broadcast(said, where, {}); });
                    model_.submit({.frame = frame_of(said), .room = where}, loop);
                    break;
                }
                case 'M': {
                    const std::string who = key();
                    bool busy = is_busy(seats_[which].connection);
                    on(loop, [&] {
                        require(seat.change(known_as(who), who) == (busy ? MoveResult::busy : MoveResult::done));
                    });
                    if (!busy) model_.change(which, who);
                    break;
                }
            }
        }
        for (std::size_t loop = 0; loop < app_.loops()->size(); ++loop) flush(loop);
        check();
    }

    // Everybody takes all, and leaves.
    void finish() {
        for (std::size_t i = 0; i < connections_.size(); ++i) take(i, unlimited);
        run_all();
        for (std::size_t i = 0; i < seats_.size(); ++i) {
            const Connection& connection = *connections_[seats_[i].connection];
            if (seats_[i].seat && connection.link() && !connection.over())
                require(!behind_.contains(seats_[i].seat.id()));
        }
        for (std::size_t i = 0; i < seats_.size(); ++i)
            if (seats_[i].seat) leave(i);
        run_all();
        require(hub_->size({}) == 0);
        require(answers_ == model_.answers);
        check();
    }

private:
    struct Joined {
        HubSeat seat;
        std::size_t connection;
    };

    // On a loop, or on none, as from another thread.
    template <class Call>
    void on(std::size_t loop, Call call) const {
        if (loop == app_.loops()->size()) return call();
        Loop::OnThisThread scope(*app_.loops()->at(loop));
        call();
    }

    void connect(std::size_t loop, std::size_t room) {
        if (connections_.size() == 6) return;
        if (room == 0) room = unlimited;
        connections_.push_back(std::make_shared<Connection>(*app_.loops()->at(loop), room));
        loops_.push_back(loop);
        model_.connect(loop, room);
    }

    static bool moved(MoveResult result) { return result == MoveResult::done; }
    static bool is_in(const Names& rooms, const std::string& room) {
        return room.empty() || std::find(rooms.begin(), rooms.end(), room) != rooms.end();
    }

    bool is_busy(std::size_t connection) const { return crowded_ && model_.is_busy(connection); }

    static Value known_as(const std::string& key) { return std::make_shared<const Member>(Member{key}); }

    // Who is in a room, as Hub::members() does.
    void ask(std::size_t from, const std::string& room) {
        const std::size_t question = questions_++;
        auto hear = [this, question](std::exception_ptr failure, const HubValues& members) {
            if (failure) return;  // the app has ended
            require(answers_.count(question) == 0);
            Names& keys = answers_[question];
            for (const auto& member : members) keys.push_back(static_cast<const Member*>(member.get())->key);
            std::sort(keys.begin(), keys.end());
        };
        on(from, [&] {
            HubValues members;
            if (hub_->list(room, members))
                hear(nullptr, members);
            else
                hub_->ask(room, hear);
        });
        model_.ask(question, room, from);
    }

    void move_second(std::size_t i) {
        if (is_busy(i)) return;
        settle();
        on(loops_[i], [&] {
            if (second_seats_.erase(i) == 0)
                second_seats_.emplace(i, HubSeat(second_, connections_[i], known_as({}), {}, {}));
        });
        second_seats_.contains(i) ? model_.join_second(i) : model_.leave_second(i);
        settle();
    }

    void broadcast_second(const std::string& text, const std::string& key) {
        settle();
        on(0, [&] { require(taken(second_->broadcast(text, {}, kvolt::BroadcastOptions().coalesce(key)))); });
        model_.broadcast_second(frame_of(text), coalesce_key("", key));
        settle();
    }

    // Until nothing is under way.
    void settle() {
        for (int round = 0; round < 3; ++round) run_all();
    }

    void broadcast(std::size_t from, const std::string& text, const std::string& room, const std::string& where,
                   const kvolt::BroadcastOptions& options) {
        auto is = [where](const void* member) { return static_cast<const Member*>(member)->key == where; };
        on(from, [&] {
            require(taken(where.empty() ? hub_->broadcast(text, room, options)
                                        : hub_->broadcast_if(text, is, room, options)));
        });
        model_.submit({.frame = frame_of(text),
                       .room = room,
                       .except = static_cast<std::size_t>(options.except()) - 1,
                       .where = where,
                       .coalesce = coalesce_key(room, options.coalesce()),
                       .keep = options.history()},
                      from);
    }

    // To a key, or to a seat: by its number, or by itself.
    void send(std::size_t from, const std::string& text, std::size_t seat, const std::string& key) {
        Entry entry{.frame = frame_of(text)};
        if (!key.empty()) {
            on(from, [&] { require(taken(hub_->send(text, key))); });
            entry.key = key;
        } else if (seat < seats_.size()) {
            entry.seat = seat;
            entry.by_id = seat % 2 == 1 || !seats_[seat].seat;
            if (!entry.by_id) from = loops_[seats_[seat].connection];
            on(from, [&] {
                require(taken(entry.by_id ? hub_->send(text, SeatId{seat + 1}) : seats_[seat].seat.send(text)));
            });
        } else {
            return;
        }
        model_.submit(std::move(entry), from);
    }

    void leave(std::size_t seat) {
        on(loops_[seats_[seat].connection], [&] { seats_[seat].seat.leave(); });
        model_.leave(seat);
    }

    void take(std::size_t connection, std::size_t more) {
        on(loops_[connection], [&] { connections_[connection]->take(more); });
        model_.take(connection, more);
    }

    // All that can run now on a loop. Asio takes one too many off its work for each handler that runs within another
    // one.
    void run(std::size_t loop) {
        model_.run(loop);
        auto& io = app_.loops()->at(loop)->io();
        on(loop, [&] {
            do io.get_executor().on_work_started();
            while (io.poll_one() > 0);
        });
        flush(loop);
    }

    void run_all() {
        for (std::size_t loop = 0; loop < app_.loops()->size(); ++loop) run(loop);
    }

    void flush(std::size_t loop) {
        on(loop, [&] { app_.loops()->at(loop)->flush(); });
        model_.flush(loop);
    }

    void check() const {
        for (std::size_t i = 0; i < connections_.size(); ++i) {
            require(connections_[i]->got == model_.got(i));
            if (connections_[i]->link()) require(connections_[i]->over() == model_.over(i));
        }
        for (std::size_t i = 0; i < seats_.size(); ++i)
            if (seats_[i].seat)
                on(loops_[seats_[i].connection], [&] { require(seats_[i].seat.rooms() == model_.rooms(i)); });
        for (std::string_view room : {"", "red", "blue", "green"})
            require(hub_->size(room) == model_.size(std::string(room)));
        require(events_ == model_.events);
        check(hub_->stats(), model_.stats());
        check(second_->stats(), model_.second_stats());
        for (const auto& [question, keys] : answers_) require(model_.answers.at(question) == keys);
    }

    static void check(const HubStats& stats, const HubStats& expected) {
        require(stats.messages == expected.messages && stats.refused == 0 && stats.limited == 0 && stats.invalid == 0);
        require(stats.deliveries == expected.deliveries && stats.disconnected == expected.disconnected);
        require(stats.dropped == expected.dropped && stats.coalesced == expected.coalesced);
    }

    Model model_;
    const bool crowded_;  // nothing more of a connection may be under way than one move
    kvolt::App app_;
    const std::shared_ptr<HubCore> hub_, second_;
    std::vector<std::shared_ptr<Connection>> connections_;
    std::vector<std::size_t> loops_;  // of the connections
    std::vector<Joined> seats_;       // also those that were left
    std::set<std::size_t> alone_;     // connections with settings of their one seat: of several, the order would matter
    std::set<SeatId> behind_;
    std::map<std::size_t, HubSeat> second_seats_;  // by connection
    std::map<std::size_t, Names> answers_;
    std::size_t questions_ = 0;
    Names events_;
    unsigned number_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    const std::size_t loops = 1 + input.number(3);
    HubOptions options;
    options.slow(SlowPolicy{static_cast<int>(input.number(3))});
    const std::size_t bytes = input.size(), messages = input.number(16);
    options.backlog(bytes, messages);
    const std::size_t kept = input.number(5), kept_bytes = input.size(), kept_rooms = input.number(4);
    options.history(kept, kept_bytes, kept_rooms);
    const std::size_t others = input.number(6), other_bytes = input.size();
    HubOptions second;
    second.slow(SlowPolicy{static_cast<int>(others % 3)}).backlog(other_bytes, 8);
    options.moves(others < 3 ? unlimited : 0);
    Both both(loops, options, second);
    both.within([&] {
        while (!input.empty()) both.step(input);
        both.finish();
    });
    return 0;
}
