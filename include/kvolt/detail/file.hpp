#ifndef KVOLT_DETAIL_FILE_HPP
#define KVOLT_DETAIL_FILE_HPP

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace kvolt::detail {

/// An open descriptor that is closed with its owner.
class Descriptor {
public:
    Descriptor() noexcept = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }

    explicit operator bool() const noexcept { return number_ >= 0; }
    int number() const noexcept { return number_; }

private:
    int number_ = -1;
};

/// A file that is open for reading, as it was when it was opened. Its content may change until it has been sent.
struct File {
    Descriptor descriptor;
    std::uint64_t size = 0;
    std::time_t modified = 0;  ///< In seconds; `modified_ns` is what is beyond them.
    long modified_ns = 0;
    /// All of it, if the system makes it up when it is read, as in /proc and /sys: no size and no time tells about it.
    std::optional<std::string> made_up = {};
};

/// A piece of a response body: a text, and behind it a slice of a file.
struct FilePart {
    std::string text;
    std::shared_ptr<const File> file;  ///< nullptr for the text alone.
    std::uint64_t offset = 0, size = 0;
};

}  // namespace kvolt::detail

#endif
