#ifndef KVOLT_DETAIL_REST_HPP
#define KVOLT_DETAIL_REST_HPP

// Connections that wait for their client, so that little is lost if one of them is closed: who makes way when others
// need a place.

#include <kvolt/detail/deadline_wheel.hpp>

#include <atomic>
#include <limits>

namespace kvolt::detail {

enum class Rest {
    none,        ///< It does not wait for its client, or not for that alone.
    idle,        ///< It waits for another request.
    unfinished,  ///< For the rest of a head, or its first byte; or for the client to close what we have closed.
};

/// A connection as one that may rest. Destroyed, it is in no RestList any more.
class Resting {
public:
    Resting() = default;
    Resting(const Resting&) = delete;
    Resting& operator=(const Resting&) = delete;

    /// How it rests now.
    virtual Rest rest() { return Rest::none; }

    /// Close, for others need the place.
    virtual void make_way() noexcept {}

protected:
    ~Resting() { leave(); }

private:
    friend class RestList;

    void leave() noexcept {
        previous_->next_ = next_;
        next_->previous_ = previous_;
        previous_ = next_ = this;
    }

    Resting* previous_ = this;
    Resting* next_ = this;
    Tick key_ = 0;
};

/// The connections of one loop that have come to rest, those first that have rested for longest. To be cheap, nobody
/// says so when he does not rest any more.
///
/// Touched by its loop's thread alone, but for rank().
class RestList {
public:
    /// Of several loops, that with the least has who makes way.
    using Rank = Tick;
    static constexpr Rank nobody = (std::numeric_limits<Rank>::max)();

    /// How long one has a chance to send its first head, in ticks, before it makes way.
    static constexpr Tick grace = 2;

    /// @param epoch  When this loop's ticks began, in ticks of a clock that all loops share.
    explicit RestList(Tick epoch) noexcept : epoch_(epoch) {}

    /// One rests since then. It has done so for less time than those who came before.
    void add(Resting& one, Rest kind, Tick since) noexcept {
        Resting& row = kind == Rest::idle ? idle_ : unfinished_;
        Tick key = kind == Rest::idle ? since : since | later;
        if (row.previous_ == &one) {  // the last one already
            one.key_ = key;
            return;
        }
        if (one.next_ != &one) {
            if (one.key_ == key) return;
            one.leave();
        }
        one.key_ = key;
        one.next_ = &row;
        one.previous_ = row.previous_;
        row.previous_->next_ = &one;
        row.previous_ = &one;
        if (one.previous_ == &row) publish();
    }

    /// Who makes way: who is idle for longest, else who is unfinished for longest. nullptr if nobody does.
    Resting* first(Tick now) {
        while (idle_.next_ != &idle_ && idle_.next_->rest() != Rest::idle) move_on(*idle_.next_);
        while (unfinished_.next_ != &unfinished_ && unfinished_.next_->rest() == Rest::none) unfinished_.next_->leave();
        publish();
        if (idle_.next_ != &idle_) return idle_.next_;
        Resting& one = *unfinished_.next_;
        return &one == &unfinished_ || (one.key_ & ~later) + grace > now ? nullptr : &one;
    }

    /// Tell others how long the first has rested. At each tick: it is not said whenever he leaves.
    void publish() noexcept {
        const Resting* first = idle_.next_ != &idle_ ? idle_.next_ : unfinished_.next_;
        rank_.store(first == &unfinished_ ? nobody : first->key_ + epoch_, std::memory_order_relaxed);
    }

    /// Nobody there ranks before this. Any thread.
    Rank rank() const noexcept { return rank_.load(std::memory_order_relaxed); }

private:
    static constexpr Tick later = Tick{1} << 62;  // in the key of those who are unfinished

    // It is idle no more.
    void move_on(Resting& one) {
        if (one.rest() == Rest::unfinished)
            add(one, Rest::unfinished, one.key_);
        else
            one.leave();
    }

    struct Row final : Resting {};

    const Tick epoch_;
    Row idle_, unfinished_;
    std::atomic<Rank> rank_{nobody};
};

}  // namespace kvolt::detail

#endif
