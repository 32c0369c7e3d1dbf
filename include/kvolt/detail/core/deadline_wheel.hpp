#ifndef KVOLT_DETAIL_CORE_DEADLINE_WHEEL_HPP
#define KVOLT_DETAIL_CORE_DEADLINE_WHEEL_HPP

// Deadlines for many connections by one tick: a hashed timing wheel. Arming and disarming are O(1); moving a
// deadline further away, the common case, only writes a number.

#include <kvolt/detail/core/undo.hpp>

#include <array>
#include <cstdint>
#include <new>

namespace kvolt::detail {

using Tick = std::uint64_t;

/// Something that can be late. It leaves its wheel when it is destroyed.
class Deadline {
public:
    Deadline() = default;
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    void disarm() noexcept {
        previous_->next_ = next_;
        next_->previous_ = previous_;
        previous_ = next_ = this;
    }

    bool armed() const noexcept { return next_ != this; }

protected:
    virtual ~Deadline() { disarm(); }

private:
    friend class Deadlines;
    friend class DeadlineWheel;

    /// Called once when the time has come; it may arm, disarm or destroy any deadline.
    virtual void on_deadline() {}

    Deadline* previous_ = this;
    Deadline* next_ = this;
    Tick due_ = 0;
    Tick visit_ = 0;  // when the wheel looks at it; never after due_
};

/// Deadlines in a row, which they leave when they are disarmed.
class Deadlines final : private Deadline {
public:
    bool empty() const noexcept { return !armed(); }

    void append(Deadline& deadline) noexcept {
        deadline.disarm();
        deadline.next_ = this;
        deadline.previous_ = previous_;
        previous_->next_ = &deadline;
        previous_ = &deadline;
    }

    /// Take all that are in another one.
    void take(Deadlines& other) noexcept {
        if (other.empty()) return;
        next_ = other.next_;
        previous_ = other.previous_;
        next_->previous_ = this;
        previous_->next_ = this;
        other.next_ = other.previous_ = &other;
    }

    Deadline& take_front() noexcept {
        Deadline& front = *next_;
        front.disarm();
        return front;
    }

    /// Its time has come. Lack of memory costs this one, and not those that follow.
    static void fire(Deadline& deadline) {
        try {
            deadline.on_deadline();
        } catch (const std::bad_alloc&) {
        }
    }
};

class DeadlineWheel {
public:
    Tick now() const noexcept { return now_; }

    /// Fire `deadline` at the given tick, in the next tick if that is past; replaces what it was armed for.
    void arm(Deadline& deadline, Tick due) noexcept {
        if (due <= now_) due = now_ + 1;
        deadline.due_ = due;
        if (deadline.armed() && deadline.visit_ <= due) return;
        deadline.disarm();
        link(deadline);
    }

    /// Move on to tick `now` and fire what is due.
    void advance(Tick now) {
        if (now > now_ + slot_count) now_ = now - slot_count;  // each slot once is enough
        while (now_ < now) {
            ++now_;
            Deadlines visited;
            visited.take(slots_[now_ % slot_count]);
            Undo rest([&] {  // if something leaves one of them
                while (!visited.empty()) {
                    Deadline& deadline = visited.take_front();
                    arm(deadline, deadline.due_);
                }
            });
            while (!visited.empty()) {
                Deadline& deadline = visited.take_front();
                if (deadline.due_ <= now_)
                    Deadlines::fire(deadline);
                else
                    link(deadline);
            }
        }
    }

private:
    static constexpr Tick slot_count = 512;

    void link(Deadline& deadline) noexcept {
        Tick furthest = now_ + slot_count - 1;
        deadline.visit_ = deadline.due_ < furthest ? deadline.due_ : furthest;
        slots_[deadline.visit_ % slot_count].append(deadline);
    }

    std::array<Deadlines, slot_count> slots_;
    Tick now_ = 0;
};

}  // namespace kvolt::detail

#endif
