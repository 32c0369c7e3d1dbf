#ifndef KVOLT_TESTS_SERVER_SOCKET_PATH_HPP
#define KVOLT_TESTS_SERVER_SOCKET_PATH_HPP

#include <unistd.h>

#include <filesystem>
#include <string>

namespace test {

/// A path for a Unix socket that is free, also at the end.
struct SocketPath {
    SocketPath() { std::filesystem::remove(path); }
    ~SocketPath() { std::filesystem::remove(path); }

    const std::string path = std::filesystem::temp_directory_path() / ("kvolt_test_" + std::to_string(::getpid()));
};

}  // namespace test

#endif
