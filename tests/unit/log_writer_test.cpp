#include "catch.hpp"
#include <kvolt/log_writer.hpp>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using kvolt::LogWriter;

TEST_CASE("a log writer writes whole lines in order, the last ones at its end") {
    std::string written;
    {
        LogWriter writer([&](std::string_view lines) { written += lines; });
        CHECK(writer.write("one"));
        CHECK(writer.write("two"));
        CHECK(writer.write(""));
    }
    CHECK(written == "one\ntwo\n\n");
}

TEST_CASE("whoever logs never waits: what is too much is dropped, counted and told") {
    std::mutex mutex;
    std::condition_variable changed;
    bool writing = false, go_on = false;
    std::string written;
    std::uint64_t dropped = 0;
    {
        LogWriter writer(
            [&](std::string_view lines) {
                std::unique_lock lock(mutex);
                writing = true;
                changed.notify_all();
                changed.wait(lock, [&] { return go_on; });
                written += lines;
            },
            10);
        CHECK(writer.write("stuck"));
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return writing; });
        }
        CHECK(writer.write("123456789"));
        CHECK_FALSE(writer.write(""));
        CHECK_FALSE(writer.write("more"));
        dropped = writer.dropped();
        std::lock_guard lock(mutex);
        go_on = true;
        changed.notify_all();
    }
    CHECK(dropped == 2);
    CHECK(written == "stuck\n123456789\nkvolt: 2 log lines were dropped here\n");
}

TEST_CASE("a log of JSON objects stays one where lines are dropped") {
    std::string written;
    {
        LogWriter writer([&](std::string_view lines) { written += lines; }, 9);
        CHECK_FALSE(writer.write("{\"too\":\"long\"}"));
        writer.write("{\"a\":1}");
    }
    CHECK(written == "{\"a\":1}\n{\"dropped\":1,\"message\":\"kvolt: 1 log lines were dropped here\"}\n");
}

TEST_CASE("many threads may log, and a failing sink ends nothing") {
    std::size_t lines = 0;
    {
        LogWriter writer([&](std::string_view text) {
            for (char c : text) lines += c == '\n';
            throw std::runtime_error("disk full");
        });
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] {
                for (int j = 0; j < 1000; ++j) writer.write("line");
            });
        for (auto& thread : threads) thread.join();
    }
    CHECK(lines == 4000);
}
