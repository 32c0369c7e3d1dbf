#ifndef KVOLT_DETAIL_HUB_SHARDS_HPP
#define KVOLT_DETAIL_HUB_SHARDS_HPP

#include <kvolt/detail/hub_core.hpp>
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
    HubShards(const History& history, const HubHooks& hooks) : history_(history), hooks_(hooks) {}

    /// What this and the hooks are parts of; set once, before anything else.
    void owner(std::weak_ptr<HubCore> owner) { owner_ = std::move(owner); }

    /// The shard of a loop, which is made when it is first needed.
    HubShard& of(Loop& loop) {
        std::lock_guard lock(mutex_);
        for (const auto& shard : shards_)
            if (&shard->loop() == &loop) return *shard;
        shards_.push_back(std::make_unique<HubShard>(loop, history_, hooks_, owner_));
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
    const History history_;
    const HubHooks& hooks_;
    std::weak_ptr<HubCore> owner_;
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<HubShard>> shards_;
    std::atomic<std::size_t> size_{0};
};

}  // namespace kvolt::detail

#endif
