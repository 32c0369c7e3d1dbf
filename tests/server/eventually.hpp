#ifndef KVOLT_TESTS_SERVER_EVENTUALLY_HPP
#define KVOLT_TESTS_SERVER_EVENTUALLY_HPP

#include <chrono>
#include <thread>

namespace test {

/// Ask again and again until the answer is true; false after 5 s.
template <class Predicate>
bool eventually(Predicate predicate) {
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!predicate()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

}  // namespace test

#endif
