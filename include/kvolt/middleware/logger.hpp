#ifndef KVOLT_MIDDLEWARE_LOGGER_HPP
#define KVOLT_MIDDLEWARE_LOGGER_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/core/log_line.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/log_writer.hpp>
#include <kvolt/middleware/request_id.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::middleware {

class LoggerOptions {
public:
    /// One JSON object a line in place of text.
    LoggerOptions& json(bool json = true) {
        json_ = json;
        return *this;
    }

    /// Where the lines go; called on all loops, so it must not block. By default a LogWriter to stdout.
    ///
    ///     kvolt::LogWriter file([&](std::string_view lines) { stream << lines << std::flush; });
    ///     app.use(logger(LoggerOptions().sink([&](std::string_view line) { file.write(line); })));
    LoggerOptions& sink(std::function<void(std::string_view line)> sink) {
        sink_ = std::move(sink);
        return *this;
    }

    /// Requests that are not logged, such as those of health checks: the function returns true for them.
    LoggerOptions& skip(std::function<bool(const Context&)> skip) {
        skip_ = std::move(skip);
        return *this;
    }

    bool writes_json() const noexcept { return json_; }
    const std::function<void(std::string_view)>& sink() const noexcept { return sink_; }
    const std::function<bool(const Context&)>& skip() const noexcept { return skip_; }

private:
    bool json_ = false;
    std::function<void(std::string_view)> sink_;
    std::function<bool(const Context&)> skip_;
};

/// Log a line for every request: time, client, method and target, status, bytes of the body, duration, and the id that
/// request_id() gave it. The status is the one that is sent, whatever was thrown. An upgrade gets a line when it
/// happens and one at its end, with the close code.
///
///     app.use(kvolt::middleware::logger());
///     app.use(kvolt::middleware::logger(kvolt::middleware::LoggerOptions().json()));
///
/// Of a request that is malformed, the line has what was understood of it.
inline auto logger(LoggerOptions options = {}) {
    if (!options.sink()) {
        auto writer = std::make_shared<LogWriter>();
        options.sink([writer](std::string_view line) { writer->write(line); });
    }
    auto shared = std::make_shared<const LoggerOptions>(std::move(options));
    return observer([shared](Context& c) {
        if (shared->skip() && shared->skip()(c)) return;
        c.follow([&options = *shared, begin = std::chrono::steady_clock::now()](Context& of, Phase phase) {
            if (phase == Phase::streaming) return;
            kvolt::detail::LogRecord record;
            std::string client = of.remote_address(), reason;
            record.time = std::chrono::system_clock::now();
            record.method = of.method();
            record.target = of.target();
            record.client = client;
            if (const RequestId* id = of.get<RequestId>()) record.id = id->value;
            if (phase == Phase::answered) {
                record.status = of.response().status();
                record.bytes = of.sent_size();
            } else if (phase == Phase::upgraded) {
                record.status = 101;
            } else if (const WebSocket* socket = of.socket()) {
                record.close_code = socket->close_code();
                record.close_reason = reason = socket->close_reason();
            }
            record.duration = std::chrono::steady_clock::now() - begin;
            options.sink()(options.writes_json() ? kvolt::detail::log_json(record) : kvolt::detail::log_text(record));
        });
    });
}

}  // namespace kvolt::middleware

#endif
