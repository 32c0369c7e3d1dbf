#ifndef KVOLT_DETAIL_NET_CLIENT_COUNTS_HPP
#define KVOLT_DETAIL_NET_CLIENT_COUNTS_HPP

#include <kvolt/detail/net/ip.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace kvolt::detail {

/// How many connections each client has: each address of IPv4, and of IPv6 each network of 64 bits, since whoever has
/// one address there has all of them. Any thread.
class ClientCounts {
    struct Less {
        bool operator()(const Ip& a, const Ip& b) const noexcept { return a.bytes < b.bytes; }
    };

public:
    using Clock = std::chrono::steady_clock;
    using Entry = std::map<Ip, std::size_t, Less>::value_type;

    /// Count one more.
    ///
    /// @returns  what remove() takes; nullptr if the client has `most` already.
    Entry* add(const Ip& ip, std::size_t most) {
        std::lock_guard lock(mutex_);
        Entry& entry = *counts_.try_emplace(client(ip), 0).first;
        if (entry.second >= most) {
            ++refused_;
            return nullptr;
        }
        ++entry.second;
        return &entry;
    }

    void remove(Entry* entry) noexcept {
        std::lock_guard lock(mutex_);
        if (--entry->second == 0) counts_.erase(Ip(entry->first));
    }

    /// What is to be logged of those who were refused, at most once a minute; else empty.
    std::string refusals(const Ip& last, std::size_t most, Clock::time_point now) {
        std::lock_guard lock(mutex_);
        if (told_ && now - *told_ < std::chrono::minutes(1)) return {};
        told_ = now;
        return "kvolt: connections closed at once, since their clients have " + std::to_string(most) +
               " already (Limits::connections_per_client): " + std::to_string(std::exchange(refused_, 0)) +
               ", the last one of " + last.to_string();
    }

    /// How many clients there are.
    std::size_t size() const {
        std::lock_guard lock(mutex_);
        return counts_.size();
    }

private:
    static Ip client(Ip ip) noexcept {
        if (!ip.is_v4()) std::fill(ip.bytes.begin() + 8, ip.bytes.end(), static_cast<unsigned char>(0));
        return ip;
    }

    mutable std::mutex mutex_;
    std::map<Ip, std::size_t, Less> counts_;  // no client can make it slow, as it could a hash table
    std::uint64_t refused_ = 0;               // since that was told
    std::optional<Clock::time_point> told_;
};

}  // namespace kvolt::detail

#endif
