#ifndef KVOLT_BROADCAST_OPTIONS_HPP
#define KVOLT_BROADCAST_OPTIONS_HPP

#include <cstdint>

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

    SeatId except() const noexcept { return except_; }
    bool history() const noexcept { return history_; }
    bool is_default() const noexcept { return except_ == SeatId::none && history_; }

private:
    SeatId except_ = SeatId::none;
    bool history_ = true;
};

}  // namespace kvolt

#endif
