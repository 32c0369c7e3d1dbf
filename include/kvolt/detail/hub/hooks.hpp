#ifndef KVOLT_DETAIL_HUB_HOOKS_HPP
#define KVOLT_DETAIL_HUB_HOOKS_HPP

#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/http/error_answer.hpp>

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

namespace kvolt::detail {

class Peer;

/// What a hub calls of its user's. They are set before anybody joins.
class HubHooks {
public:
    /// With a seat, what is known of its member, and a room. On the loop that gives the order.
    std::function<void(SeatId, const void*, std::string_view)> joined, left;

    /// With a seat and what is known of its member. On the member's loop.
    std::function<void(SeatId, const void*)> behind, caught_up;

    std::function<void(std::string_view)> log;

    /// Call a hook about a member, if there is one; what it throws is logged.
    ///
    /// @param peer   The member's connection.
    /// @param value  What is known of it: kept for the call, which may change that.
    template <class Hook, class... Arguments>
    void call(const Hook& hook, const std::shared_ptr<Peer>& peer, SeatId seat, std::shared_ptr<const void> value,
              Arguments... arguments) const {
        if (!hook || off_.load(std::memory_order_acquire)) return;
        Call call(this, peer);
        guard([&] { hook(seat, value.get(), arguments...); });
    }

    /// The connection of whom the hook tells that runs on this thread, if one of this hub's does.
    std::shared_ptr<Peer> told_of() const noexcept {
        for (const Call* call = running_; call; call = call->outer)
            if (call->hooks == this) return call->peer;
        return nullptr;
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

    /// Do a part of the hub's own work. Whoever is to answer for it when that fails does so; here it is logged.
    template <class Function>
    void attempt(Function function) const noexcept {
        try {
            try {
                function();
            } catch (const std::bad_alloc&) {
                log("kvolt: a hub lacks memory, and closes the connections that would miss something");
            }
        } catch (...) {
            guard([] { throw; });
        }
    }

    /// Whether a predicate holds; not if it throws.
    bool holds(const std::function<bool(const void*)>& where, const void* value) const noexcept {
        bool result = false;
        bool outer = std::exchange(choosing_, true);
        guard([&] { result = where(value); });
        choosing_ = outer;
        return result;
    }

    /// Whether a predicate runs on this thread: who is in a room must not change meanwhile.
    static bool choosing() noexcept { return choosing_; }

    /// Call none any more. Any thread.
    void off() noexcept { off_.store(true, std::memory_order_release); }

private:
    struct Call {
        Call(const HubHooks* whose, const std::shared_ptr<Peer>& about) noexcept
            : hooks(whose), peer(about), outer(std::exchange(running_, this)) {}
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        ~Call() { running_ = outer; }

        const HubHooks* const hooks;
        const std::shared_ptr<Peer>& peer;
        const Call* const outer;  // within which this one came, by way of another hub
    };

    static inline thread_local const Call* running_ = nullptr;
    static inline thread_local bool choosing_ = false;

    std::atomic<bool> off_{false};
};

}  // namespace kvolt::detail

#endif
