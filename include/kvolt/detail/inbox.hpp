#ifndef KVOLT_DETAIL_INBOX_HPP
#define KVOLT_DETAIL_INBOX_HPP

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
        items_.push_back(std::move(item));
        return items_.size() == 1;
    }

    std::vector<T> take() {
        std::lock_guard lock(mutex_);
        return std::exchange(items_, {});
    }

private:
    std::mutex mutex_;
    std::vector<T> items_;
};

}  // namespace kvolt::detail

#endif
