#ifndef KVOLT_HUB_OPTIONS_HPP
#define KVOLT_HUB_OPTIONS_HPP

#include <kvolt/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace kvolt {

/// How a hub treats members that do not take its messages as fast as they come.
class HubOptions {
public:
    /// What happens when a member's backlog is full; SlowPolicy::disconnect by default.
    HubOptions& slow(SlowPolicy policy) noexcept {
        policy_ = policy;
        return *this;
    }

    /// How much may wait for one member; `Limits::backlog` of the app by default.
    HubOptions& backlog(std::size_t bytes, std::size_t messages) noexcept {
        backlog_ = Backlog{bytes, messages};
        return *this;
    }

    /// Bytes of broadcasts that may be on their way to other loops; 16 MiB by default. If they come faster than those
    /// loops deal with them, broadcast() drops what is past it.
    HubOptions& queue(std::size_t bytes) noexcept {
        queue_ = bytes;
        return *this;
    }

    SlowPolicy slow() const noexcept { return policy_; }
    const std::optional<Backlog>& backlog() const noexcept { return backlog_; }
    std::size_t queue() const noexcept { return queue_; }

private:
    SlowPolicy policy_ = SlowPolicy::disconnect;
    std::optional<Backlog> backlog_;
    std::size_t queue_ = 16 * 1024 * 1024;
};

/// What a hub has done so far.
struct HubStats {
    std::uint64_t messages = 0;      ///< Broadcasts that were put in order.
    std::uint64_t refused = 0;       ///< Broadcasts that were not: too many were on their way.
    std::uint64_t deliveries = 0;    ///< Messages queued for a member.
    std::uint64_t dropped = 0;       ///< Messages that a slow member did not get.
    std::uint64_t disconnected = 0;  ///< Members that were closed for being slow.
};

}  // namespace kvolt

#endif
