#ifndef KVOLT_LOG_WRITER_HPP
#define KVOLT_LOG_WRITER_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

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
                       std::size_t capacity = std::size_t{4} << 20);
    ~LogWriter();

    LogWriter(const LogWriter&) = delete;
    LogWriter& operator=(const LogWriter&) = delete;

    /// Take a line, without its line end. Never waits for what is being written.
    ///
    /// @returns  false if it was dropped.
    bool write(std::string_view line);

    /// How many lines were dropped so far.
    std::uint64_t dropped() const;

    static void to_stdout(std::string_view lines);

private:
    class Queue;

    std::unique_ptr<Queue> queue_;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/log_writer.hpp>
#endif

#endif
