#ifndef KVOLT_DETAIL_NET_WAIT_POINT_HPP
#define KVOLT_DETAIL_NET_WAIT_POINT_HPP

#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/net/loop.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace kvolt::detail {

/// Where one coroutine at a time waits for something that happens to a connection. It belongs to the connection's loop.
///
/// @tparam Loop_  Makes it a template, so that only files which need it compile it.
template <class Loop_ = Loop>
class WaitPoint final : private Deadline {
public:
    using Error = boost::system::error_code;

    bool waiting() const noexcept { return waiter_ && !armed(); }

    /// Suspend until woken; throws if that was with an error, or if the wait is cancelled. To be awaited at once.
    ///
    /// @param owner  What this is a part of.
    auto wait(Loop_& loop, std::weak_ptr<void> owner) {
        auto initiate = [](auto handler, WaitPoint* self, Loop_* on, std::weak_ptr<void> weak) {
            static_assert(Waiter<Error>::template fits<decltype(handler)>);
            auto cancellation = boost::asio::get_associated_cancellation_slot(handler);
            self->make_way();
            self->waiter_ = Waiter<Error>(std::move(handler));
            std::uint32_t number = ++self->waits_;
            if (!cancellation.is_connected()) return;
            cancellation.assign([self, on, weak = std::move(weak), number](boost::asio::cancellation_type) {
                auto alive = weak.lock();
                if (alive && self->waits_ == number) self->wake_later(*on, true);
            });
        };
        // An awaitable would take a coroutine frame of its own.
        return boost::asio::async_initiate<const boost::asio::deferred_t&, void(Error)>(initiate, boost::asio::deferred,
                                                                                        this, &loop, std::move(owner));
    }

    /// Suspend until woken, whatever is cancelled. Allocates nothing.
    auto wait() {
        auto initiate = [](auto handler, WaitPoint* self) {
            static_assert(Waiter<Error>::template fits<decltype(handler)>);
            self->make_way();
            self->waiter_ = Waiter<Error>(std::move(handler));
            ++self->waits_;
        };
        return boost::asio::async_initiate<const boost::asio::deferred_t&, void(Error)>(initiate, boost::asio::deferred,
                                                                                        this);
    }

    /// Let the coroutine run on within this call.
    void wake_now(Error error = {}) {
        if (waiting()) waiter_(error);
    }

    /// Let the coroutine run on a little later. Never fails.
    void wake_later(Loop_& loop, bool cancelled = false) {
        if (!waiting()) return;
        loop_ = &loop;
        cancelled_ = cancelled;
        loop.cleared() ? on_deadline() : loop.wake(*this);
    }

private:
    void on_deadline() override {
        Waiter<Error> taken = std::move(waiter_);
        if (!loop_->cleared()) taken(error());  // else the waiting coroutine is destroyed here
    }

    // For another coroutine, while one that was woken has still to run.
    void make_way() {
        if (!armed()) return;
        disarm();
        loop_->post([taken = std::move(waiter_), error = error()]() mutable { taken(error); });
    }

    Error error() const { return cancelled_ ? Error(boost::asio::error::operation_aborted) : Error(); }

    Waiter<Error> waiter_;
    Loop_* loop_ = nullptr;
    std::uint32_t waits_ = 0;
    bool cancelled_ = false;
};

}  // namespace kvolt::detail

#endif
