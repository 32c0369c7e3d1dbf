#include "catch.hpp"
#include <kvolt/detail/net/platform.hpp>
#include <kvolt/detail/server/shortage.hpp>

#include <cerrno>
#include <chrono>
#include <string>

using kvolt::detail::Shortage;
using kvolt::detail::platform::accept_error;
using kvolt::detail::platform::AcceptError;
using namespace std::chrono_literals;

TEST_CASE("shortage: it is told once, again when it comes back, and at most once a minute") {
    Shortage shortage;
    Shortage::Clock::time_point now{};
    CHECK_FALSE(shortage.of_places(7, 0, now).empty());
    CHECK(shortage.of_places(7, 0, now + 1h).empty());
    CHECK(shortage.of_system(EMFILE, 256, now + 1h).empty());
    shortage.over();
    CHECK_FALSE(shortage.of_places(7, 0, now + 1h).empty());
    shortage.over();
    CHECK(shortage.of_places(7, 0, now + 1h + 59s).empty());
    CHECK_FALSE(shortage.of_places(7, 0, now + 1h + 60s).empty());
}

TEST_CASE("shortage: the line names the number and what helps") {
    auto has = [](const std::string& line, const char* text) { return line.find(text) != std::string::npos; };
    auto line = Shortage().of_places(192, 256, {});
    CHECK(line.starts_with("kvolt: all 192 places"));
    CHECK(has(line, "more than 256 open files"));
    CHECK(has(line, "ulimit -n"));
    line = Shortage().of_places(192, 0, {});
    CHECK(has(line, "Limits::connections"));
    CHECK_FALSE(has(line, "ulimit"));
    line = Shortage().of_system(EMFILE, 256, {});
    CHECK(line.starts_with("kvolt: no connection can be accepted: Too many open files"));
    CHECK(has(line, "more than 256 open files"));
    CHECK(has(Shortage().of_system(ENFILE, 256, {}), "fs.file-max"));
    CHECK(has(Shortage().of_system(ENOBUFS, 256, {}), "memory"));
    CHECK(has(Shortage().of_system(EPIPE, 256, {}), "Broken pipe"));
}

TEST_CASE("shortage: what accept() fails with is nobody's, one client's, or a shortage") {
    CHECK(accept_error(EAGAIN) == AcceptError::nobody);
    CHECK(accept_error(EBADF) == AcceptError::nobody);
    for (int error : {EINTR, ECONNABORTED, EPROTO, EHOSTUNREACH, ENETDOWN, EPERM})
        CHECK(accept_error(error) == AcceptError::next);
    for (int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EFAULT}) CHECK(accept_error(error) == AcceptError::shortage);
}
