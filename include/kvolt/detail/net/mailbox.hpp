#ifndef KVOLT_DETAIL_NET_MAILBOX_HPP
#define KVOLT_DETAIL_NET_MAILBOX_HPP

#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/waiter.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <mutex>
#include <utility>

namespace kvolt::detail {

/// The way into a loop from other threads, which may hold on to it for longer than the loop lives.
class Mailbox {
public:
    explicit Mailbox(boost::asio::io_context& io) noexcept : io_(&io) {}

    /// Run `function` on the loop.
    ///
    /// @returns  false if the loop is gone; `function` is never called then.
    bool post(Waiter<> function) {
        std::lock_guard lock(mutex_);
        if (io_ == nullptr) return false;
        boost::asio::post(*io_, std::move(function));
        return true;
    }

    /// The same in memory that was reserved for it.
    template <class Function>
    bool post(Reserve<>& room, Function function) {
        static_assert(Waiter<>::fits<Function>);
        std::lock_guard lock(mutex_);
        if (io_ == nullptr) return false;
        boost::asio::post(*io_, room.bind(Waiter<>(std::move(function))));
        return true;
    }

    /// The loop is about to go.
    void close() {
        std::lock_guard lock(mutex_);
        io_ = nullptr;
        closed_.store(true, std::memory_order_release);
    }

    /// True once nothing can be posted any more.
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }

private:
    std::mutex mutex_;
    boost::asio::io_context* io_;
    std::atomic<bool> closed_{false};
};

}  // namespace kvolt::detail

#endif
