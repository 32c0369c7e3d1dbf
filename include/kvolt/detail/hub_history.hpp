#ifndef KVOLT_DETAIL_HUB_HISTORY_HPP
#define KVOLT_DETAIL_HUB_HISTORY_HPP

#include <kvolt/broadcast_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// A message that is kept for those who come later.
struct KeptMessage {
    std::uint64_t place;  // in the hub's order
    std::string frame;
    std::string key;  // if not empty, a later one with this key replaces it
    SeatId except;
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

    /// Call `visit(const KeptMessage&)` for what is kept of two rooms, in the hub's order.
    template <class Visit>
    void replay(std::string_view one, std::string_view other, Visit visit) const {
        const auto &a = messages(one), &b = messages(other);
        auto next = a.begin(), rival = b.begin();
        if (one == other) rival = b.end();
        while (next != a.end() || rival != b.end()) {
            bool first = rival == b.end() || (next != a.end() && (*next)->place < (*rival)->place);
            visit(**(first ? next : rival)++);
        }
    }

    std::size_t rooms() const noexcept { return rooms_.size(); }

private:
    using Messages = std::deque<Message>;

    struct Room {
        Messages messages;
        std::size_t bytes = 0;
    };

    static std::size_t size(const KeptMessage& message) noexcept { return message.frame.size() + message.key.size(); }

    const Messages& messages(std::string_view name) const {
        static const Messages none;
        auto found = rooms_.find(name);
        return found == rooms_.end() ? none : found->second.messages;
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
    /// @param in_use  `bool(name)`: whether somebody is in a room.
    /// @returns  the room whose history must be forgotten for that, if one must.
    template <class InUse>
    std::optional<std::string> use(std::string_view name, InUse in_use) {
        if (auto known = places_.find(name); known != places_.end()) {
            latest_.splice(latest_.begin(), latest_, known->second);
            return std::nullopt;
        }
        std::optional<std::string> forgotten;
        if (latest_.size() >= most_) {
            auto last = std::find_if_not(latest_.rbegin(), latest_.rend(), in_use);
            forgotten = last == latest_.rend() ? latest_.back() : *last;
        }
        std::list<std::string> fresh(1, std::string(name));
        places_.emplace(fresh.front(), fresh.begin());
        if (forgotten) forget(*forgotten);
        latest_.splice(latest_.begin(), fresh);
        return forgotten;
    }

    void forget(std::string_view name) {
        auto known = places_.find(name);
        if (known == places_.end()) return;
        auto place = known->second;
        places_.erase(known);
        latest_.erase(place);
    }

private:
    const std::size_t most_;
    std::list<std::string> latest_;  // the latest first
    std::map<std::string_view, std::list<std::string>::iterator> places_;
};

}  // namespace kvolt::detail

#endif
