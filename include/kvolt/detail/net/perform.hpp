#ifndef KVOLT_DETAIL_NET_PERFORM_HPP
#define KVOLT_DETAIL_NET_PERFORM_HPP

#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/wait_point.hpp>
#include <kvolt/handler.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace kvolt::detail {

/// What an operation of Asio ends with.
struct Outcome {
    boost::system::error_code error;
    std::size_t size = 0;  ///< Of what was read.
};

template <class Loop_>
struct Performance {
    WaitPoint<Loop_> waiter;
    Outcome outcome;
    bool ended = false;
    bool dropped = false;  // by Asio, for lack of memory
};

/// What perform() lets an operation complete with.
template <class Loop_>
class Performed {
public:
    using cancellation_slot_type = boost::asio::cancellation_slot;

    Performed(Loop_& loop, std::shared_ptr<Performance<Loop_>> of, cancellation_slot_type slot) noexcept
        : loop_(&loop), performance_(std::move(of)), slot_(slot) {}
    Performed(Performed&&) noexcept = default;
    ~Performed() {
        if (!performance_) return;
        performance_->dropped = true;
        performance_->waiter.wake_later(*loop_);
    }

    cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }

    void operator()(boost::system::error_code error, std::size_t size = 0) {
        auto performance = std::move(performance_);
        performance->outcome = {error, size};
        performance->ended = true;
        performance->waiter.wake_now();
    }

private:
    Loop_* loop_;
    std::shared_ptr<Performance<Loop_>> performance_;
    cancellation_slot_type slot_;
};

/// Begin an operation of Asio and wait for its end, as by `use_awaitable`. That destroys a coroutine when there is no
/// memory for the operation; this throws.
///
///     auto [error, size] = co_await perform(loop, [&](auto done) { socket.async_read_some(to, std::move(done)); });
///
/// Cancelling cancels the operation, for whose end it still waits.
///
/// @throws std::bad_alloc  when the operation has ended, or not begun.
template <class Loop_, class Begin>
Task<Outcome> perform(Loop_& loop, Begin begin) {
    auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    auto performance = std::make_shared<Performance<Loop_>>();
    begin(Performed<Loop_>(loop, performance, cancellation.slot()));
    if (!performance->ended && !performance->dropped) co_await performance->waiter.wait();
    if (performance->dropped) throw std::bad_alloc();
    co_return performance->outcome;
}

}  // namespace kvolt::detail

#endif
