#ifndef KVOLT_SRC_SERVER_HPP
#define KVOLT_SRC_SERVER_HPP

#include <kvolt/app.hpp>
#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/undo.hpp>
#include <kvolt/detail/http/error_answer.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/net/platform.hpp>
#include <kvolt/detail/net/serving.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/at_exit.hpp>
#include <kvolt/detail/server/handle.hpp>
#include <kvolt/detail/server/lifecycle.hpp>
#include <kvolt/detail/server/listener.hpp>
#include <kvolt/detail/server/listener_handle.hpp>
#include <kvolt/detail/server/reception.hpp>
#include <kvolt/detail/server/stop_signals.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/server.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace kvolt {

namespace detail {

/// The threads that serve an app, from launch() to the end. They keep it alive, also when the app is gone.
template <class Tag>
class Server final : public ServerHandle, public AtExit::Ending, public std::enable_shared_from_this<Server<Tag>> {
public:
    Server(std::shared_ptr<AppCore> app, Listeners listeners)
        : app_(std::move(app)), loops_(app_->loops), listeners_(std::move(listeners)) {}

    ~Server() override { join_threads(); }

    enum class Threads {
        all,        ///< A thread for every loop.
        but_first,  ///< The first loop is served by run().
    };

    /// Begin to serve. If something is missing for that, such as threads or descriptors, all is as it was before.
    void launch(Threads own) {
        platform::raise_descriptor_limit();
        std::size_t first = own == Threads::all ? 0 : 1;
        Undo undo([&] { withdraw(); });
        while (loops_->size() < app_->threads) loops_->push_back(std::make_unique<Loop>());
        while (runners_.size() < loops_->size()) runners_.emplace_back();
        if (own == Threads::but_first) await_signal(signals_.emplace(loops_->front()->io()), false);
        for (std::size_t i = first; i < loops_->size(); ++i)
            runners_[i].thread = std::thread([self = this->shared_from_this(), i] { self->work(i); });
        reception_.emplace(app_, listeners_);
        entry_.enter(this->weak_from_this());
        app_->freeze();
        undo.done();
        if (first == 0 && platform::is_main_thread()) AtExit::watch_this_thread();
        reception_->open();
        for (Runner& runner : runners_) runner.inside = true;
        tell(Start::now);
    }

    /// Serve on this thread, too, until stopped or a signal comes.
    void run(std::function<void(std::string_view)> ready) {
        std::exception_ptr failure;
        try {
            if (ready)  // on the loop, where it may stop the app like a handler
                boost::asio::post(loops_->front()->io(), [ready = std::move(ready), listeners = listeners_] {
                    for (const auto& listener : listeners) ready(listener->url());
                });
            enter(0);
            Serving here;
            loops_->front()->run();
        } catch (...) {  // from ready(), or from what the user has posted to App::executor()
            failure = std::current_exception();
            for (auto& loop : *loops_) loop->stop();
            reception_->close();
        }
        signals_.reset();
        leave(0);
        wait();
        if (failure) std::rethrow_exception(failure);
    }

    void stop() noexcept override {
        Loop::attempt([&] {  // else one call waits already
            loops_->front()->mailbox()->post(stop_room_, [this] { begin_to_stop(); });
        });
    }

    bool wait() override {
        std::unique_lock lock(mutex_);
        if (!Serving::here()) changed_.wait(lock, [this] { return ended_; });
        bool ended = ended_;
        lock.unlock();
        if (ended) join_threads();
        return ended;
    }

private:
    using Error = boost::system::error_code;

    enum class Start { not_yet, now, never };

    // Who runs one of the loops.
    struct Runner {
        std::thread thread;  // none for the thread that calls run()
        std::thread::id id;
        bool inside = false;  // it serves, or is about to
        Reserve<> room;       // for what it is told at the end
    };

    // Threads

    void tell(Start start) {
        std::lock_guard lock(mutex_);
        start_ = start;
        changed_.notify_all();
    }

