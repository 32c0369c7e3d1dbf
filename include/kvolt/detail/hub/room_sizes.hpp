#ifndef KVOLT_DETAIL_HUB_ROOM_SIZES_HPP
#define KVOLT_DETAIL_HUB_ROOM_SIZES_HPP

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// How many seats there are in each room. Any thread.
class RoomSizes {
public:
    void enter(std::string_view room) {
        std::lock_guard lock(mutex_);
        ++sizes_[std::string(room)];
    }

    void leave(std::string_view room) noexcept {
        std::lock_guard lock(mutex_);
        auto size = sizes_.find(room);
        if (size != sizes_.end() && --size->second == 0) sizes_.erase(size);
    }

    std::size_t of(std::string_view room) const {
        std::lock_guard lock(mutex_);
        auto size = sizes_.find(room);
        return size == sizes_.end() ? 0 : size->second;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::size_t, std::less<>> sizes_;  // none is 0
};

}  // namespace kvolt::detail

#endif
