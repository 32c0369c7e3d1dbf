#ifndef KVOLT_DETAIL_FILES_FILE_HPP
#define KVOLT_DETAIL_FILES_FILE_HPP

#include <kvolt/detail/core/descriptor.hpp>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

namespace kvolt::detail {

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
