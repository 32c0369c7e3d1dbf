#ifndef KVOLT_TESTS_BENCH_LOAD_HISTOGRAM_HPP
#define KVOLT_TESTS_BENCH_LOAD_HISTOGRAM_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace bench {

/// How often each duration was seen, to within a 64th of it.
class Histogram {
public:
    void add(std::uint64_t value) noexcept {
        ++counts_[index(value)];
        ++size_;
        max_ = std::max(max_, value);
    }

    void add(const Histogram& other) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        size_ += other.size_;
        max_ = std::max(max_, other.max_);
    }

    std::uint64_t max() const noexcept { return max_; }

    /// The least value that this share of all does not exceed.
    std::uint64_t quantile(double share) const noexcept {
        auto left = static_cast<std::uint64_t>(share * static_cast<double>(size_));
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            if (left < counts_[i]) return std::min(max_, value(i));
            left -= counts_[i];
        }
        return max_;
    }

private:
    static std::size_t index(std::uint64_t value) noexcept {
        if (value < 128) return static_cast<std::size_t>(value);
        auto shift = static_cast<std::size_t>(std::bit_width(value)) - 7;
        return 64 * shift + static_cast<std::size_t>(value >> shift);
    }

    static std::uint64_t value(std::size_t index) noexcept {
        if (index < 128) return index;
        std::size_t shift = index / 64 - 1;
        return static_cast<std::uint64_t>(index - 64 * shift) << shift;
    }

    std::array<std::uint64_t, 64 * 59> counts_{};
    std::uint64_t size_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace bench

#endif
