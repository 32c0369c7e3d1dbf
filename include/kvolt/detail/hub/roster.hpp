#ifndef KVOLT_DETAIL_HUB_ROSTER_HPP
#define KVOLT_DETAIL_HUB_ROSTER_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/hub/member.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// Who is in a hub at the place in its order that has been reached. It belongs to the loop that gives the order.
class HubRoster {
public:
    HubRoster() : rooms_(&HubMember::listed) {}

    const std::vector<HubMember*>& in(std::string_view room) const { return rooms_.in(room); }

    void enter(const std::shared_ptr<HubMember>& member, std::string_view room) {
        seats_.emplace(member->id, member);
        rooms_.enter(*member, {});
        rooms_.enter(*member, room);
    }

    /// @returns  false if it was not there.
    bool leave(HubMember& member, std::string_view room) { return rooms_.leave(member, room); }

    /// Leave for good, and call `told(const HubRoom&)` for each room that was left. Never fails.
    template <class Told>
    void remove(HubMember& member, Told told) {
        forget_key(member);
        auto seat = seats_.extract(member.id);  // which may be all that keeps it
        rooms_.leave_all(member, told);
    }

    /// What is known of a member from now on.
    void change(HubMember& member, std::shared_ptr<const void> value, std::string key) {
        if (key != member.key) {
            if (!key.empty()) add_key(member, key);
            forget_key(member);
            member.key = std::move(key);
        }
        member.listed_value = std::move(value);
    }

    std::shared_ptr<HubMember> find(SeatId seat) const {
        auto found = seats_.find(seat);
        return found == seats_.end() ? nullptr : found->second;
    }

    /// The seats of a key.
    const std::vector<HubMember*>& find(const std::string& key) const {
        static const std::vector<HubMember*> none;
        auto found = keys_.find(key);
        return found == keys_.end() ? none : found->second;
    }

private:
    void add_key(HubMember& member, const std::string& key) {
        auto seats = keys_.try_emplace(key).first;
        Undo undo([&] {
            if (seats->second.empty()) keys_.erase(seats);
        });
        seats->second.push_back(&member);
        undo.done();
    }

    void forget_key(HubMember& member) {
        if (member.key.empty()) return;
        if (auto key = keys_.find(member.key); key != keys_.end()) {
            std::erase(key->second, &member);
            if (key->second.empty()) keys_.erase(key);
        }
        member.key.clear();
    }

    HubRooms rooms_;
    std::map<SeatId, std::shared_ptr<HubMember>> seats_;
    std::map<std::string, std::vector<HubMember*>> keys_;
};

}  // namespace kvolt::detail

#endif
