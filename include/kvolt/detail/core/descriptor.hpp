#ifndef KVOLT_DETAIL_CORE_DESCRIPTOR_HPP
#define KVOLT_DETAIL_CORE_DESCRIPTOR_HPP

#include <unistd.h>

#include <utility>

namespace kvolt::detail {

/// An open descriptor that is closed with its owner.
class Descriptor {
public:
    Descriptor() noexcept = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }

    explicit operator bool() const noexcept { return number_ >= 0; }
    int number() const noexcept { return number_; }

    /// Leave it to the caller to close it.
    int release() noexcept { return std::exchange(number_, -1); }

private:
    int number_ = -1;
};

}  // namespace kvolt::detail

#endif
