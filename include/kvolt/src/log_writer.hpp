#ifndef KVOLT_SRC_LOG_WRITER_HPP
#define KVOLT_SRC_LOG_WRITER_HPP

#include <kvolt/config.hpp>
#include <kvolt/log_writer.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace kvolt {

/// What waits to be written, and the thread that does it.
class LogWriter::Queue {
public:
    Queue(std::function<void(std::string_view)> write, std::size_t capacity)
        : write_(std::move(write)), capacity_(capacity), thread_([this] { run(); }) {}

    ~Queue() {
        {
            std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;

    bool push(std::string_view line) {
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

    std::uint64_t dropped() const {
        std::lock_guard lock(mutex_);
        return dropped_;
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

KVOLT_INLINE LogWriter::LogWriter(std::function<void(std::string_view)> write, std::size_t capacity)
    : queue_(std::make_unique<Queue>(std::move(write), capacity)) {}

KVOLT_INLINE LogWriter::~LogWriter() = default;

KVOLT_INLINE bool LogWriter::write(std::string_view line) { return queue_->push(line); }

KVOLT_INLINE std::uint64_t LogWriter::dropped() const { return queue_->dropped(); }

KVOLT_INLINE void LogWriter::to_stdout(std::string_view lines) {
    std::fwrite(lines.data(), 1, lines.size(), stdout);
    std::fflush(stdout);
}

}  // namespace kvolt

#endif
