#ifndef KVOLT_DETAIL_TESTING_MEMORY_SERVER_HPP
#define KVOLT_DETAIL_TESTING_MEMORY_SERVER_HPP

#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/http/error_answer.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/net/serving.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/handle.hpp>
#include <kvolt/detail/testing/memory_stream.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace kvolt::detail {

/// Serves an app in the test's own thread: whoever waits for something runs the app's first loop meanwhile, handler by
/// handler. The loop's clock stands, and only advance() moves it.
class MemoryServer final : public ServerHandle {
public:
    using Clock = Loop::Clock;

    /// Begins to serve a connection.
    using Begin = std::function<void(Place, MemoryStream, IpEndpoint)>;

    MemoryServer(std::shared_ptr<const AppCore> app, Begin begin)
        : app_(std::move(app)), loops_(app_->loops), loop_(*loops_->front()), begin_(std::move(begin)) {
        loop_.stop_clock();
    }

    void patience(std::chrono::milliseconds time) noexcept { patience_ = time; }

    /// @param room  How many bytes the server can send before the client takes some.
    std::shared_ptr<MemoryConnection> connect(const IpEndpoint& peer, std::size_t room) {
        if (ended_ || stopping_) throw std::runtime_error("kvolt: the app has stopped");
        auto connection = std::make_shared<MemoryConnection>(loop_.executor(), room);
        Loop::OnThisThread scope(loop_);
        begin_(Place(app_->places, loop_), MemoryStream(connection), peer);
        return connection;
    }

    /// Run handlers, one by one, until `done`.
    ///
    /// @returns  why not, if that does not come; nullptr if it did.
    template <class Done>
    const char* run_until(Done done) {
        const char* impatient = "not within the client's patience; deadlines are moved by advance() alone";
        auto give_up = Clock::now() + patience_;
        for (int overtime = 0; !done();) {
            if (ended_) return "the app has stopped";
            auto left = give_up - Clock::now();
            bool late = left <= left.zero();
            if (run_one(late ? left.zero() : left)) {
                if (late && ++overtime > most_overtime) return impatient;
            } else {
                if (loop_.io().stopped()) return "nothing is left to run";
                if (late) return impatient;
            }
        }
        return nullptr;
    }

    /// Run all that can run now.
    void settle() {
        auto give_up = Clock::now() + patience_;
        for (int overtime = 0; !ended_ && run_one(Clock::duration::zero());)
            if (Clock::now() > give_up && ++overtime > most_overtime)
                throw std::runtime_error("kvolt: the handlers do not come to rest");
    }

    /// Move the clock, tick by tick, and run what that makes ready.
    void advance(std::chrono::milliseconds time) {
        settle();
        for (; time > time.zero() && !ended_; time -= Loop::tick_length) {
            {
                Serving here;
                loop_.move_clock((std::min)(time, Loop::tick_length));
            }
            settle();
        }
    }

    /// Nobody is left to be served.
    void end() noexcept {
        if (ended_) return;
        guard([this] {
            loop_.mailbox()->post([this] { loop_.cut_off(); });
            settle();
        });
        ended_ = true;
        clear(*loops_);
    }

    // ServerHandle

    void stop() noexcept override {
        Loop::attempt([&] {  // else one call waits already
            loop_.mailbox()->post(stop_room_, [this] {
                if (std::exchange(stopping_, true)) return;
                loop_.drain(app_->limits.drain_timeout, [this] { drained_ = true; });
            });
        });
    }

    /// Run until all connections are gone. What does not end in real time gets what the clock still grants it.
    bool wait() override {
        if (ended_ || Serving::here()) return ended_;
        guard([this] {
            if (run_until([this] { return drained_; })) advance(app_->limits.drain_timeout + 2 * Loop::tick_length);
        });
        end();
        return true;
    }

private:
    // What is called by destructors must not throw what the user's functions on the loop do.
    template <class Function>
    void guard(Function function) noexcept {
        try {
            function();
        } catch (...) {
            app_->log("kvolt: an exception left a function on a loop", describe(std::current_exception()));
        }
    }

    bool run_one(Clock::duration patience) {
        Loop::OnThisThread scope(loop_);
        Serving here;
        auto& io = loop_.io();
        if (io.stopped()) io.restart();
        std::size_t ran = 1;
        Loop::attempt([&] { ran = patience > patience.zero() ? io.run_one_for(patience) : io.poll_one(); });
        return ran > 0;
    }

    // Handlers that are ready run also when the time is up, on a busy machine say; but not without end.
    static constexpr int most_overtime = 100000;

    const std::shared_ptr<const AppCore> app_;
    const std::shared_ptr<Loops> loops_;
    Loop& loop_;
    const Begin begin_;
    Reserve<> stop_room_;
    std::chrono::milliseconds patience_ = std::chrono::seconds(5);
    bool stopping_ = false;
    bool drained_ = false;
    bool ended_ = false;
};

}  // namespace kvolt::detail

#endif
