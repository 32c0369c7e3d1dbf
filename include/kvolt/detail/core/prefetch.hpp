#ifndef KVOLT_DETAIL_CORE_PREFETCH_HPP
#define KVOLT_DETAIL_CORE_PREFETCH_HPP

#include <cstddef>
#include <cstdint>

namespace kvolt::detail {

/// Let the first bytes of an object come into the cache while there is something else to do. Never fails, whatever the
/// pointer is.
inline void prefetch(const void* object, std::size_t size) noexcept {
    constexpr std::size_t line = 64;
    auto begin = reinterpret_cast<std::uintptr_t>(object);  // arithmetic that is defined for null, too
    for (std::size_t at = 0; at < size; at += line) __builtin_prefetch(reinterpret_cast<const void*>(begin + at));
}

}  // namespace kvolt::detail

#endif
