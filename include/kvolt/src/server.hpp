#ifndef KVOLT_SRC_SERVER_HPP
#define KVOLT_SRC_SERVER_HPP

#include <kvolt/app.hpp>
#include <kvolt/detail/app_core.hpp>
#include <kvolt/detail/error_answer.hpp>
#include <kvolt/detail/listener.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/loops.hpp>
#include <kvolt/detail/server_handle.hpp>
#include <kvolt/detail/stream.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/server.hpp>

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstddef>
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

template <class App>
class Server final : public ServerHandle {
public:
    /// Serves nobody yet.
    ///
    /// @param own_threads  Whether start() will be called, or run().
    Server(std::shared_ptr<const AppCore> app, Listeners listeners, bool own_threads)
        : app_(std::move(app)), loops_(app_->loops), listeners_(std::move(listeners)), own_threads_(own_threads) {
        while (loops_->size() < app_->threads) loops_->push_back(std::make_unique<Loop>());
    }

    ~Server() override { wait_for_end(); }

    /// Serve in this thread, and in one more for every further loop, until stopped or a signal comes.
    void run(std::function<void(std::string_view)> ready) {
        std::optional<Signals> waiting;
        try {
            waiting.emplace(loops_->front()->io(), SIGINT, SIGTERM);
            await_signal(*waiting, false);
            accept();
            if (ready)  // on the loop, where it may stop the app like a handler
                boost::asio::post(loops_->front()->io(), [ready = std::move(ready), listeners = listeners_] {
                    for (const auto& listener : listeners) ready(listener->url());
                });
            for (std::size_t i = 1; i < loops_->size(); ++i) start_thread(*loops_->at(i));
            loops_->front()->run();
        } catch (...) {  // from ready(), from what the user has posted to App::executor(), or for want of descriptors
            for (auto& loop : *loops_) loop->stop();
            close_listeners();
            waiting.reset();
            finish();
            throw;
        }
        waiting.reset();
        finish();
    }

    /// Serve in threads of its own.
    void start() {
        std::lock_guard lock(mutex_);
        accept();
        for (auto& loop : *loops_) start_thread(*loop);
    }

    void stop() override {
        loops_->front()->mailbox()->post([this] {
            close_listeners();
            if (std::exchange(stopping_, true)) return;
            undrained_ = loops_->size();
            // Hubs give their orders on the first loop: what they have taken on, the others get before their end.
            auto limit = app_->limits.drain_timeout;
            loops_->front()->end_turns(limit, [this, limit, begin = Loop::Clock::now()] {
                drain(limit - std::chrono::duration_cast<std::chrono::milliseconds>(Loop::Clock::now() - begin));
            });
        });
    }

    void wait() override {
        bool in_handler =
            std::any_of(loops_->begin(), loops_->end(), [](const auto& loop) { return loop.get() == Loop::current(); });
        if (!in_handler) wait_for_end();
    }

private:
    using Error = boost::system::error_code;
    using Signals = boost::asio::basic_signal_set<Loop::executor_type>;

    // Until all loops have ended and their handlers are gone.
    void wait_for_end() {
        if (own_threads_) return finish();
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [this] { return finished_; });
    }

    void accept() {
        for (const auto& listener : listeners_) listener->accept();
    }

    void close_listeners() {
        for (const auto& listener : listeners_) listener->close();
    }

    void drain(std::chrono::milliseconds limit) {
        for (auto& loop : *loops_)
            loop->mailbox()->post([this, &loop = *loop, limit] { loop.drain(limit, [this] { on_drained(); }); });
    }

    void start_thread(Loop& loop) {
        threads_.emplace_back([this, &loop] {
            for (bool ended = false; !ended;) try {
                    loop.run();
                    ended = true;
                } catch (...) {  // from what the user has posted to the loop
                    app_->log("kvolt: an exception left a function on a loop", describe(std::current_exception()));
                }
        });
    }

    // A loop without connections goes on until the last one has none: handlers there may need it.
    void on_drained() {
        if (--undrained_ > 0) return;
        for (auto& loop : *loops_) loop->mailbox()->post([&loop = *loop] { loop.stop(); });
    }

    // The first signal stops, a second one does not wait.
    void await_signal(Signals& waiting, bool again) {
        waiting.async_wait([this, &waiting, again](Error error, int) {
            if (error) return;
            if (again) {
                for (auto& loop : *loops_) loop->mailbox()->post([&loop = *loop] { loop.cut_off(); });
            } else {
                stop();
            }
            await_signal(waiting, true);
        });
    }

    void finish() {
        std::lock_guard lock(mutex_);
        if (finished_) return;
        for (std::thread& thread : threads_) thread.join();
        clear(*loops_);
        finished_ = true;
        ended_.notify_all();
    }

    const std::shared_ptr<const AppCore> app_;
    const std::shared_ptr<Loops> loops_;
    const Listeners listeners_;
    const bool own_threads_;
    bool stopping_ = false;  // on the first loop
    std::atomic<std::size_t> undrained_{0};
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool finished_ = false;
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
    if (auto server = open<Self>(false)) server->run(std::move(ready));
}

template <class Self, class>
void App::start() {
    if (auto server = open<Self>(true)) server->start();
}

}  // namespace kvolt

#endif
