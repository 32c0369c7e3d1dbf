#ifndef KVOLT_DETAIL_CORE_RANDOM_HPP
#define KVOLT_DETAIL_CORE_RANDOM_HPP

// Random bytes that nobody can foretell, from the system.

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <system_error>

namespace kvolt::detail {

/// A value of random bytes. The system is asked for 256 bytes at a time, for each thread.
///
/// @throws std::system_error  if it has none.
template <class Value>
Value random_value() {
    static thread_local std::array<unsigned char, 256> bytes;
    static thread_local std::size_t used = bytes.size();
    static_assert(sizeof(Value) <= bytes.size());
    if (bytes.size() - used < sizeof(Value)) {
        while (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
            if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "kvolt: random bytes");
        used = 0;
    }
    Value value;
    std::memcpy(&value, bytes.data() + used, sizeof value);
    std::fill_n(bytes.data() + used, sizeof value, static_cast<unsigned char>(0));  // nobody else is to see it
    used += sizeof value;
    return value;
}

/// From 0 to 1, without 1.
inline double random_fraction() { return static_cast<double>(random_value<std::uint64_t>() >> 11) * 0x1p-53; }

}  // namespace kvolt::detail

#endif
