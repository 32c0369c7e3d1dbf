#ifndef KVOLT_DETAIL_CORE_RESERVE_HPP
#define KVOLT_DETAIL_CORE_RESERVE_HPP

#include <boost/asio/bind_allocator.hpp>

#include <atomic>
#include <cstddef>
#include <new>
#include <utility>

namespace kvolt::detail {

/// Memory for an operation of Asio that must not fail, of which one waits at a time. Any thread.
template <std::size_t Size = 256>
class Reserve {
public:
    Reserve() noexcept = default;
    Reserve(const Reserve&) = delete;
    Reserve& operator=(const Reserve&) = delete;

    /// The handler of the operation.
    template <class Handler>
    auto bind(Handler handler) noexcept {
        return boost::asio::bind_allocator(Allocator<void>(*this), std::move(handler));
    }

private:
    template <class T>
    class Allocator {
    public:
        using value_type = T;

        explicit Allocator(Reserve& reserve) noexcept : reserve_(&reserve) {}
        template <class U>
        Allocator(const Allocator<U>& other) noexcept : reserve_(other.reserve_) {}

        T* allocate(std::size_t count) { return static_cast<T*>(reserve_->take(count * sizeof(T))); }
        void deallocate(T* memory, std::size_t) noexcept { reserve_->give_back(memory); }

        friend bool operator==(const Allocator& a, const Allocator& b) noexcept { return a.reserve_ == b.reserve_; }

    private:
        template <class U>
        friend class Allocator;

        Reserve* reserve_;
    };

    void* take(std::size_t size) {
        return size > Size || taken_.exchange(true, std::memory_order_acquire) ? ::operator new(size) : room_;
    }

    void give_back(void* memory) noexcept {
        if (memory != room_) return ::operator delete(memory);
        taken_.store(false, std::memory_order_release);
    }

    alignas(std::max_align_t) std::byte room_[Size];
    std::atomic<bool> taken_{false};
};

}  // namespace kvolt::detail

#endif
