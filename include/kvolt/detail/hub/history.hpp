#ifndef KVOLT_DETAIL_HUB_HISTORY_HPP
#define KVOLT_DETAIL_HUB_HISTORY_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/limits.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// A message that is kept for those who come later.
struct KeptMessage {
    std::uint64_t place = 0;  // in the hub's order, once it has one
    std::string frame;
    std::string key;  // if not empty, a later one with this key replaces it
    SeatId except = SeatId::none;
};

/// The latest messages of each room, in order. Each loop has one, which is where the loop is in the hub's order.
class HubHistory {
public:
    using Message = std::shared_ptr<const KeptMessage>;

    /// @param messages, bytes  How much is kept for a room.
    HubHistory(std::size_t messages, std::size_t bytes) : most_messages_(messages), most_bytes_(bytes) {}

    void add(std::string_view name, Message message) {
        auto found = rooms_.find(name);
        Room& room = found != rooms_.end() ? found->second : rooms_[std::string(name)];
        if (!message->key.empty())
            for (auto old = room.messages.begin(); old != room.messages.end(); ++old)
                if ((*old)->key == message->key) {
                    room.bytes -= size(**old);
                    room.messages.erase(old);
                    break;
                }
        std::size_t bytes = size(*message);
        room.messages.push_back(std::move(message));
        room.bytes += bytes;
        while (room.messages.size() > most_messages_ || room.bytes > most_bytes_) {
            room.bytes -= size(*room.messages.front());
            room.messages.pop_front();
        }
    }

    void forget(std::string_view name) {
        if (auto found = rooms_.find(name); found != rooms_.end()) rooms_.erase(found);
    }

    void clear() noexcept { rooms_.clear(); }

    /// Call `visit(const KeptMessage&, const Backlog& rest)` for what is kept of two rooms, in the hub's order; the
    /// rest is what this message and those behind it amount to.
    template <class Visit>
    void replay(std::string_view one, std::string_view other, Visit visit) const {
        const Room &a = room(one), &b = one == other ? no_room() : room(other);
        Backlog rest{a.bytes + b.bytes, a.messages.size() + b.messages.size()};
        for (auto next = a.messages.begin(), rival = b.messages.begin(); rest.messages > 0; --rest.messages) {
            bool first = rival == b.messages.end() || (next != a.messages.end() && (*next)->place < (*rival)->place);
            const KeptMessage& message = **(first ? next : rival)++;
            visit(message, std::as_const(rest));
            rest.bytes -= size(message);
        }
    }

    std::size_t rooms() const noexcept { return rooms_.size(); }

private:
    struct Room {
        std::deque<Message> messages;
        std::size_t bytes = 0;
    };

    static std::size_t size(const KeptMessage& message) noexcept { return message.frame.size() + message.key.size(); }

    static const Room& no_room() {
        static const Room none;
        return none;
    }

    const Room& room(std::string_view name) const {
        auto found = rooms_.find(name);
        return found == rooms_.end() ? no_room() : found->second;
    }

    const std::size_t most_messages_, most_bytes_;
    std::map<std::string, Room, std::less<>> rooms_;
};

/// Which rooms have a history: as many as may. It belongs to the loop that gives the order.
class HubHistoryRooms {
public:
    /// @param most  At least one.
    explicit HubHistoryRooms(std::size_t most) : most_(std::max<std::size_t>(most, 1)) {}

    /// A message of this room is kept.
    ///
    /// @param in_use  Whether somebody is in it.
    /// @returns  the room whose history must be forgotten for that, if one must: of those that nobody is in, or else of
    ///           all, that which has been silent for longest.
    std::optional<std::string> keep(std::string_view name, bool in_use) {
        const Rank latest{in_use, ++messages_};
        if (auto known = rooms_.find(name); known != rooms_.end()) {
            move(known->second, latest);
            return std::nullopt;
        }
        auto fresh = rooms_.emplace(name, latest).first;
        Undo undo([&] { rooms_.erase(fresh); });
        std::optional<std::string> forgotten;
        if (rooms_.size() > most_) forgotten = *ranks_.begin()->second;
        ranks_.emplace(latest, &fresh->first);
        undo.done();
        if (forgotten) forget(*forgotten);
        return forgotten;
    }

    /// Somebody is in a room now, or nobody any more.
    void use(std::string_view name, bool in_use) noexcept {
        auto known = rooms_.find(name);
        if (known != rooms_.end() && known->second.in_use != in_use)
            move(known->second, {in_use, known->second.message});
    }

    void forget(std::string_view name) noexcept {
        auto known = rooms_.find(name);
        if (known == rooms_.end()) return;
        ranks_.erase(known->second);
        rooms_.erase(known);
    }

private:
    // The first one makes way first.
    struct Rank {
        bool in_use;
        std::uint64_t message;  // the latest one

        auto operator<=>(const Rank&) const = default;
    };

    void move(Rank& rank, const Rank& to) noexcept {
        auto node = ranks_.extract(rank);
        rank = to;
        if (node.empty()) return;  // never
        node.key() = to;
        ranks_.insert(std::move(node));
    }

    const std::size_t most_;
    std::uint64_t messages_ = 0;
    std::map<std::string, Rank, std::less<>> rooms_;
    std::map<Rank, const std::string*> ranks_;  // the names of all rooms
};

}  // namespace kvolt::detail

#endif
