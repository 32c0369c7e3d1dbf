#ifndef KVOLT_DETAIL_HUB_MEMBER_HPP
#define KVOLT_DETAIL_HUB_MEMBER_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/backlog.hpp>
#include <kvolt/detail/hub_item.hpp>
#include <kvolt/detail/peer.hpp>
#include <kvolt/detail/token_bucket.hpp>
#include <kvolt/detail/undo.hpp>
#include <kvolt/limits.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

class HubShard;
struct HubMember;

/// Who is in a room, in no particular order.
struct HubRoom {
    std::string name;
    std::vector<HubMember*> members;
};

/// One of a member's rooms, and where in its list the member is.
struct HubPlace {
    HubRoom* room;
    std::size_t index;
};
using HubPlaces = std::vector<HubPlace>;

/// What a broadcast looks at of a member: a cache line.
struct HubTarget {
    const SeatId id;
    const std::shared_ptr<Peer> peer;
    Terms terms;  // this and the next: on the loop of its connection
    bool behind = false;
    bool chosen = false;  // by the predicate of the message that is being sent
};

/// A member of a hub. Each part is touched by one thread alone. When it leaves for good it waits itself for that to
/// have its place.
struct HubMember : HubTarget, HubItem, std::enable_shared_from_this<HubMember> {
    HubMember(SeatId number, std::shared_ptr<Peer> whose, const Backlog& may_wait, SlowPolicy when_full,
              bool joined_no_room)
        : HubTarget{number, std::move(whose), {may_wait, when_full}}, HubItem(Kind::depart), roomless(joined_no_room) {}

    const bool roomless;              // joined in no room
    std::atomic<bool> missed{false};  // something that it was to have: see HubShard::miss()

    // On the loop of its connection
    HubShard* shard = nullptr;
    HubPlaces places;                   // in the shard
    std::shared_ptr<const void> value;  // what the hub's user knows of it
    std::optional<TokenBucket> bucket;  // for what it broadcasts

    // On the loop that gives the order
    HubPlaces listed;  // in the roster
    std::shared_ptr<const void> listed_value;
    std::string key;
};

/// Which members are in which rooms. The empty room is everyone; the others are there while somebody is in them.
class HubRooms {
public:
    /// @param places  The part of a member that this uses.
    explicit HubRooms(HubPlaces HubMember::*places) noexcept : places_(places) {}

    HubRooms(const HubRooms&) = delete;
    HubRooms& operator=(const HubRooms&) = delete;

    bool has(const HubMember& member, std::string_view name) const {
        const HubPlaces& places = member.*places_;
        return std::any_of(places.begin(), places.end(),
                           [&](const HubPlace& place) { return place.room->name == name; });
    }

    /// @returns  false if it was there already.
    bool enter(HubMember& member, std::string_view name) {
        HubPlaces& places = member.*places_;
        HubRoom& room = make(name);
        if (find(places, room) != places.end()) return false;
        Undo undo([&] { drop_if_empty(room); });
        places.reserve(places.size() + 1);
        room.members.push_back(&member);
        places.push_back({&room, room.members.size() - 1});
        undo.done();
        return true;
    }

    /// @returns  false if it was not there.
    bool leave(HubMember& member, std::string_view name) {
        HubPlaces& places = member.*places_;
        for (auto place = places.begin(); place != places.end(); ++place) {
            if (place->room->name != name) continue;
            vacate(*place);
            drop_if_empty(*place->room);
            places.erase(place);
            return true;
        }
        return false;
    }

    /// Leave all rooms.
    void leave(HubMember& member) {
        leave_all(member, [](const HubRoom&) {});
    }

    /// The same, and when it has left them all call `told(const HubRoom&)` for each.
    template <class Told>
    requires std::invocable<Told&, const HubRoom&>
    void leave_all(HubMember& member, Told told) {
        HubPlaces places = std::exchange(member.*places_, {});
        for (HubPlace& place : places) vacate(place);
        for (; !places.empty(); places.pop_back()) {
            told(*places.back().room);
            drop_if_empty(*places.back().room);
        }
    }

    const std::vector<HubMember*>& everyone() const noexcept { return everyone_.members; }

    const std::vector<HubMember*>& in(std::string_view name) const {
        static const std::vector<HubMember*> none;
        if (name.empty()) return everyone_.members;
        auto found = rooms_.find(name);
        return found == rooms_.end() ? none : found->second.members;
    }

private:
    HubRoom& make(std::string_view name) {
        if (name.empty()) return everyone_;
        auto found = rooms_.find(name);
        if (found != rooms_.end()) return found->second;
        return rooms_.emplace(name, HubRoom{std::string(name), {}}).first->second;
    }

    static HubPlaces::iterator find(HubPlaces& places, const HubRoom& room) {
        auto place = places.begin();
        while (place != places.end() && place->room != &room) ++place;
        return place;
    }

    void vacate(HubPlace& place) {
        auto& members = place.room->members;
        if (place.index + 1 < members.size()) {
            members[place.index] = members.back();
            find(members.back()->*places_, *place.room)->index = place.index;
        }
        members.pop_back();
    }

    void drop_if_empty(const HubRoom& room) noexcept {
        if (room.members.empty() && &room != &everyone_) rooms_.erase(rooms_.find(room.name));
    }

    HubPlaces HubMember::*const places_;
    HubRoom everyone_;
    std::map<std::string, HubRoom, std::less<>> rooms_;
};

}  // namespace kvolt::detail

#endif
