#ifndef KVOLT_DETAIL_INBOX_HPP
#define KVOLT_DETAIL_INBOX_HPP

#include <atomic>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A queue between threads whose reader must be woken only where it has nothing to do, and then takes turns with
/// others.
template <class T>
class Inbox {
public:
    /// How much is done in a turn, about: a millisecond's work where one unit is a member of a hub.
    static constexpr std::size_t turn = 8192;

    /// @returns  true if the reader must be woken.
    bool push(T item) {
        std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
        bool was_empty = empty();
        filled_.store(true, std::memory_order_relaxed);
        return was_empty;
    }

    /// True if all has been read that the caller knows to have been pushed.
    bool empty() const noexcept { return !filled_.load(std::memory_order_relaxed); }

    /// For the reader: call `read` with what waits, one by one, for a turn.
    ///
    /// @param read  `std::size_t(T&)`, returns how much there was to do. Does not throw.
    /// @returns  true if something may be left: come again, nobody will wake you.
    template <class Read>
    bool take_turn(Read read) {
        for (std::size_t done = 0; done < turn;) {
            if (next_ == batch_.size() && !take_batch()) return false;
            T item = std::move(batch_[next_++]);
            done += read(item);
        }
        return true;
    }

    /// Without a reader: let go of everything.
    void clear() noexcept {
        std::vector<T> items, batch;  // they may push, as they go
        std::lock_guard lock(mutex_);
        items.swap(items_);
        batch.swap(batch_);
        next_ = 0;
        filled_.store(false, std::memory_order_relaxed);
    }

private:
    bool take_batch() {
        std::vector<T> done = std::exchange(batch_, {});
        next_ = 0;
        std::lock_guard lock(mutex_);
        batch_.swap(items_);
        filled_.store(!batch_.empty(), std::memory_order_relaxed);
        return !batch_.empty();
    }

    std::mutex mutex_;
    std::vector<T> items_;
    std::atomic<bool> filled_{false};  // and the reader comes

    // Of the reader
    std::vector<T> batch_;
    std::size_t next_ = 0;
};

}  // namespace kvolt::detail

#endif
