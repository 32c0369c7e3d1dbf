#ifndef KVOLT_DETAIL_HUB_SHARDS_HPP
#define KVOLT_DETAIL_HUB_SHARDS_HPP

#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/shard.hpp>
#include <kvolt/detail/net/loop.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

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
        for (HubShard* shard = latest_.get(); shard; shard = shard->earlier())
            if (&shard->loop() == &loop) return *shard;
        auto made = std::make_unique<HubShard>(loop, history_, hooks_, owner_);
        made->earlier(std::move(latest_));
        latest_ = std::move(made);
        first_.store(latest_.get(), std::memory_order_release);
        size_.store(size() + 1, std::memory_order_release);
        return *latest_;
    }

    /// Call a function with each. Takes no lock and no memory.
    template <class Function>
    void for_each(Function function) const {
        for (HubShard* shard = first_.load(std::memory_order_acquire); shard; shard = shard->earlier())
            function(*shard);
    }

    std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }

private:
    const History history_;
    const HubHooks& hooks_;
    std::weak_ptr<HubCore> owner_;
    std::mutex mutex_;
    std::unique_ptr<HubShard> latest_;  // which has the others
    std::atomic<HubShard*> first_{nullptr};
    std::atomic<std::size_t> size_{0};
};

}  // namespace kvolt::detail

#endif
