#ifndef KVOLT_DETAIL_SERVER_STOP_SIGNALS_HPP
#define KVOLT_DETAIL_SERVER_STOP_SIGNALS_HPP

#include <boost/asio/basic_signal_set.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

namespace kvolt::detail {

/// SIGINT and SIGTERM, for as long as this is there. Then they do again what they did before, unless the program has
/// said something else meanwhile.
class StopSignals {
public:
    explicit StopSignals(boost::asio::io_context& io) {
        std::lock_guard lock(shared().mutex);
        if (shared().users == 0)
            for (std::size_t i = 0; i < numbers.size(); ++i) shared().former[i] = now(numbers[i]);
        set_.emplace(io, numbers[0], numbers[1]);
        ++shared().users;
        for (std::size_t i = 0; i < numbers.size(); ++i) ours_[i] = now(numbers[i]);
    }

    ~StopSignals() {
        std::lock_guard lock(shared().mutex);
        Actions before;
        for (std::size_t i = 0; i < numbers.size(); ++i) before[i] = now(numbers[i]);
        set_.reset();
        bool last = --shared().users == 0;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (before[i].sa_handler != ours_[i].sa_handler)
                ::sigaction(numbers[i], &before[i], nullptr);  // the program's, which Asio does not know of
            else if (last && now(numbers[i]).sa_handler != ours_[i].sa_handler)
                ::sigaction(numbers[i], &shared().former[i], nullptr);
        }
    }

    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    /// @param handler  `void(boost::system::error_code, int signal)`
    template <class Handler>
    void async_wait(Handler handler) {
        set_->async_wait(std::move(handler));
    }

private:
    static constexpr std::array numbers{SIGINT, SIGTERM};
    using Actions = std::array<struct sigaction, numbers.size()>;

    static struct sigaction now(int number) noexcept {
        struct sigaction action {};
        ::sigaction(number, nullptr, &action);
        return action;
    }

    // What all of them share: several apps may run at once.
    struct Shared {
        std::mutex mutex;
        std::size_t users = 0;
        Actions former{};
    };

    static Shared& shared() {
        static Shared only;
        return only;
    }

    std::optional<boost::asio::basic_signal_set<boost::asio::io_context::executor_type>> set_;
    Actions ours_{};
};

}  // namespace kvolt::detail

#endif
