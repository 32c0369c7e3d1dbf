#ifndef KVOLT_TESTS_FUZZ_INPUT_HPP
#define KVOLT_TESTS_FUZZ_INPUT_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The bytes of an input, read as what to do: letters and numbers. White space between them is for the eye.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : bytes_(reinterpret_cast<const char*>(data), size) {}

    bool empty() {
        while (!bytes_.empty() && (bytes_[0] == ' ' || bytes_[0] == '\n')) bytes_.remove_prefix(1);
        return bytes_.empty();
    }

    /// One of `letters`; any other byte stands for one of them.
    char letter(std::string_view letters) {
        char next = take();
        return letters.find(next) != letters.npos ? next : letters[static_cast<unsigned char>(next) % letters.size()];
    }

    /// A number below `end`; a digit is itself.
    std::size_t number(std::size_t end) {
        return static_cast<std::size_t>(static_cast<unsigned char>(take()) - '0' + 256) % 256 % end;
    }

    /// A number of bytes: small ones one by one, so that each cut is tried, and then up to 4 KiB.
    std::size_t size() {
        std::size_t n = number(256);
        return n < 128 ? n : (n - 128) * 32;
    }

private:
    char take() {
        if (empty()) return '0';
        char next = bytes_[0];
        bytes_.remove_prefix(1);
        return next;
    }

    std::string_view bytes_;
};

#endif
