#ifndef KVOLT_TESTS_FUZZ_REQUIRE_HPP
#define KVOLT_TESTS_FUZZ_REQUIRE_HPP

#include <cstdlib>
#include <iostream>

/// Ends the process, as the fuzzer wants it, if a promise was not kept.
inline void require(bool kept, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    if (kept) return;
    std::cerr << file << ':' << line << ": a promise was not kept\n";
    std::abort();
}

#endif
