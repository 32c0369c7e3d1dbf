#ifndef KVOLT_DETAIL_NET_REST_HPP
#define KVOLT_DETAIL_NET_REST_HPP

// Connections that wait for their client, so that little is lost if one of them is closed: who makes way when others
// need a place.

#include <kvolt/detail/core/deadline_wheel.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <limits>

namespace kvolt::detail {

/// Who makes way first comes first.
enum class Rest {
    idle,        ///< It waits for another request.
    unfinished,  ///< For the rest of a head, or its first byte; or for the client to close what we have closed.
    receiving,   ///< For more of a body.
    none,        ///< It does not wait for its client, or not for that alone.
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
    virtual ~Resting() { leave(); }

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

    /// How long one has a chance to go on, in ticks, before it makes way.
    static constexpr Tick grace(Rest kind) noexcept {
        constexpr Tick of[] = {0, 2, 10};
        return of[static_cast<std::size_t>(kind)];
    }

    /// @param epoch  When this loop's ticks began, in ticks of a clock that all loops share.
    explicit RestList(Tick epoch) noexcept : epoch_(epoch) {}

    /// One rests since then. It has done so for less time than those who came before.
    void add(Resting& one, Rest kind, Tick since) noexcept {
        Resting& row = rows_[static_cast<std::size_t>(kind)];
        Tick key = key_of(kind, since);
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

    /// Who makes way: of those who have had their chance, the one that has rested for longest in the first row that has
    /// one. nullptr if nobody does.
    Resting* first(Tick now) {
        Resting* found = nullptr;
        for (Rest kind : {Rest::idle, Rest::unfinished, Rest::receiving}) {
            Resting& row = rows_[static_cast<std::size_t>(kind)];
            while (row.next_ != &row && row.next_->rest() > kind) move_on(*row.next_);
            if (row.next_ != &row && since(*row.next_) + grace(kind) <= now && !found) found = row.next_;
        }
        publish();
        return found;
    }

    /// Tell others how long the first has rested. At each tick: it is not said whenever he leaves.
    void publish() noexcept {
        const Row* row = rows_.data();
        while (row != &rows_.back() && row->next_ == row) ++row;
        rank_.store(row->next_ == row ? nobody : row->next_->key_ + epoch_, std::memory_order_relaxed);
    }

    /// Nobody there ranks before this. Any thread.
    Rank rank() const noexcept { return rank_.load(std::memory_order_relaxed); }

private:
    // In front of the tick, so that ranks compare first by it.
    static constexpr int tick_bits = 60;

    static Tick key_of(Rest kind, Tick since) noexcept { return static_cast<Tick>(kind) << tick_bits | since; }

    static Tick since(const Resting& one) noexcept { return one.key_ & ((Tick{1} << tick_bits) - 1); }

    // It does not rest any more as it did.
    void move_on(Resting& one) {
        Rest kind = one.rest();
        if (kind == Rest::none)
            one.leave();
        else
            add(one, kind, since(one));
    }

    struct Row final : Resting {};

    const Tick epoch_;
    std::array<Row, 3> rows_;
    std::atomic<Rank> rank_{nobody};
};

}  // namespace kvolt::detail

#endif
