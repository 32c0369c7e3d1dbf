#ifndef KVOLT_DETAIL_HUB_DEPARTURES_HPP
#define KVOLT_DETAIL_HUB_DEPARTURES_HPP

#include <kvolt/detail/hub_member.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace kvolt::detail {

/// Members who have left when there was no memory to tell of it. Any thread; neither fails.
class HubDepartures {
public:
    void add(std::shared_ptr<HubMember> member) noexcept {
        std::lock_guard lock(mutex_);
        member->next = std::move(first_);
        first_ = std::move(member);
        any_.store(true, std::memory_order_release);
    }

    /// Call `tell(std::shared_ptr<HubMember>)` for each of them, once.
    template <class Tell>
    void take(Tell tell) {
        if (!any_.exchange(false, std::memory_order_acquire)) return;
        std::unique_lock lock(mutex_);
        auto member = std::exchange(first_, nullptr);
        lock.unlock();
        while (member) {
            auto next = std::move(member->next);
            tell(std::move(member));
            member = std::move(next);
        }
    }

private:
    std::mutex mutex_;
    std::shared_ptr<HubMember> first_;
    std::atomic<bool> any_{false};
};

}  // namespace kvolt::detail

#endif
