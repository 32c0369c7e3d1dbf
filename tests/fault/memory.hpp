#ifndef KVOLT_TESTS_FAULT_MEMORY_HPP
#define KVOLT_TESTS_FAULT_MEMORY_HPP

// Memory that runs out when a test says so: this program's operator new, and what Asio uses instead.

#include <cstddef>
#include <cstdint>
#include <utility>

namespace test {

/// Which of this thread's allocations fail, of those that are made while it is armed().
class Memory {
public:
    static constexpr std::uint64_t never = static_cast<std::uint64_t>(-1);

    /// From now on the n-th one fails, and if it is `lasting`, all that follow but Asio's own: it ends the process when
    /// it cannot get the few bytes by which it unwinds a coroutine.
    static void fail(std::uint64_t n, bool lasting) noexcept {
        made_ = 0;
        fails_ = n;
        lasting_ = lasting;
    }

    /// True once one has failed.
    static bool failed() noexcept { return made_ >= fails_; }

    static bool fails_now(bool of_asio = false) noexcept {
        if (!armed_) return false;
        ++made_;
        return made_ == fails_ || (lasting_ && !of_asio && made_ > fails_);
    }

    static void arm(bool on) noexcept { armed_ = on; }

    /// Arms for as long as it lives, or disarms.
    class Armed {
    public:
        explicit Armed(bool on = true) noexcept : before_(std::exchange(armed_, on)) {}
        ~Armed() { armed_ = before_; }

        Armed(const Armed&) = delete;
        Armed& operator=(const Armed&) = delete;

    private:
        const bool before_;
    };

private:
    static inline thread_local bool armed_ = false, lasting_ = false;
    static inline thread_local std::uint64_t made_ = 0, fails_ = never;
};

}  // namespace test

#endif
