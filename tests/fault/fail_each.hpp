#ifndef KVOLT_TESTS_FAULT_FAIL_EACH_HPP
#define KVOLT_TESTS_FAULT_FAIL_EACH_HPP

#include "catch.hpp"
#include "memory.hpp"

#include <cstdint>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>

namespace test {

/// What is not as it must be.
struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline void demand(bool holds, const std::string& what) {
    if (!holds) throw Wrong(what);
}

/// Go through a scenario again and again, while the first, the second ... allocation fails, alone or with all that
/// follow, until none has failed.
template <class World>
void fail_each(const std::function<void(World&)>& prepare, const std::function<void(World&)>& scenario) {
    for (bool lasting : {false, true})
        for (std::uint64_t n = 1, wrongs = 0;; ++n) {
            std::string wrong;
            {
                Memory::fail(Memory::never, false);
                World world;
                prepare(world);
                world.start();
                Memory::fail(n, lasting);
                try {
                    scenario(world);
                    world.check();
                } catch (const std::exception& error) {
                    wrong = error.what();
                }
            }
            INFO("allocation " << n << (lasting ? " and all that follow" : ""));
            CHECK(wrong == "");
            if (!Memory::failed() || (wrongs += !wrong.empty()) > 20) break;
            REQUIRE(n < 5000);
        }
}

}  // namespace test

#endif
