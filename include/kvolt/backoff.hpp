#ifndef KVOLT_BACKOFF_HPP
#define KVOLT_BACKOFF_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace kvolt {

/// How long a client waits before it connects again: a random time up to `first`, then up to twice that, and so on up
/// to `most`. The chance ("full jitter") keeps the clients of a server that restarts from coming back all at once.
struct Backoff {
    using Duration = std::chrono::milliseconds;

    Duration first = std::chrono::milliseconds(500);
    Duration most = std::chrono::seconds(30);
    std::size_t attempts = 0;                    ///< That may fail in a row; 0: any number.
    Duration stable = std::chrono::seconds(10);  ///< A connection that lasted for so long makes all be well again.

    /// How long to wait.
    ///
    /// @param failures  In a row so far.
    /// @param chance    From 0 to 1.
    Duration delay(std::size_t failures, double chance) const noexcept {
        Duration limit = (std::max)((std::min)(first, most), Duration(0));
        for (std::size_t i = 0; i < failures && limit < most && limit > Duration(0); ++i)
            limit = limit > most / 2 ? most : limit * 2;
        return Duration(static_cast<Duration::rep>(static_cast<double>(limit.count()) * chance));
    }
};

}  // namespace kvolt

#endif
