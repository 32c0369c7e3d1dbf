#ifndef KVOLT_DETAIL_NET_LOOP_HPP
#define KVOLT_DETAIL_NET_LOOP_HPP

// One thread's event loop: its io_context, its connections, their deadlines, and the one buffer that everything
// which the loop sends in a turn goes through.

#include <kvolt/detail/core/date.hpp>
#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/core/prefetch.hpp>
#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/net/budget.hpp>
#include <kvolt/detail/net/link.hpp>
#include <kvolt/detail/net/loop_watcher.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/net/outbox.hpp>
#include <kvolt/detail/net/rest.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

class Loop {
public:
    using executor_type = boost::asio::io_context::executor_type;
    using Clock = std::chrono::steady_clock;

    static constexpr std::chrono::milliseconds tick_length{100};

    Loop();
    ~Loop();

    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    /// Run until stop().
    void run();

    /// Do something on this loop. Lack of memory costs what was under way, not the loop.
    ///
    /// @returns  false if it came to that.
    template <class Function>
    static bool attempt(Function&& function) {
        try {
            function();
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    }

    void stop() { io_.stop(); }

    /// After run(): nothing will run on this loop any more.
    void close() {
        mailbox_->close();
        cleared_ = true;
    }

    /// After close(): destroy everything that still waits on this loop, handlers and all, as if on its thread.
    void clear();

    bool cleared() const noexcept { return cleared_; }

    /// The loop whose thread this is; nullptr elsewhere.
    static Loop* current() noexcept { return current_; }

    /// Let a deadline come a little later in this turn, instead of when it was armed for. Never fails.
    void wake(Deadline& deadline) noexcept;

    /// Run `function` later, on this loop. From its thread; others use the mailbox.
    void post(Waiter<> function);

    /// How long one connection does what it has at hand while others wait, about.
    static constexpr auto turn = std::chrono::microseconds(200);

    /// Since this began. In tests that move the clock, no time goes by but theirs.
    Clock::duration running() const noexcept { return standing_ ? *standing_ : Clock::now() - started_; }

    /// A connection's turn. The clock is read only where it does more than one thing.
    class Turn {
    public:
        explicit Turn(const Loop& loop) noexcept : loop_(loop) {}

        /// Asked before each thing but the first.
        ///
        /// @param things  How many are done between two looks at the clock; more for what takes less.
        bool over(unsigned things = 1) {
            if (++asked_ % things != 0) return false;
            Clock::duration now = loop_.running();
            if (asked_ == things) begun_ = now;
            return now - begun_ >= turn;
        }

    private:
        const Loop& loop_;
        Clock::duration begun_{};
        unsigned asked_ = 0;
    };

    /// Go on in another turn. However many connections have much to do, they delay the others by one turn only: each
    /// comes behind all that has become ready since the last one.
    void go_on_later(Waiter<> function) {
        turns_.push_back(std::move(function));
        if (turns_.size() == 1) post_turn();
    }

    /// Something that comes to this loop from another thread, or takes turns there: end_turns() waits until it is gone.
    /// Move-only.
    class Work {
    public:
        explicit Work(Loop& loop) noexcept : loop_(&loop) { loop_->unfinished_.fetch_add(1); }
        Work(Work&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)) {}
        Work& operator=(Work&&) = delete;
        ~Work() {
            if (loop_) loop_->unfinished_.fetch_sub(1);
        }

    private:
        Loop* loop_;
    };

    /// Call `function` now and in turns to come, until it returns false. It does not throw.
    ///
    /// @param room  For the post of one such turn.
    template <class Function>
    void take_turns(Reserve<>& room, Function function);

    /// Call `then` when all Work is done that there is now, or after `limit`.
    void end_turns(std::chrono::milliseconds limit, Waiter<> then) {
        ending_.store(true);
        turns_end_.due = now() + ticks(limit);
        turns_end_.then = std::move(then);
        turns_end_.on_deadline();
    }

    /// True after end_turns(): begin nothing new. Any thread: whoever then finds it false while he has Work can be sure
    /// that it is waited for.
    bool ending() const noexcept { return ending_.load(); }

