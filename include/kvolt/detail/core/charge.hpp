#ifndef KVOLT_DETAIL_CORE_CHARGE_HPP
#define KVOLT_DETAIL_CORE_CHARGE_HPP

#include <atomic>
#include <cstddef>
#include <utility>

namespace kvolt::detail {

/// What counts towards a sum for as long as this lives: bytes that are under way between threads, or one handler.
/// Move-only.
class Charge {
public:
    Charge() noexcept = default;

    Charge(std::atomic<std::size_t>& sum, std::size_t bytes) noexcept : sum_(&sum), bytes_(bytes) {
        sum_->fetch_add(bytes_, std::memory_order_relaxed);
    }

    Charge(Charge&& other) noexcept : sum_(std::exchange(other.sum_, nullptr)), bytes_(other.bytes_) {}

    Charge& operator=(Charge&& other) noexcept {
        std::swap(sum_, other.sum_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }

    explicit operator bool() const noexcept { return sum_ != nullptr; }

    ~Charge() {
        if (sum_) sum_->fetch_sub(bytes_, std::memory_order_relaxed);
    }

private:
    std::atomic<std::size_t>* sum_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace kvolt::detail

#endif
