#ifndef KVOLT_DETAIL_WAIT_POINT_HPP
#define KVOLT_DETAIL_WAIT_POINT_HPP

#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/waiter.hpp>
#include <kvolt/handler.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace kvolt::detail {

/// Where one coroutine at a time waits for something that happens to a connection. It belongs to the connection's loop.
///
/// @tparam Loop_  Makes it a template, so that only files which need it compile it.
template <class Loop_ = Loop>
class WaitPoint {
public:
    using Error = boost::system::error_code;

    bool waiting() const noexcept { return static_cast<bool>(waiter_); }

    /// Suspend until woken; throws if that was with an error, or if the wait is cancelled.
    ///
    /// @param owner  What this is a part of.
    Task<> wait(Loop_& loop, std::weak_ptr<void> owner) {
        auto initiate = [](auto handler, WaitPoint* self, Loop_* on, std::weak_ptr<void> weak) {
            auto cancellation = boost::asio::get_associated_cancellation_slot(handler);
            self->waiter_ = Waiter<Error>(std::move(handler));
            std::uint64_t number = ++self->waits_;
            if (!cancellation.is_connected()) return;
            cancellation.assign([self, on, weak = std::move(weak), number](boost::asio::cancellation_type) {
                auto alive = weak.lock();
                if (alive && self->waits_ == number) self->wake_later(*on, boost::asio::error::operation_aborted);
            });
        };
        return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(Error)>(
            initiate, boost::asio::use_awaitable, this, &loop, std::move(owner));
    }

    /// Let the coroutine run on within this call.
    void wake_now(Error error = {}) {
        if (waiter_) waiter_(error);
    }

    /// Let the coroutine run on a little later.
    void wake_later(Loop_& loop, Error error = {}) {
        if (!waiter_) return;
        Waiter<Error> taken = std::move(waiter_);
        if (loop.cleared()) return;  // nothing will run any more: the waiting coroutine is destroyed here
        loop.post([taken = std::move(taken), error]() mutable { taken(error); });
    }

private:
    Waiter<Error> waiter_;
    std::uint64_t waits_ = 0;
};

}  // namespace kvolt::detail

#endif
