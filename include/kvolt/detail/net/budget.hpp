#ifndef KVOLT_DETAIL_NET_BUDGET_HPP
#define KVOLT_DETAIL_NET_BUDGET_HPP

// How much may wait for all slow connections of an app together, or may be kept of all bodies. Past that, the one for
// which the most waits goes first, on whatever loop it lives.

#include <kvolt/detail/core/undo.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// A connection as its loop's share of the budget sees it.
class Burden {
public:
    /// Let go of what waits, and say so by BudgetShare::update(); of the rest when called again. May come from within
    /// any update.
    virtual void shed() = 0;

    /// What decides who goes first.
    virtual std::size_t weight(std::size_t bytes) const noexcept { return bytes; }

protected:
    virtual ~Burden() = default;

private:
    friend class BudgetShare;

    std::size_t bytes_ = 0;  // that wait
    std::size_t place_ = 0;  // in BudgetShare::burdens_
    bool kept_ = false;      // not there: it cannot let go
    bool shed_ = false;
};

class BudgetShare;

/// The sum over all loops.
class Budget {
public:
    explicit Budget(std::size_t limit) noexcept : limit_(limit) {}

    std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

private:
    friend class BudgetShare;

    // Even when those have let go who do so now.
    bool exceeded(std::size_t slack = 0) const noexcept {
        std::size_t relief = relief_.load(std::memory_order_acquire);
        return used() > limit_ + slack + relief;
    }

    // Too far to wait until another loop has the time to let go of something.
    bool far_exceeded() const noexcept { return exceeded(limit_ / 8); }

    // False if others do so already, and that will do.
    bool begin_relief(std::size_t bytes) noexcept {
        std::size_t others = relief_.fetch_add(bytes, std::memory_order_acq_rel);
        if (used() > limit_ + others) return true;
        end_relief(bytes);
        return false;
    }
    void end_relief(std::size_t bytes) noexcept { relief_.fetch_sub(bytes, std::memory_order_release); }

    BudgetShare& worst() const noexcept;

    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
    std::atomic<std::size_t> relief_{0};  // bytes that are being let go of
    std::vector<BudgetShare*> shares_;    // complete before the first update
};

/// What waits for the connections of one loop. Touched by its thread alone, but for what it says of itself.
class BudgetShare {
public:
    /// Count towards a budget from now on; before any thread runs.
    ///
    /// @param call  Makes the loop call relieve() soon; from any thread.
    void join(std::shared_ptr<Budget> budget, std::function<void()> call) {
        budget_ = std::move(budget);
        budget_->shares_.push_back(this);
        call_ = std::move(call);
    }

    /// So many bytes wait for this connection now.
    void update(Burden& burden, std::size_t bytes) {
        std::size_t before = burden.bytes_;
        if (bytes == before || !budget_) return;
        if (before == 0 && !burden.kept_) add(burden);
        if (bytes == 0 && !std::exchange(burden.kept_, false)) remove(burden);
        burden.bytes_ = bytes;
        budget_->used_.fetch_add(bytes - before, std::memory_order_relaxed);  // modulo 2^64: also where it is less
        if (bytes < before) return;
        std::size_t weight = burden.kept_ ? 0 : burden.weight(bytes);
        if (weight > heaviest()) heaviest_.store(weight, std::memory_order_relaxed);
        if (budget_->exceeded()) relieve();
    }

    /// From now until nothing waits for it, this one cannot let go: its bytes only count.
    void keep(Burden& burden) noexcept {
        if (budget_ && burden.bytes_ > 0 && !std::exchange(burden.kept_, true)) remove(burden);
    }

    /// While too much waits, shed the heaviest connection, or have its loop do that.
    void relieve() {
        called_.store(false, std::memory_order_relaxed);
        while (budget_->exceeded()) {
            BudgetShare& worst = budget_->worst();
            if (worst.heaviest() == 0) return;
            bool elsewhere = &worst != this;
            if (elsewhere && !budget_->far_exceeded()) return worst.call();
            auto heaviest = std::max_element(burdens_.begin(), burdens_.end(), lighter);
            std::size_t bytes = heaviest == burdens_.end() ? 0 : (*heaviest)->bytes_;
            std::size_t weight = bytes == 0 ? 0 : (*heaviest)->weight(bytes);
            bool known = heaviest_.exchange(weight, std::memory_order_relaxed) == weight;
            if (elsewhere && bytes == 0) return worst.call();
            if (!elsewhere && !known) continue;
            if (!budget_->begin_relief(bytes)) return;
            Undo over([&] { budget_->end_relief(bytes); });
            if (!std::exchange((*heaviest)->shed_, true)) ++shed_;
            (*heaviest)->shed();
        }
    }

    /// How many connections of this loop were made to let go so far.
    std::uint64_t shed() const noexcept { return shed_; }

    /// No connection of this loop weighs more. Any thread.
    std::size_t heaviest() const noexcept { return heaviest_.load(std::memory_order_relaxed); }

private:
    static bool lighter(const Burden* a, const Burden* b) noexcept {
        return a->weight(a->bytes_) < b->weight(b->bytes_);
    }

    void add(Burden& burden) {
        burden.place_ = burdens_.size();
        burdens_.push_back(&burden);
    }

    void remove(Burden& burden) noexcept {
        burdens_.back()->place_ = burden.place_;
        burdens_[burden.place_] = burdens_.back();
        burdens_.pop_back();
    }

    // Without memory for that, whoever waits for more next calls again.
    void call() {
        if (called_.exchange(true, std::memory_order_relaxed)) return;
        try {
            call_();
        } catch (const std::bad_alloc&) {
            called_.store(false, std::memory_order_relaxed);
        }
    }

    std::shared_ptr<Budget> budget_;
    std::vector<Burden*> burdens_;  // for which something waits
    std::uint64_t shed_ = 0;
    std::atomic<std::size_t> heaviest_{0};
    std::atomic<bool> called_{false};  // and it has not come yet
    std::function<void()> call_;
};

inline BudgetShare& Budget::worst() const noexcept {
    return **std::max_element(shares_.begin(), shares_.end(),
                              [](const BudgetShare* a, const BudgetShare* b) { return a->heaviest() < b->heaviest(); });
}

}  // namespace kvolt::detail

#endif