    boost::asio::io_context& io() noexcept { return io_; }
    executor_type executor() noexcept { return io_.get_executor(); }
    const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }

    /// The bytes that this turn sends. Append by way of begin_append().
    std::string& outgoing() noexcept { return outgoing_; }

    /// Where the next bytes will begin. May flush, so ranges must not be held across it.
    std::size_t begin_append() {
        if (outgoing_.size() > max_outgoing) flush();
        return outgoing_.size();
    }

    /// Room for what a connection reads within a function: one at rest needs little of its own.
    std::span<char> scratch() {
        if (!scratch_) scratch_ = std::make_unique_for_overwrite<char[]>(scratch_size);
        return {scratch_.get(), scratch_size};
    }

    /// Arm a deadline this far from now; it comes up to a tick later.
    void arm(Deadline& deadline, std::chrono::milliseconds delay) { arm_at(deadline, now() + ticks(delay)); }

    void arm_at(Deadline& deadline, Tick due) { wheel_.arm(deadline, due); }

    /// Ticks since the loop was made. By the clock: a handler may have kept the loop busy for long.
    Tick now() const noexcept { return static_cast<Tick>(running() / tick_length); }

    /// Enough ticks for this delay, also for one without end.
    static Tick ticks(std::chrono::milliseconds delay) noexcept {
        constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365);
        return static_cast<Tick>(std::clamp(delay, tick_length, longest) / tick_length) + 1;
    }

    /// The Date field of responses (RFC 9110, section 5.6.7): never behind what a handler has read from the clock.
    std::string_view date() {
        std::time_t now = std::time(nullptr);
        if (now != std::exchange(date_of_, now)) date_ = http_date(now);
        return date_;
    }

    /// Offer what every connection was sent in this turn to its socket.
    void flush() {
        flush_posted_ = false;
        // A flush may find a connection broken, but it never destroys one and never adds to the list.
        for (std::size_t i = 0; i < dirty_.size(); ++i) {
            if (i + 1 < dirty_.size()) prefetch(dirty_[i + 1], link_size);
            dirty_[i]->dirty_ = false;
            dirty_[i]->flush();
        }
        dirty_.clear();
        if (outgoing_.capacity() > 2 * max_outgoing)
            std::string().swap(outgoing_);
        else
            outgoing_.clear();
    }

    /// Let every connection finish what it has begun; after `limit`, cut_off(). The loop runs on until stop(), since
    /// the other loops' handlers may need it.
    ///
    /// @param drained  Called once, when the last connection is gone.
    void drain(std::chrono::milliseconds limit, Waiter<> drained) {
        if (draining_) return;
        draining_ = true;
        drained_ = std::move(drained);
        arm(drain_deadline_, limit);
        end_turns(limit, [this] {
            for (Link* link : links_) link->shut_down();  // which never destroys one at once
        });
        tell_drained();
    }

    /// Close every connection now, and stop when their handlers have had a moment to end.
    void cut_off() {
        draining_ = true;
        for (Link* link : links_) link->abort();  // which never destroys one at once
        drain_deadline_.cut_off = true;
        arm(drain_deadline_, tick_length);
    }

    bool draining() const noexcept { return draining_; }

    /// What there is on this loop. From its thread.
    struct Load {
        std::size_t connections = 0;
        std::size_t websockets = 0;    ///< How many of the connections are.
        std::size_t queued_bytes = 0;  ///< That have not been taken by the network.
        std::uint64_t shed = 0;        ///< Connections so far, for what waits for all.
    };
    Load load() const {
        Load load{connections_.load(std::memory_order_relaxed), websockets_, 0, share_.shed()};
        for (Link* link : links_) load.queued_bytes += link->outbox().pending() + link->outbox().backlog();
        return load;
    }

    /// Count what waits here, and the bodies that come in, towards budgets from now on; before the loop runs.
    void join(std::shared_ptr<Budget> backlogs, std::shared_ptr<Budget> bodies) {
        join(share_, std::move(backlogs));
        join(bodies_, std::move(bodies));
    }

    /// What the bodies of requests on their way in take of all their budget.
    BudgetShare& bodies() noexcept { return bodies_; }

    void add_websocket() noexcept { ++websockets_; }
    void remove_websocket() noexcept { --websockets_; }

    /// The number of connections, also those on their way here. Any thread.
    std::atomic<std::size_t>& connections() noexcept { return connections_; }

    // For those who bring it connections

    /// Tell this of each tick. Before run().
    void watcher(LoopWatcher& watcher) noexcept {
        watcher_ = &watcher;
        beat();
    }

    /// False if it has long been busy with one thing. Any thread.
    bool responsive(Clock::time_point now) const noexcept {
        return now.time_since_epoch().count() - last_beat_.load(std::memory_order_relaxed) <
               Clock::duration(late).count();
    }

    /// A connection of this loop has come to rest.
    void rest(Resting& connection, Rest kind, Tick since) noexcept {
        resting_.add(connection, kind, since);
        if (way_wanted_.load(std::memory_order_relaxed)) wake(rested_);
    }

    RestList& resting() noexcept { return resting_; }

    /// Whether the watcher is told of connections that come to rest. Any thread.
    void want_way(bool wanted) noexcept { way_wanted_.store(wanted, std::memory_order_relaxed); }

    // For tests, which run the io_context themselves

    /// Makes this thread the loop's own for a while.
    class OnThisThread {
    public:
        explicit OnThisThread(Loop& loop) : outer_(std::exchange(current_, &loop)) {}
        ~OnThisThread() { current_ = outer_; }

    private:
        Loop* outer_;  // of another app, one of whose handlers uses this one
    };

    /// From now on only move_clock() moves the clock.
    void stop_clock() noexcept { standing_ = Clock::now() - started_; }

    /// Move the stopped clock on, and let come what is due by then.
    void move_clock(Clock::duration by) {
        OnThisThread scope(*this);
        *standing_ += by;
        wheel_.advance(now());
    }

