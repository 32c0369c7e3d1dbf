#ifndef KVOLT_SRC_LOOP_HPP
#define KVOLT_SRC_LOOP_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/net/timer.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace kvolt::detail {

struct Loop::Ticker {
    explicit Ticker(boost::asio::io_context& io) : timer(io) {}

    Timer timer;
};

KVOLT_INLINE Loop::Loop()
    : mailbox_(std::make_shared<Mailbox>(io_)), ticker_(std::make_unique<Ticker>(io_)), drain_deadline_(*this) {}

KVOLT_INLINE Loop::~Loop() {
    close();
    clear();
}

KVOLT_INLINE void Loop::run() {
    OnThisThread scope(*this);
    advance();
    while (!attempt([this] { io_.run(); })) {
    }
}

KVOLT_INLINE void Loop::clear() {
    OnThisThread scope(*this);
    io_.shutdown();
    while (!turns_.empty()) {  // to move a deque out would take memory
        Waiter<> gone = std::move(turns_.front());
        turns_.pop_front();
    }
    fire();
    // What is left keeps itself alive: a handler that waits for its own connection.
    for (std::size_t i = links_.size(); i-- > 0;)
        if (i < links_.size()) links_[i]->abandon();
}

KVOLT_INLINE void Loop::wake(Deadline& deadline) noexcept {
    due_now_.append(deadline);
    if (!cleared_ && !std::exchange(firing_, true)) boost::asio::post(io_, fire_room_.bind([this] { fire(); }));
}

KVOLT_INLINE void Loop::post(Waiter<> function) { boost::asio::post(io_, std::move(function)); }

template <class Function>
void Loop::take_turns(Reserve<>& room, Function function) {
    if (!function()) return;
    boost::asio::post(io_, room.bind([this, &room, function = std::move(function)]() mutable {
        take_turns(room, std::move(function));
    }));
}

KVOLT_INLINE void Loop::mark(Link& link) {
    link.dirty_ = true;
    dirty_.push_back(&link);
    if (!std::exchange(flush_posted_, true)) post_flush(false);
}

// Before this comes up, Asio looks for what is ready once more, and puts that behind it. Where much is to be sent, that
// goes first: messages to the same connections then leave together.
KVOLT_INLINE void Loop::post_flush(bool last) {
    boost::asio::post(io_,
                      flush_room_.bind([this, last] { last || dirty_.size() < many ? flush() : post_flush(true); }));
}

KVOLT_INLINE void Loop::post_turn() {
    boost::asio::post(io_, turn_room_.bind([this] {
        Waiter<> next = std::move(turns_.front());
        turns_.pop_front();
        if (!turns_.empty()) post_turn();
        next();
    }));
}

KVOLT_INLINE void Loop::fire() {
    firing_ = false;
    Deadlines woken;
    woken.take(due_now_);
    Undo rest([&] {  // if something leaves one of them
        while (!woken.empty()) wake(woken.take_front());
    });
    while (!woken.empty()) Deadlines::fire(woken.take_front());
}

KVOLT_INLINE void Loop::advance() {
    beat();
    resting_.publish();
    if (watcher_ != nullptr) watcher_->on_tick(*this);
    wheel_.advance(now());
    ticker_->timer.expires_after(tick_length);
    ticker_->timer.async_wait(ticker_room_.bind([this](boost::system::error_code error) {
        if (!error) advance();
    }));
}

}  // namespace kvolt::detail

#endif