    void work(std::size_t i) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return start_ != Start::not_yet; });
            if (start_ == Start::never) return;
        }
        enter(i);
        Serving here;
        for (bool ended = false; !ended;) try {
                loops_->at(i)->run();
                ended = true;
            } catch (...) {  // from what the user has posted to the loop
                app_->log("kvolt: an exception left a function on a loop", describe(std::current_exception()));
            }
        leave(i);
    }

    void enter(std::size_t i) {
        AtExit::watch_this_thread();
        std::lock_guard lock(mutex_);
        runners_[i].id = std::this_thread::get_id();
    }

    // Who leaves last destroys what is left on the loops.
    void leave(std::size_t i) {
        std::unique_lock lock(mutex_);
        runners_[i].inside = false;
        if (std::none_of(runners_.begin(), runners_.end(), [](const Runner& runner) { return runner.inside; })) {
            lock.unlock();
            {
                Serving here;
                clear(*loops_);
                reception_.reset();  // and who has not got to a loop
            }
            lock.lock();
            ended_ = true;
        }
        changed_.notify_all();
    }

    void withdraw() {
        tell(Start::never);
        join_threads();
        signals_.reset();
        reception_.reset();
        loops_->keep_first();  // on which nothing but what the user has posted waits
    }

    // Those that have left, or have never begun.
    void join_threads() {
        std::vector<std::thread> threads;
        {
            std::lock_guard lock(mutex_);
            for (Runner& runner : runners_)
                if (runner.thread.joinable() && !runner.inside) threads.push_back(std::move(runner.thread));
        }
        for (std::thread& thread : threads)
            thread.get_id() == std::this_thread::get_id() ? thread.detach() : thread.join();
    }

    // Stopping

    void begin_to_stop() {
        reception_->close();
        if (std::exchange(stopping_, true)) return;
        undrained_ = loops_->size();
        // Hubs give their orders on the first loop: what they have taken on, the others get before their end.
        auto limit = app_->limits.drain_timeout;
        loops_->front()->end_turns(limit, [this, limit, begin = Loop::Clock::now()] {
            drain(limit - std::chrono::duration_cast<std::chrono::milliseconds>(Loop::Clock::now() - begin));
        });
    }

    void drain(std::chrono::milliseconds limit) {
        tell_each([this, limit](Loop& loop) { loop.drain(limit, [this] { on_drained(); }); });
    }

    // A loop without connections goes on until the last one has none: handlers there may need it.
    void on_drained() {
        if (--undrained_ == 0) tell_each([](Loop& loop) { loop.stop(); });
    }

    // Never fails the first time, and then when that has been heard.
    template <class Function>
    void tell_each(Function function) {
        for (std::size_t i = 0; i < runners_.size(); ++i) {
            Loop& loop = *loops_->at(i);
            loop.mailbox()->post(runners_[i].room, [function, &loop] { function(loop); });
        }
    }

    // The first signal stops, a second one does not wait.
    void await_signal(StopSignals& waiting, bool again) {
        waiting.async_wait([this, &waiting, again](Error error, int) {
            if (error) return;
            if (again)
                tell_each([](Loop& loop) { loop.cut_off(); });
            else
                stop();
            await_signal(waiting, true);
        });
    }

    // AtExit::Ending

    void end(bool now) noexcept override {
        if (!now) return stop();
        std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < runners_.size(); ++i)
            if (runners_[i].id != std::this_thread::get_id()) loops_->at(i)->stop();
    }

    void await_end(bool now) noexcept override {
        std::unique_lock lock(mutex_);
        auto gone = [this] { return ended_ || stuck_here(); };
        if (!changed_.wait_for(lock, app_->limits.drain_timeout + std::chrono::seconds(1), gone) && !now) {
            lock.unlock();
            end(true);
            lock.lock();
            changed_.wait_for(lock, std::chrono::seconds(1), gone);  // in vain, if a handler never returns
        }
        lock.unlock();
        join_threads();
    }

    // Whether all have left but for this thread.
    bool stuck_here() const {
        bool here = false;
        for (const Runner& runner : runners_) {
            bool own = runner.id == std::this_thread::get_id();
            if (runner.inside && !own) return false;
            here = here || runner.inside;
        }
        return here;
    }

    AtExit::Entry entry_;  // destroyed last
    const std::shared_ptr<AppCore> app_;
    const std::shared_ptr<Loops> loops_;
    const Listeners listeners_;
    std::optional<Reception> reception_;
    std::optional<StopSignals> signals_;  // on the first loop
    Reserve<> stop_room_;
    bool stopping_ = false;  // on the first loop
    std::atomic<std::size_t> undrained_{0};

    std::mutex mutex_;
    std::condition_variable changed_;
    Start start_ = Start::not_yet;
    std::deque<Runner> runners_;  // of the loops
    bool ended_ = false;
};

}  // namespace detail

template <class Self, class>
unsigned short App::listen(std::string_view address, const ListenOptions& options) {
    using Stream = std::enable_if_t<std::is_same_v<Self, App>, detail::PlainStream>;  // only where this is called
    auto plain = [](detail::PlainStream stream, std::string&) { return stream; };
    return lifecycle_->listen(
        [&] { return std::make_shared<detail::Listener<Stream>>(core_, address, options, plain); });
}

template <class Self, class>
void App::run(std::function<void(std::string_view)> ready) {
    using Server = detail::Server<Self>;
    if (auto server = serve<Server>(Server::Threads::but_first)) server->run(std::move(ready));
}

template <class Self, class>
void App::start() {
    using Server = detail::Server<Self>;
    serve<Server>(Server::Threads::all);
}

}  // namespace kvolt

#endif
