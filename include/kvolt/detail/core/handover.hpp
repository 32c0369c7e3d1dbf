#ifndef KVOLT_DETAIL_CORE_HANDOVER_HPP
#define KVOLT_DETAIL_CORE_HANDOVER_HPP

#include <mutex>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// What others hand to a loop, and may take back as long as the loop has not come for it. Any thread.
template <class Item>
class Handover {
public:
    /// @returns  true if the loop has to be called to come.
    bool put(Item item) {
        std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
        return !std::exchange(called_, true);
    }

    /// The loop has come.
    std::vector<Item> take() {
        std::lock_guard lock(mutex_);
        called_ = false;
        return std::exchange(items_, {});
    }

    /// The loop does not come. It is still called, and will find less.
    std::vector<Item> take_back() {
        std::lock_guard lock(mutex_);
        return std::exchange(items_, {});
    }

private:
    std::mutex mutex_;
    std::vector<Item> items_;
    bool called_ = false;
};

}  // namespace kvolt::detail

#endif
