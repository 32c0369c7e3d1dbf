#ifndef KVOLT_CONFIG_HPP
#define KVOLT_CONFIG_HPP

// The version, the one check that gives a clear message when the compiler is set up too old, and what KVOLT_COMPILED
// means.

#define KVOLT_VERSION_MAJOR 0
#define KVOLT_VERSION_MINOR 1
#define KVOLT_VERSION_PATCH 0

/// The version as one number that can be compared: 1.2.3 is 10203.
#define KVOLT_VERSION (KVOLT_VERSION_MAJOR * 10000 + KVOLT_VERSION_MINOR * 100 + KVOLT_VERSION_PATCH)

/// With KVOLT_COMPILED, for all files of a program, what takes long is compiled in one of them alone: see
/// kvolt/src.hpp. Virtual functions are declared with KVOLT_INLINE, too: the vtable, and all that it refers to, is else
/// compiled in each file.
#ifdef KVOLT_COMPILED
#define KVOLT_INLINE
#else
#define KVOLT_INLINE inline
#endif

static_assert(__cplusplus >= 202002L, "KVolt needs C++20: compile with -std=c++20");

#endif
