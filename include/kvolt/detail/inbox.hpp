#ifndef KVOLT_DETAIL_INBOX_HPP
#define KVOLT_DETAIL_INBOX_HPP

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A queue between threads that is emptied in batches: only what makes it non-empty has to wake the reader.
template <class T>
class Inbox {
public:
    /// @returns  true if it was empty: the reader must be woken.
    bool push(T item) {
        std::lock_guard lock(mutex_);
        filled_.store(true, std::memory_order_relaxed);
        items_.push_back(std::move(item));
        return items_.size() == 1;
    }

    /// Without a lock: true if all is taken that the caller knows to have been pushed.
    bool empty() const noexcept { return !filled_.load(std::memory_order_relaxed); }

    std::vector<T> take() {
        std::lock_guard lock(mutex_);
        filled_.store(false, std::memory_order_relaxed);
        return std::exchange(items_, {});
    }

private:
    std::mutex mutex_;
    std::vector<T> items_;
    std::atomic<bool> filled_{false};
};

}  // namespace kvolt::detail

#endif
