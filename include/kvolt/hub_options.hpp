#ifndef KVOLT_HUB_OPTIONS_HPP
#define KVOLT_HUB_OPTIONS_HPP

#include <kvolt/limits.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>

namespace kvolt {

/// How much of what was broadcast is kept for those who come later.
struct History {
    std::size_t messages = 0;       ///< Of a room.
    std::size_t bytes = 64 * 1024;  ///< Of a room.
    std::size_t rooms = 1000;       ///< That have a history.
};

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
    /// loops deal with them, broadcast() refuses what is past it. Of what one connection says by its seats, an eighth
    /// of that may be, so that a client that floods a hub by Seat::broadcast() costs the others nothing.
    HubOptions& queue(std::size_t bytes) noexcept {
        queue_ = bytes;
        return *this;
    }

    /// Bytes of one connection's moves that may be on their way to the app's first loop, with what on_join() and the
    /// like say of them until all loops have it; 64 KiB by default, some 300 moves. What is past it is refused, so that
    /// a client that comes and goes as fast as it can costs the others nothing: see MoveResult::busy, and Hub::join().
    /// To leave is never refused. A Member counts by its key alone. Of the moves of all connections, also of those that
    /// have gone, there may be as much as of broadcasts, see queue(): past that, nobody can join.
    HubOptions& moves(std::size_t bytes) noexcept {
        moves_ = bytes;
        return *this;
    }

    /// How many rooms one seat may be in; 1,000 by default.
    HubOptions& rooms(std::size_t count) noexcept {
        rooms_ = count;
        return *this;
    }

    /// Keep the latest messages of each room; none by default. Whoever enters a room gets them first, and then what
    /// follows: nothing twice, nothing left out. What is broadcast to everyone is kept for those who join.
    ///
    /// Not kept is what goes to one seat or key or by a predicate, and what BroadcastOptions::history() keeps out.
    ///
    /// @param messages  Of a room.
    /// @param bytes     Of a room. A room's oldest messages make way.
    /// @param rooms     That have a history. The history of the one that has been silent for longest makes way, of
    ///                  rooms that nobody is in before others; else it stays while the hub is there.
    HubOptions& history(std::size_t messages, std::size_t bytes = History().bytes,
                        std::size_t rooms = History().rooms) noexcept {
        history_ = History{messages, bytes, rooms};
        return *this;
    }

    /// How much a seat may broadcast by Seat::broadcast(), in real time also in the test kit; as much as it likes by
    /// default. A new seat begins afresh.
    ///
    /// @param per_second  Messages; more than 0.
    /// @param burst       Messages that it may broadcast at once after a pause; at least 1.
    /// @throws std::invalid_argument  for other values.
    HubOptions& rate(double per_second, double burst) {
        if (!(per_second > 0) || !(burst >= 1))
            throw std::invalid_argument("kvolt: a hub's rate is more than 0 a second, its burst at least 1");
        rate_ = Rate{per_second, burst};
        return *this;
    }

    struct Rate {
        double per_second, burst;
    };

    SlowPolicy slow() const noexcept { return policy_; }
    const History& history() const noexcept { return history_; }
    const std::optional<Rate>& rate() const noexcept { return rate_; }
    const std::optional<Backlog>& backlog() const noexcept { return backlog_; }
    std::size_t queue() const noexcept { return queue_; }
    std::size_t moves() const noexcept { return moves_; }
    std::size_t rooms() const noexcept { return rooms_; }

private:
    SlowPolicy policy_ = SlowPolicy::disconnect;
    std::optional<Backlog> backlog_;
    History history_;
    std::optional<Rate> rate_;
    std::size_t queue_ = 16 * 1024 * 1024;
    std::size_t moves_ = 64 * 1024;
    std::size_t rooms_ = 1000;
};

/// What a hub has done so far.
struct HubStats {
    std::uint64_t messages = 0;      ///< Broadcasts that were put in order.
    std::uint64_t refused = 0;       ///< Broadcasts that were not: too many were on their way, or the app was cut off.
    std::uint64_t limited = 0;       ///< Broadcasts that were not: their seat was over its rate or its share.
    std::uint64_t invalid = 0;       ///< Broadcasts that were not: text that is not UTF-8.
    std::uint64_t deliveries = 0;    ///< Messages queued for a member.
    std::uint64_t dropped = 0;       ///< Messages that a slow member did not get.
    std::uint64_t coalesced = 0;     ///< Messages that a slow member did not get, but a later one with their key.
    std::uint64_t behind = 0;        ///< How often a member has fallen behind: see Hub::on_behind().
    std::uint64_t disconnected = 0;  ///< Members that were closed for being slow.
};

}  // namespace kvolt

#endif
