#ifndef KVOLT_DETAIL_FILES_OPEN_FILE_HPP
#define KVOLT_DETAIL_FILES_OPEN_FILE_HPP

// Opening files so that nothing outside of a folder can be had, whatever is asked for and whoever moves things about
// meanwhile: all is decided by what the descriptor refers to, never by a name that is looked up twice.

#include <kvolt/detail/files/file.hpp>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kvolt::detail {

/// What a path led to.
struct Opened {
    std::shared_ptr<const File> file;  ///< If it is a regular file.
    bool is_folder = false;
    int error = 0;  ///< errno, if it could not be opened at all.
};

/// Neither waits for the other end of a pipe, nor becomes the terminal's process.
constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

/// True if an errno only says that there is no such file to be had; the others are the server's own trouble.
inline bool means_absent(int error) noexcept {
    return error == 0 || error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP ||
           error == EXDEV || error == ENXIO || error == ENODEV || error == EINVAL || error == EISDIR;
}

/// The most that is taken of a file which the system makes up.
inline constexpr std::size_t most_made_up = std::size_t{1} << 20;

/// Read a file that has no blocks, as those that are made up have none: what it has is another size then.
///
/// @returns  errno, 0 if it was read.
inline int read_made_up(File& file) {
    std::string content;
    for (ssize_t size = 1; size > 0;) {
        std::size_t before = content.size();
        content.resize((std::min)(before + 16 * 1024, most_made_up + 1));
        do
            size = ::pread(file.descriptor.number(), content.data() + before, content.size() - before,
                           static_cast<off_t>(before));
        while (size < 0 && errno == EINTR);
        if (size < 0) return errno;
        content.resize(before + static_cast<std::size_t>(size));
        if (content.size() > most_made_up) return EFBIG;
    }
    if (content.size() != file.size) file.made_up = std::move(content);
    return 0;
}

/// Open a regular file. What is none is not even opened: that alone would let a pipe's writer go on, or start a device.
///
/// @param open  Makes a descriptor by flags, or -1 and errno.
template <class Open>
Opened open_regular(Open open) {
    Descriptor place(open(O_PATH | O_CLOEXEC));
    struct stat status, again;
    if (!place || ::fstat(place.number(), &status) != 0) return {nullptr, false, errno};
    if (!S_ISREG(status.st_mode)) return {nullptr, S_ISDIR(status.st_mode), 0};
    // The same file, whatever its name means now.
    Descriptor descriptor(::open(("/proc/self/fd/" + std::to_string(place.number())).c_str(), open_flags));
    if (!descriptor && errno == ENOENT) {  // without /proc
        descriptor = Descriptor(open(open_flags));
        if (descriptor && ::fstat(descriptor.number(), &again) != 0) return {nullptr, false, errno};
        if (descriptor && (again.st_dev != status.st_dev || again.st_ino != status.st_ino)) return {nullptr, false, 0};
    }
    if (!descriptor) return {nullptr, false, errno};
    File file{std::move(descriptor), static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec,
              status.st_mtim.tv_nsec};
    if (status.st_blocks == 0 && status.st_size <= 4096)
        if (int error = read_made_up(file)) return {nullptr, false, error};
    return {std::make_shared<const File>(std::move(file)), false, 0};
}

/// Open a file of the server's own choice.
inline Opened open_file(const std::string& path) {
    return open_regular([&](int flags) { return ::open(path.c_str(), flags); });
}

/// Where a descriptor's file lies now; empty if that cannot be told.
inline std::string location(int descriptor) {
    std::string link = "/proc/self/fd/" + std::to_string(descriptor), path(4097, '\0');
    ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
    path.resize(size < 0 || size == static_cast<ssize_t>(path.size()) ? 0 : static_cast<std::size_t>(size));
    return path;
}

/// Open what lies strictly below a folder, by a look at where it really lies.
///
/// For links with an absolute path, which RESOLVE_BENEATH refuses, and kernels and sandboxes without openat2.
inline Opened open_located(int folder, const std::string& path) {
    Descriptor place(::openat(folder, path.c_str(), O_PATH | O_CLOEXEC));  // which opens no device and no pipe
    if (!place) return {nullptr, false, errno};
    std::string root = location(folder), found = location(place.number());
    if (root != "/") root += '/';
    if (!root.starts_with('/') || !found.starts_with(root)) return {nullptr, false, EXDEV};
    return open_file("/proc/self/fd/" + std::to_string(place.number()));  // the same file, whatever its name is now
}

/// Open what lies below a folder. Links are followed as long as they stay inside.
///
/// @param folder  A descriptor, O_PATH is enough.
/// @param path    Relative, without `..`.
inline Opened open_beneath(int folder, const std::string& path) {
    auto open = [&](int flags) {
        open_how how{};
        how.flags = static_cast<unsigned>(flags);
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
        return static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how));
    };
    Opened opened = open_regular(open);
    bool unsure = false;
    for (int error : {EXDEV, ELOOP, EAGAIN, ENOSYS, EPERM}) unsure = unsure || opened.error == error;
    return unsure ? open_located(folder, path) : std::move(opened);
}

/// Open a folder as a place to start from.
///
/// @throws std::system_error  that names it, and `what` wants it.
inline Descriptor open_folder(const std::string& path, std::string_view what) {
    Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder)
        throw std::system_error(errno, std::generic_category(),
                                "kvolt: " + std::string(what) + ": the folder \"" + path + '"');
    return folder;
}

}  // namespace kvolt::detail

#endif
