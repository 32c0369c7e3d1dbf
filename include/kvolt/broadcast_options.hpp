#ifndef KVOLT_BROADCAST_OPTIONS_HPP
#define KVOLT_BROADCAST_OPTIONS_HPP

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace kvolt {

/// Names one seat of a hub, also from other threads and when it has been left. Never used twice by a hub.
enum class SeatId : std::uint64_t { none = 0 };

/// Who of a room gets a broadcast, and how it is kept.
class BroadcastOptions {
public:
    /// All but one seat, such as the sender's: `BroadcastOptions().except(seat.id())`.
    BroadcastOptions& except(SeatId seat) noexcept {
        except_ = seat;
        return *this;
    }

    /// Whether it is kept for those who enter the room later, if the hub has a history; true by default.
    BroadcastOptions& history(bool keep) noexcept {
        history_ = keep;
        return *this;
    }

    /// For messages that tell the latest state of something, such as a price. Of those to the same room with the same
    /// key, only the latest waits for a slow member, behind all else that waits; what the member has begun to get is
    /// finished. A history, too, keeps only the latest.
    ///
    /// @param key  What the state is of, such as `price of gold`; at most 255 bytes. With the empty one, the message
    ///             stands for itself.
    /// @throws std::length_error  if it is too long.
    BroadcastOptions& coalesce(std::string_view key) {
        if (key.size() > 255) throw std::length_error("kvolt: a key has at most 255 bytes");
        key_ = key;
        return *this;
    }

    SeatId except() const noexcept { return except_; }
    const std::string& coalesce() const noexcept { return key_; }
    bool history() const noexcept { return history_; }
    bool is_default() const noexcept { return except_ == SeatId::none && history_ && key_.empty(); }

private:
    SeatId except_ = SeatId::none;
    bool history_ = true;
    std::string key_;
};

}  // namespace kvolt

#endif
