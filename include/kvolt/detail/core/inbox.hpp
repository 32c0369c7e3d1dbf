#ifndef KVOLT_DETAIL_CORE_INBOX_HPP
#define KVOLT_DETAIL_CORE_INBOX_HPP

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace kvolt::detail {

/// A queue of what brings its own place in it, so that to wait takes no memory.
///
/// @tparam T  Has `std::shared_ptr<T> next`, which is the queue's while it waits there.
template <class T>
class ItemQueue {
public:
    ItemQueue() noexcept = default;
    ItemQueue(const ItemQueue&) = delete;
    ItemQueue& operator=(const ItemQueue&) = delete;
    ~ItemQueue() {
        while (!empty()) pop();  // one by one: each has the next one
    }

    bool empty() const noexcept { return first_ == nullptr; }

    void push(std::shared_ptr<T> item) noexcept {
        T* last = item.get();
        (empty() ? first_ : last_->next) = std::move(item);
        last_ = last;
    }

    /// There is one.
    std::shared_ptr<T> pop() noexcept {
        std::shared_ptr<T> item = std::move(first_);
        first_ = std::move(item->next);
        return item;
    }

    /// Take all that is in another one; this one is empty.
    void take(ItemQueue& other) noexcept {
        first_ = std::move(other.first_);
        last_ = other.last_;
    }

private:
    std::shared_ptr<T> first_;
    T* last_ = nullptr;  // if there is a first one
};

/// A queue between threads whose reader must be woken only where it has nothing to do, and then takes turns with
/// others. To push into it never fails.
template <class T>
class Inbox {
public:
    /// How much is done in a turn, about: a millisecond's work where one unit is a member of a hub.
    static constexpr std::size_t turn = 8192;

    enum class Pushed {
        queued,  ///< The reader comes.
        first,   ///< The reader must be woken.
        closed,  ///< Not taken: it is the caller's still.
    };

    Pushed push(std::shared_ptr<T>&& item) noexcept {
        std::lock_guard lock(mutex_);
        if (closed_) return Pushed::closed;
        items_.push(std::move(item));
        bool was_empty = empty();
        filled_.store(true, std::memory_order_relaxed);
        return was_empty ? Pushed::first : Pushed::queued;
    }

    /// True if all has been read that the caller knows to have been pushed.
    bool empty() const noexcept { return !filled_.load(std::memory_order_relaxed); }

    /// For the reader: call `read` with what waits, one by one, for a turn.
    ///
    /// @param read  `std::size_t(std::shared_ptr<T>)`, returns how much there was to do. Does not throw.
    /// @returns  true if something may be left: come again, nobody will wake you.
    template <class Read>
    bool take_turn(Read read) {
        for (std::size_t done = 0; done < turn;) {
            if (batch_.empty() && !take_batch()) return false;
            done += read(batch_.pop());
        }
        return true;
    }

    /// Without a reader: take nothing more, and let go of what there is.
    ///
    /// @param forget  `void(std::shared_ptr<T>)`, called for each. Does not throw.
    template <class Forget>
    void close(Forget forget) noexcept {
        ItemQueue<T> read, unread;  // forgetting them may push
        {
            std::lock_guard lock(mutex_);
            closed_ = true;
            read.take(batch_);
            unread.take(items_);
            filled_.store(false, std::memory_order_relaxed);
        }
        for (ItemQueue<T>* items : {&read, &unread})
            while (!items->empty()) forget(items->pop());
    }

private:
    bool take_batch() noexcept {
        std::lock_guard lock(mutex_);
        batch_.take(items_);
        filled_.store(!batch_.empty(), std::memory_order_relaxed);
        return !batch_.empty();
    }

    std::mutex mutex_;
    ItemQueue<T> items_;
    bool closed_ = false;
    std::atomic<bool> filled_{false};  // and the reader comes
    ItemQueue<T> batch_;               // of the reader
};

}  // namespace kvolt::detail

#endif
