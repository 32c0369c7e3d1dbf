#ifndef KVOLT_DETAIL_CORE_LOG_LINE_HPP
#define KVOLT_DETAIL_CORE_LOG_LINE_HPP

// How a request is written down. Whatever a client has sent is escaped: it cannot forge a line or steer a terminal.

#include <kvolt/detail/core/escape.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// What is logged of a request; refers to its strings.
struct LogRecord {
    std::chrono::system_clock::time_point time;  ///< When the line is written.
    std::string_view method, target, client;
    std::string_view id;  ///< Empty if it has none.
    int status = 0;       ///< 0 for the end of a WebSocket, which has a close code.
    std::uint64_t bytes = 0;
    std::uint16_t close_code = 0;
    std::string_view close_reason;
    std::chrono::steady_clock::duration duration{};
};

/// RFC 3339, in UTC, with milliseconds.
inline std::string log_time(std::chrono::system_clock::time_point time) {
    auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
    std::time_t whole = since / 1000;
    std::tm utc{};
    gmtime_r(&whole, &utc);
    char text[48];
    std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    int fraction = static_cast<int>(since % 1000);
    size += static_cast<std::size_t>(std::snprintf(text + size, sizeof text - size, ".%03dZ", fraction));
    return std::string(text, size);
}

/// Milliseconds with three decimals.
inline std::string log_milliseconds(std::chrono::steady_clock::duration duration) {
    auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    std::string fraction = std::to_string(micros % 1000 + 1000);
    return std::to_string(micros / 1000) + '.' + fraction.substr(1);
}

/// `2026-01-31T12:00:00.000Z 192.0.2.1:1234 "GET /users/7" 200 512B 1.250ms id=7f3a`, and for the end of a WebSocket
/// `... "GET /ws" closed 1000 "bye" 5021.003ms id=7f3a`.
inline std::string log_text(const LogRecord& record) {
    std::string line = log_time(record.time) + ' ';
    append_log_text(line, record.client);
    line += " \"";
    append_log_text(line, record.method);
    line += ' ';
    append_log_text(line, record.target);
    line += "\" ";
    if (record.status != 0) {
        line += std::to_string(record.status) + ' ' + std::to_string(record.bytes) + 'B';
    } else {
        line += "closed " + std::to_string(record.close_code) + " \"";
        append_log_text(line, record.close_reason);
        line += '"';
    }
    line += ' ' + log_milliseconds(record.duration) + "ms";
    if (!record.id.empty()) {
        line += " id=";
        append_log_text(line, record.id);
    }
    return line;
}

/// The same as one JSON object.
inline std::string log_json(const LogRecord& record) {
    std::string line = "{\"time\":\"" + log_time(record.time) + '"';
    auto add = [&](std::string_view name, std::string_view value) {
        (line += ",\"") += name;
        line += "\":";
        line += json_string(value);
    };
    add("client", record.client);
    add("method", record.method);
    add("target", record.target);
    if (record.status != 0) {
        line += ",\"status\":" + std::to_string(record.status) + ",\"bytes\":" + std::to_string(record.bytes);
    } else {
        line += ",\"close_code\":" + std::to_string(record.close_code);
        add("close_reason", record.close_reason);
    }
    line += ",\"duration_ms\":" + log_milliseconds(record.duration);
    if (!record.id.empty()) add("id", record.id);
    return line += '}';
}

}  // namespace kvolt::detail

#endif
