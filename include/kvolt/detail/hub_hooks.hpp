#ifndef KVOLT_DETAIL_HUB_HOOKS_HPP
#define KVOLT_DETAIL_HUB_HOOKS_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/error_answer.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <string_view>

namespace kvolt::detail {

/// What a hub calls of its user's. They are set before anybody joins.
class HubHooks {
public:
    /// With a seat, what is known of its member, and a room. On the loop that gives the order.
    std::function<void(SeatId, const void*, std::string_view)> joined, left;

    /// With a seat and what is known of its member. On the member's loop.
    std::function<void(SeatId, const void*)> behind, caught_up;

    std::function<void(std::string_view)> log;

    /// Call a hook, if there is one; what it throws is logged.
    template <class Hook, class... Arguments>
    void call(const Hook& hook, Arguments... arguments) const {
        if (hook && !off_.load(std::memory_order_acquire)) guard([&] { hook(arguments...); });
    }

    /// Do what nobody waits for: what it throws is logged.
    template <class Function>
    void guard(Function function) const noexcept {
        try {
            try {
                function();
            } catch (...) {
                log("kvolt: an exception left what a hub has called: " + describe(std::current_exception()));
            }
        } catch (...) {  // from the logger
        }
    }

    /// Whether a predicate holds; not if it throws.
    bool holds(const std::function<bool(const void*)>& where, const void* value) const noexcept {
        bool result = false;
        guard([&] { result = where(value); });
        return result;
    }

    /// Call none any more. Any thread.
    void off() noexcept { off_.store(true, std::memory_order_release); }

private:
    std::atomic<bool> off_{false};
};

}  // namespace kvolt::detail

#endif
