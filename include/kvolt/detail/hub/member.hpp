#ifndef KVOLT_DETAIL_HUB_MEMBER_HPP
#define KVOLT_DETAIL_HUB_MEMBER_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/core/token_bucket.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/hub/item.hpp>
#include <kvolt/detail/net/backlog.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/limits.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <functional>
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
    std::vector<std::size_t> places;  // which of each member's places this is
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
        const HubRoom* room = look(name);
        const HubPlaces& places = member.*places_;
        return std::any_of(places.begin(), places.end(), [&](const HubPlace& place) { return place.room == room; });
    }

    /// @returns  false if it was there already.
    bool enter(HubMember& member, std::string_view name) {
        HubPlaces& places = member.*places_;
        HubRoom& room = make(name);
        if (find(places, &room) != places.end()) return false;
        Undo undo([&] { drop_if_empty(room); });
        places.push_back({&room, room.members.size()});
        Undo unplaced([&] { places.pop_back(); });
        room.places.push_back(places.size() - 1);
        Undo unlisted([&] { room.places.pop_back(); });
        room.members.push_back(&member);
        unlisted.done();
        unplaced.done();
        undo.done();
        return true;
    }

    /// @returns  false if it was not there.
    bool leave(HubMember& member, std::string_view name) {
        HubPlaces& places = member.*places_;
        auto place = find(places, look(name));
        if (place == places.end()) return false;
        vacate(*place);
        drop_if_empty(*place->room);
        for (place = places.erase(place); place != places.end(); ++place) --place->room->places[place->index];
        return true;
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
        const HubRoom* room = look(name);
        return room ? room->members : none;
    }

private:
    const HubRoom* look(std::string_view name) const {
        if (name.empty()) return &everyone_;
        auto found = rooms_.find(name);
        return found == rooms_.end() ? nullptr : &found->second;
    }

    HubRoom& make(std::string_view name) {
        if (name.empty()) return everyone_;
        auto found = rooms_.find(name);
        if (found != rooms_.end()) return found->second;
        return rooms_.emplace(name, HubRoom{std::string(name), {}, {}}).first->second;
    }

    static HubPlaces::iterator find(HubPlaces& places, const HubRoom* room) {
        return std::find_if(places.begin(), places.end(), [&](const HubPlace& place) { return place.room == room; });
    }

    // The last one moves up.
    void vacate(const HubPlace& place) noexcept {
        auto& [name, members, places] = *place.room;
        if (place.index + 1 < members.size()) {
            members[place.index] = members.back();
            places[place.index] = places.back();
            (members.back()->*places_)[places.back()].index = place.index;
        }
        members.pop_back();
        places.pop_back();
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
