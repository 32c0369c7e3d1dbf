#ifndef KVOLT_DETAIL_NET_LOOPS_HPP
#define KVOLT_DETAIL_NET_LOOPS_HPP

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace kvolt::detail {

class Loop;

/// The loops of an app. The first one is there from the beginning, the others when the server starts.
///
/// @note Thread safety: while loops are added or destroyed, other threads may use the first one and ask has().
class Loops {
public:
    std::size_t size() const noexcept { return all_.size(); }
    const std::unique_ptr<Loop>& front() const { return all_.front(); }
    const std::unique_ptr<Loop>& at(std::size_t index) const { return all_.at(index); }
    auto begin() const noexcept { return all_.begin(); }
    auto end() const noexcept { return all_.end(); }

    /// Whether this is one of them.
    bool has(const Loop& loop) const {
        std::lock_guard lock(mutex_);
        return std::any_of(begin(), end(), [&](const auto& own) { return own.get() == &loop; });
    }

    // Defined where a Loop is.

    inline void push_back(std::unique_ptr<Loop> loop);

    /// Have room for so many, so that none of them moves when one is added.
    inline void reserve(std::size_t count);

    /// Destroy all but the first one.
    inline void keep_first();

private:
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Loop>> all_;
};

}  // namespace kvolt::detail

#endif
