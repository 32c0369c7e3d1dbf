#ifndef KVOLT_DETAIL_HUB_SHARDS_HPP
#define KVOLT_DETAIL_HUB_SHARDS_HPP

#include <kvolt/detail/hub_shard.hpp>
#include <kvolt/detail/loop.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace kvolt::detail {

/// A hub's members on all loops: a shard for each on which somebody has joined. They live as long as this. Any thread.
class HubShards {
public:
    /// The shard of a loop.
    ///
    /// @param make  `std::unique_ptr<HubShard>()`, called if there is none yet.
    template <class Make>
    HubShard& of(const Loop& loop, Make make) {
        std::lock_guard lock(mutex_);
        for (const auto& shard : shards_)
            if (&shard->loop() == &loop) return *shard;
        shards_.push_back(make());
        size_.store(shards_.size(), std::memory_order_release);
        return *shards_.back();
    }

    std::vector<HubShard*> all() const {
        std::lock_guard lock(mutex_);
        std::vector<HubShard*> result;
        for (const auto& shard : shards_) result.push_back(shard.get());
        return result;
    }

    std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }

private:
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<HubShard>> shards_;
    std::atomic<std::size_t> size_{0};
};

}  // namespace kvolt::detail

#endif
