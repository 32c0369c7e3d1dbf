#ifndef KVOLT_DETAIL_FILES_PATH_HPP
#define KVOLT_DETAIL_FILES_PATH_HPP

#include <kvolt/url.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// What a request names within a folder.
struct FilePath {
    std::string path;        ///< Relative, decoded, without a slash at its end; empty for the folder itself.
    bool is_folder = false;  ///< It ended in a slash.
};

/// Take the rest of a target's path for a path within a folder.
///
/// Browsers resolve `.` and `..` themselves, so whoever sends them, or hides a slash in an escape, is up to no good.
///
/// @param sent       As it was sent, without a slash at its front.
/// @param dot_files  Whether names that begin with a dot can be had.
/// @param root       Whether the path is that of the target, where `.well-known/` is for everybody (RFC 8615).
/// @returns  nothing if that can be no file.
inline std::optional<FilePath> parse_file_path(std::string_view sent, bool dot_files, bool root = false) {
    FilePath result;
    if (sent.empty()) return FilePath{{}, true};
    while (!sent.empty()) {
        std::string_view segment = sent.substr(0, sent.find('/'));
        bool last = segment.size() == sent.size();
        sent.remove_prefix((std::min)(sent.size(), segment.size() + 1));
        auto name = percent_decode(segment);
        if (!name || name->empty() || *name == "." || *name == "..") return std::nullopt;
        if (name->find_first_of(std::string_view("/\\\0", 3)) != name->npos) return std::nullopt;
        bool well_known = root && result.path.empty() && !last && *name == ".well-known";
        if (name->front() == '.' && !dot_files && !well_known) return std::nullopt;
        if (!result.path.empty()) result.path += '/';
        result.path += *name;
        result.is_folder = !last;
    }
    return result;
}

}  // namespace kvolt::detail

#endif
