#ifndef KVOLT_DETAIL_PERFORM_HPP
#define KVOLT_DETAIL_PERFORM_HPP

#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/wait_point.hpp>
#include <kvolt/handler.hpp>

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

/// Begin an operation of Asio and wait for it, as by `use_awaitable`. That destroys a coroutine when there is no memory
/// for the operation; this throws.
///
///     auto [error, size] = co_await perform(loop, [&](auto done) { socket.async_read_some(to, std::move(done)); });
///
/// @pre  What it works on is destroyed if this throws.
/// @throws std::bad_alloc
template <class Loop_, class Begin>
Task<Outcome> perform(Loop_& loop, Begin begin) {
    struct State {
        WaitPoint<Loop_> waiter;
        Outcome outcome;
        bool ended = false;
        bool dropped = false;
    };
    class Done {
    public:
        Done(Loop_& on, std::shared_ptr<State> state) noexcept : loop_(&on), state_(std::move(state)) {}
        Done(Done&&) noexcept = default;
        ~Done() {
            if (!state_) return;
            state_->dropped = true;
            state_->waiter.wake_later(*loop_);
        }

        void operator()(boost::system::error_code error, std::size_t size = 0) {
            auto state = std::move(state_);
            state->outcome = {error, size};
            state->ended = true;
            state->waiter.wake_now();
        }

    private:
        Loop_* loop_;
        std::shared_ptr<State> state_;
    };

    auto state = std::make_shared<State>();
    begin(Done(loop, state));
    if (!state->ended && !state->dropped) co_await state->waiter.wait(loop, state);
    if (state->dropped) throw std::bad_alloc();
    co_return state->outcome;
}

}  // namespace kvolt::detail

#endif
