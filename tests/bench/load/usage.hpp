#ifndef KVOLT_TESTS_BENCH_LOAD_USAGE_HPP
#define KVOLT_TESTS_BENCH_LOAD_USAGE_HPP

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

namespace bench {

/// Nanoseconds by a clock of the kernel's.
inline std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

inline std::uint64_t now() noexcept { return read_clock(CLOCK_MONOTONIC); }

/// What processes have used: of CPU time since they began, and of memory now.
struct Usage {
    std::uint64_t cpu = 0;   // nanoseconds
    std::size_t memory = 0;  // bytes
};

inline Usage usage(const std::vector<pid_t>& pids) {
    Usage all;
    for (pid_t pid : pids) {
        clockid_t clock{};
        if (clock_getcpuclockid(pid, &clock) == 0) all.cpu += read_clock(clock);
        std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
        std::size_t total = 0, resident = 0;
        file >> total >> resident;
        all.memory += resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    }
    return all;
}

}  // namespace bench

#endif
