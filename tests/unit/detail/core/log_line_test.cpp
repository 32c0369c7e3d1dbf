#include "catch.hpp"
#include <kvolt/detail/core/log_line.hpp>

#include <chrono>
#include <string>

using kvolt::detail::log_json;
using kvolt::detail::log_text;
using kvolt::detail::LogRecord;

namespace {

LogRecord sample() {
    LogRecord record;
    record.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1769860800007));
    record.method = "GET";
    record.target = "/users/7?full=1";
    record.client = "192.0.2.1:1234";
    record.status = 200;
    record.bytes = 512;
    record.duration = std::chrono::microseconds(1250);
    return record;
}

}  // namespace

TEST_CASE("a request is one line of text or JSON") {
    LogRecord record = sample();
    CHECK(log_text(record) == "2026-01-31T12:00:00.007Z 192.0.2.1:1234 \"GET /users/7?full=1\" 200 512B 1.250ms");
    CHECK(log_json(record) ==
          R"({"time":"2026-01-31T12:00:00.007Z","client":"192.0.2.1:1234","method":"GET","target":"/users/7?full=1",)"
          R"("status":200,"bytes":512,"duration_ms":1.250})");
    record.id = "7f3a";
    CHECK(log_text(record).ends_with(" id=7f3a"));
    CHECK(log_json(record).ends_with(R"(,"id":"7f3a"})"));
}

TEST_CASE("the end of a WebSocket has its close code and reason") {
    LogRecord record = sample();
    record.status = 0;
    record.close_code = 4001;
    record.close_reason = "bye";
    record.duration = std::chrono::seconds(75);
    CHECK(log_text(record).ends_with("\" closed 4001 \"bye\" 75000.000ms"));
    CHECK(log_json(record).ends_with(R"("close_code":4001,"close_reason":"bye","duration_ms":75000.000})"));
}

TEST_CASE("what clients send cannot forge a line or steer a terminal") {
    struct Case {
        std::string sent, text, json;
    };
    for (const Case& c : {
             Case{"/a\r\nb", R"(/a\x0d\x0ab)", R"(/a\u000d\u000ab)"},
             Case{"/\x1b[31m", R"(/\x1b[31m)", R"(/\u001b[31m)"},
             Case{"/\"\\", R"(/\"\\)", R"(/\"\\)"},
             Case{"/\x7f\x9b", R"(/\x7f\x9b)", "/\\u007f\xEF\xBF\xBD"},
             Case{"/\xC2\x9B"
                  "2K",
                  R"(/\xc2\x9b2K)", R"(/\u009b2K)"},
             Case{"/caf\xC3\xA9", R"(/caf\xc3\xa9)", "/caf\xC3\xA9"},
             Case{std::string("/\0", 2), R"(/\x00)", R"(/\u0000)"},
         }) {
        LogRecord record = sample();
        record.target = c.sent;
        CHECK(log_text(record).find("\"GET " + c.text + "\" 200") != std::string::npos);
        CHECK(log_json(record).find("\"target\":\"" + c.json + "\",") != std::string::npos);
        record.target = "/";
        record.status = 0;
        record.close_reason = c.sent;
        CHECK(log_text(record).find("closed 0 \"" + c.text + "\" ") != std::string::npos);
        CHECK(log_json(record).find("\"close_reason\":\"" + c.json + "\",") != std::string::npos);
    }
}
