#include "memory.hpp"

#include <cstdlib>
#include <new>

namespace {

void* allocate(std::size_t size) noexcept { return test::Memory::fails_now() ? nullptr : std::malloc(size ? size : 1); }

void* allocate(std::size_t alignment, std::size_t size, bool of_asio = false) noexcept {
    void* memory = nullptr;
    if (alignment < sizeof(void*)) alignment = sizeof(void*);
    return test::Memory::fails_now(of_asio) || ::posix_memalign(&memory, alignment, size) != 0 ? nullptr : memory;
}

void* or_throw(void* memory) {
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

// All forms: a sanitizer has each of its own.
void* operator new(std::size_t size) { return or_throw(allocate(size)); }
void* operator new[](std::size_t size) { return or_throw(allocate(size)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return or_throw(allocate(static_cast<std::size_t>(alignment), size));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return or_throw(allocate(static_cast<std::size_t>(alignment), size));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

// Asio's way.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    return allocate(alignment, size, true);
}
