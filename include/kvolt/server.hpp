#ifndef KVOLT_SERVER_HPP
#define KVOLT_SERVER_HPP

// App::run() and App::start(). Everything behind them is compiled only in the file that calls one of the two.

#include <kvolt/app.hpp>
#include <kvolt/detail/listener.hpp>
#include <kvolt/detail/loop.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace kvolt {

namespace detail {

template <class Stream>
class Server final : public ServerHandle {
public:
    /// Listens, but serves nobody yet. Throws like Listener.
    ///
    /// @param own_threads  Whether start() will be called, or run().
    Server(App& app, std::string_view address, bool own_threads)
        : app_(app), loops_(*app.loops()), listener_(app, address), port_(listener_.port()), own_threads_(own_threads) {
        while (loops_.size() < app.threads()) loops_.push_back(std::make_unique<Loop>(loops_.size()));
    }

    ~Server() override { wait(); }

    unsigned short port() const noexcept override { return port_; }

    /// Serve in this thread, and in one more for every further loop, until stopped or a signal comes.
    void run() {
        std::optional<boost::asio::signal_set> signals(std::in_place, loops_.front()->io(), SIGINT, SIGTERM);
        await_signal(*signals, false);
        boost::asio::post(loops_.front()->io(), [this] { listener_.accept(); });
        for (std::size_t i = 1; i < loops_.size(); ++i) start_thread(*loops_[i]);
        loops_.front()->run();
        signals.reset();
        finish();
    }

    /// Serve in threads of its own.
    void start() {
        std::lock_guard lock(mutex_);
        boost::asio::post(loops_.front()->io(), [this] { listener_.accept(); });
        for (auto& loop : loops_) start_thread(*loop);
    }

    /// Begin to stop; any thread, also twice.
    void stop() override {
        loops_.front()->mailbox()->post([this] {
            listener_.close();
            for (auto& loop : loops_)
                loop->mailbox()->post([&loop = *loop, limit = app_.limits().drain_timeout] { loop.drain(limit); });
        });
    }

    /// Wait until all loops have ended and their handlers are gone.
    void wait() override {
        if (own_threads_) return finish();
        std::unique_lock lock(mutex_);
        ended_.wait(lock, [this] { return finished_; });
    }

private:
    using Error = boost::system::error_code;

    void start_thread(Loop& loop) {
        threads_.emplace_back([&loop] { loop.run(); });
    }

    // The first signal stops, a second one does not wait.
    void await_signal(boost::asio::signal_set& signals, bool again) {
        signals.async_wait([this, &signals, again](Error error, int) {
            if (error) return;
            if (again) {
                for (auto& loop : loops_) loop->mailbox()->post([&loop = *loop] { loop.cut_off(); });
            } else {
                stop();
            }
            await_signal(signals, true);
        });
    }

    void finish() {
        std::lock_guard lock(mutex_);
        if (finished_) return;
        for (std::thread& thread : threads_) thread.join();
        for (auto& loop : loops_) loop->clear();
        finished_ = true;
        ended_.notify_all();
    }

    App& app_;
    Loops& loops_;
    Listener<Stream> listener_;
    const unsigned short port_;
    const bool own_threads_;
    std::vector<std::thread> threads_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool finished_ = false;
};

}  // namespace detail

template <class Stream>
void App::run(std::string_view address) {
    if (auto server = open<Stream>(address, false)) server->run();
}

template <class Stream>
void App::start(std::string_view address) {
    if (auto server = open<Stream>(address, true)) server->start();
}

}  // namespace kvolt

#endif