private:
    friend class Link;

    static constexpr std::size_t link_size = 256;  // bytes of a connection, or more than that, which a flush looks at
    static constexpr std::size_t many = 16;        // connections, where to send takes longer than to look again
    static constexpr std::size_t max_outgoing = 1024 * 1024;
    static constexpr std::size_t scratch_size = 16 * 1024;
    static constexpr auto late = 3 * tick_length;

    void join(BudgetShare& share, std::shared_ptr<Budget> budget) {
        share.join(std::move(budget), [this, &share] { mailbox_->post([&share] { share.relieve(); }); });
    }

    void mark(Link& link);
    void post_flush(bool last);
    void post_turn();

    // Looks after every turn whether there will be another one.
    struct TurnsEnd final : Deadline {
        explicit TurnsEnd(Loop& owner) : loop(owner) {}
        void on_deadline() override {
            if (loop.cleared_) return;
            if (loop.unfinished_ > 0 && loop.now() < due)
                loop.wake(*this);
            else
                then();
        }

        Loop& loop;
        Tick due = 0;
        Waiter<> then;
    };

    struct DrainDeadline final : Deadline {
        explicit DrainDeadline(Loop& owner) : loop(owner) {}
        void on_deadline() override { cut_off ? loop.stop() : loop.cut_off(); }

        Loop& loop;
        bool cut_off = false;
    };

    struct Drained final : Deadline {
        explicit Drained(Loop& owner) : loop(owner) {}
        void on_deadline() override {
            if (loop.drained_) loop.drained_();
        }

        Loop& loop;
    };

    struct Rested final : Deadline {
        explicit Rested(Loop& owner) : loop(owner) {}
        void on_deadline() override {
            if (!loop.cleared_) loop.watcher_->on_rest(loop);
        }

        Loop& loop;
    };

    void beat() noexcept { last_beat_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed); }

    void tell_drained() noexcept {
        if (drained_ && links_.empty()) wake(told_drained_);
    }

    void add(Link& link) {
        if (links_.size() == links_.capacity()) {
            std::size_t more = std::max<std::size_t>(16, 2 * links_.size());
            dirty_.reserve(more);  // as many as can be marked
            links_.reserve(more);
        }
        link.place_ = links_.size();
        links_.push_back(&link);
    }

    void remove(Link& link) {
        if (!cleared_) share_.update(link, 0);
        links_.back()->place_ = link.place_;
        links_[link.place_] = links_.back();
        links_.pop_back();
        tell_drained();
        if (link.dirty_) std::erase(dirty_, &link);
    }

    // Let come what wake() was called for until now.
    void fire();

    void advance();

    // One in the process, also where a program and a shared library have hidden copies of all else: Asio calls our
    // handlers in either.
    [[gnu::visibility("default")]] static inline thread_local Loop* current_ = nullptr;

    struct Ticker;  // by which time goes on

    struct Io : boost::asio::io_context {
        Io() : io_context(1) {}
        using io_context::shutdown;
    };

    DeadlineWheel wheel_;
    BudgetShare share_, bodies_;
    Deadlines due_now_;
    Drained told_drained_{*this};
    TurnsEnd turns_end_{*this};
    std::vector<Link*> links_;
    std::vector<Link*> dirty_;
    std::deque<Waiter<>> turns_;  // of connections that have more to do
    std::size_t websockets_ = 0;
    std::string outgoing_;
    std::unique_ptr<char[]> scratch_;
    bool flush_posted_ = false;
    bool firing_ = false;  // a little later
    bool draining_ = false;
    bool cleared_ = false;
    Waiter<> drained_;
    std::string date_;
    std::time_t date_of_ = -1;
    Clock::time_point started_ = Clock::now();
    std::optional<Clock::duration> standing_;  // how long ago that was, where tests move the clock
    std::atomic<bool> ending_{false};
    LoopWatcher* watcher_ = nullptr;
    RestList resting_{static_cast<Tick>(started_.time_since_epoch() / tick_length)};
    Rested rested_{*this};
    std::atomic<bool> way_wanted_{false};
    std::atomic<std::size_t> unfinished_{0};
    alignas(64) std::atomic<std::size_t> connections_{0};
    std::atomic<Clock::rep> last_beat_{0};
    Reserve<> flush_room_, fire_room_, turn_room_, ticker_room_;
    Io io_;  // destroyed before the above, which what waits on it may use
    std::shared_ptr<Mailbox> mailbox_;
    std::unique_ptr<Ticker> ticker_;
    DrainDeadline drain_deadline_;
};

