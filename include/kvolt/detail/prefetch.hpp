#ifndef KVOLT_DETAIL_PREFETCH_HPP
#define KVOLT_DETAIL_PREFETCH_HPP

#include <cstddef>

namespace kvolt::detail {

/// Let the first bytes of an object come into the cache while there is something else to do. Never fails, whatever the
/// pointer is.
inline void prefetch(const void* object, std::size_t size) noexcept {
    constexpr std::size_t line = 64;
    for (std::size_t at = 0; at < size; at += line) __builtin_prefetch(static_cast<const char*>(object) + at);
}

}  // namespace kvolt::detail

#endif
