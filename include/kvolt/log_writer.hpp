#ifndef KVOLT_LOG_WRITER_HPP
#define KVOLT_LOG_WRITER_HPP

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace kvolt {

/// Writes lines in a thread of its own, so that a slow disk or terminal delays nobody who logs.
///
/// What waits to be written is bounded; past it lines are dropped, counted, and the log tells how many, by a JSON
/// object if its lines are some.
///
/// @note Thread safety: all functions may be called from any thread. The destructor writes what is left.
class LogWriter {
public:
    /// @param write     Gets whole lines, each with its line end, in the writer's thread; stdout by default.
    /// @param capacity  Bytes that may wait.
    explicit LogWriter(std::function<void(std::string_view)> write = to_stdout,
                       std::size_t capacity = std::size_t{4} << 20)
        : write_(std::move(write)), capacity_(capacity), thread_([this] { run(); }) {}

    ~LogWriter() {
        {
            std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    /// Take a line, without its line end. Never waits for what is being written.
    ///
    /// @returns  false if it was dropped.
    bool write(std::string_view line) {
        bool first;
        {
            std::lock_guard lock(mutex_);
            if (waiting_.size() + line.size() + 1 > capacity_) {
                ++dropped_;
                return false;
            }
            first = waiting_.empty();
            waiting_ += line;
            waiting_ += '\n';
        }
        if (first) changed_.notify_one();
        return true;
    }

    /// How many lines were dropped so far.
    std::uint64_t dropped() const {
        std::lock_guard lock(mutex_);
        return dropped_;
    }

    static void to_stdout(std::string_view lines) {
        std::fwrite(lines.data(), 1, lines.size(), stdout);
        std::fflush(stdout);
    }

private:
    static std::string dropped_line(std::uint64_t count, bool json) {
        std::string text = "kvolt: " + std::to_string(count) + " log lines were dropped here";
        return json ? "{\"dropped\":" + std::to_string(count) + ",\"message\":\"" + text + "\"}\n" : text + '\n';
    }

    void run() {
        std::string lines;
        std::uint64_t told = 0;
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
            if (waiting_.empty()) return;
            lines.clear();
            lines.swap(waiting_);
            if (std::uint64_t more = dropped_ - std::exchange(told, dropped_))
                lines += dropped_line(more, lines.starts_with('{'));
            lock.unlock();
            try {
                write_(lines);
            } catch (...) {  // there is nowhere to tell it
            }
            lock.lock();
        }
    }

    const std::function<void(std::string_view)> write_;
    const std::size_t capacity_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string waiting_;
    std::uint64_t dropped_ = 0;
    bool ended_ = false;
    std::thread thread_;  // begins last
};

}  // namespace kvolt

#endif