inline Link::Link(Loop& loop) : loop_(loop) { loop_.add(*this); }

inline Link::~Link() { loop_.remove(*this); }

inline Outbox::Added Link::send(std::size_t begin, std::size_t end, Unit unit, const Terms& terms, std::size_t key) {
    // Try the peer before the limit is near: who sends on is told of backpressure before anything is dropped.
    if (outbox_.pending() > 0 && outbox_.pending() + (end - begin) > terms.limit.bytes / 2) flush();
    auto added = Outbox::Added::dropped;
    attempt([&] {
        added = outbox_.add(loop_.outgoing(), begin, end, unit, terms, key);
        if (added != Outbox::Added::queued) weigh();
    });
    if (added == Outbox::Added::queued && !dirty_) loop_.mark(*this);
    return added;
}

inline void Link::weigh() {
    if (!loop_.cleared_) loop_.share_.update(*this, outbox_.backlog());
}

inline void Loops::push_back(std::unique_ptr<Loop> loop) {
    std::lock_guard lock(mutex_);
    all_.push_back(std::move(loop));
}

inline void Loops::reserve(std::size_t count) {
    std::lock_guard lock(mutex_);
    all_.reserve(count);
}

inline void Loops::keep_first() {
    std::lock_guard lock(mutex_);
    all_.resize(1);
}

/// Once no loop runs any more: destroy what still waits on them.
inline void clear(Loops& loops) {
    for (auto& loop : loops) loop->close();
    // What is destroyed on one loop may post its unwinding to another one, down a chain of at most all of them.
    for (std::size_t pass = 0; pass <= loops.size(); ++pass)
        for (auto& loop : loops) loop->clear();
}

}  // namespace kvolt::detail

#ifndef KVOLT_COMPILED
#include <kvolt/src/loop.hpp>
#endif

#endif
