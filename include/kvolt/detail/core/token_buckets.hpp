#ifndef KVOLT_DETAIL_CORE_TOKEN_BUCKETS_HPP
#define KVOLT_DETAIL_CORE_TOKEN_BUCKETS_HPP

#include <kvolt/detail/core/token_bucket.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace kvolt::detail {

/// A token bucket for each of many keys, in bounded memory and in constant time.
///
/// A bucket that is full is forgotten: a new one is the same. No other is, or a client with many keys could have its
/// own forgotten, and so get tokens anew. When there are too many, new keys share one bucket; and when a group has too
/// many, its new keys share one of the group's.
class TokenBuckets {
public:
    using Clock = TokenBucket::Clock;

    /// @param rate           Tokens that a bucket gets per second.
    /// @param burst          Tokens that a bucket holds, and has in the beginning; at least 1.
    /// @param most           Buckets that are kept; at least 1.
    /// @param most_of_group  Buckets that the keys of one group have for themselves.
    TokenBuckets(double rate, double burst, std::size_t most, std::size_t most_of_group = static_cast<std::size_t>(-1))
        : rate_(rate),
          burst_(burst),
          most_(most),
          most_of_group_(most_of_group),
          slot_seconds_((std::max)(burst / rate / double{slot_count - 2}, 0.001)),
          overflow_(burst, {}) {}

    TokenBuckets(const TokenBuckets&) = delete;
    TokenBuckets& operator=(const TokenBuckets&) = delete;

    struct Taken {
        bool allowed;
        double left;         ///< Tokens.
        double seconds_one;  ///< Until there is a token again; 0 if there is.
        double seconds_all;  ///< Until the bucket is full.
    };

    /// Take one token from a key's bucket, if it has one.
    ///
    /// @param group  What the key belongs to; empty for nothing.
    Taken take(std::string_view key, Clock::time_point now, std::string_view group = {}) {
        now = now_ = (std::max)(now_, now);
        pass_slots();
        auto place = find(key);
        if (!place) {
            if (places_.size() >= most_) forget_full();
            place = admit(key, group);
        }
        TokenBucket& bucket = place ? (*place)->tokens : overflow_;
        bool allowed = bucket.take(rate_, burst_, now);
        double left = bucket.tokens(), seconds_all = (burst_ - left) / rate_;
        if (place) file(*place, seconds_all);
        for (int i = 0; i < 2; ++i) forget_full();
        return {allowed, left, (std::max)(0.0, (1 - left) / rate_), seconds_all};
    }

    std::size_t size() const noexcept { return places_.size(); }

private:
    // Buckets lie in slots by the time at which they are full, and behind the last slot that is over.
    using Slot = std::int64_t;
    static constexpr Slot slot_count = 64;

    using Groups = std::unordered_map<std::string, std::size_t>;  // how many buckets their keys have

    struct Entry {
        std::string key;
        TokenBucket tokens;
        Slot full_at;
        Groups::value_type* group;  // nullptr for none
    };
    using Entries = std::list<Entry>;

    Slot slot_at(double seconds) const noexcept { return static_cast<Slot>(seconds / slot_seconds_); }

    double seconds() const noexcept { return std::chrono::duration<double>(now_ - Clock::time_point()).count(); }

    Entries& slot(Slot number) noexcept {
        return number < first_slot_ ? full_ : slots_[static_cast<std::size_t>(number % slot_count)];
    }

    // What lies in slots that are over is full.
    void pass_slots() {
        Slot now = slot_at(seconds());
        for (Slot last = std::min<Slot>(now, first_slot_ + slot_count); first_slot_ < last; ++first_slot_)
            full_.splice(full_.end(), slot(first_slot_));
        first_slot_ = (std::max)(first_slot_, now);
    }

    std::optional<Entries::iterator> find(std::string_view key) noexcept {
        auto found = places_.find(key);
        if (found == places_.end()) return std::nullopt;
        return found->second;
    }

    void file(Entries::iterator place, double seconds_to_full) noexcept {
        Entries& from = slot(place->full_at);
        place->full_at = slot_at(seconds() + seconds_to_full);
        Entries& to = slot(place->full_at);
        to.splice(to.end(), from, place);
    }

    // A bucket for a new key; nothing if there is no room.
    std::optional<Entries::iterator> admit(std::string_view key, std::string_view group) {
        if (!group.empty()) {
            auto known = groups_.find(std::string(group));
            if (known != groups_.end() && known->second >= most_of_group_) {
                if (auto shared = find(group)) return shared;
                key = std::exchange(group, {});
            }
        }
        if (places_.size() >= most_) return std::nullopt;
        Groups::value_type* members = group.empty() ? nullptr : &*groups_.try_emplace(std::string(group), 0).first;
        try {
            Entries made;
            made.push_back({std::string(key), TokenBucket(burst_, now_), first_slot_, members});
            auto place = made.begin();
            places_.emplace(place->key, place);
            Entries& to = slot(first_slot_);
            to.splice(to.end(), made);
            if (members) ++members->second;
            return place;
        } catch (...) {
            if (members && members->second == 0) groups_.erase(members->first);
            throw;
        }
    }

    void forget_full() noexcept {
        if (full_.empty()) return;
        Entry& entry = full_.front();
        if (entry.group && --entry.group->second == 0) groups_.erase(groups_.find(entry.group->first));
        places_.erase(entry.key);
        full_.pop_front();
    }

    const double rate_, burst_;
    const std::size_t most_, most_of_group_;
    const double slot_seconds_;
    Clock::time_point now_{};
    Slot first_slot_ = 0;  // that is not over
    std::array<Entries, slot_count> slots_;
    Entries full_;
    std::unordered_map<std::string_view, Entries::iterator> places_;
    Groups groups_;
    TokenBucket overflow_;  // what new keys share that there is no room for
};

}  // namespace kvolt::detail

#endif
