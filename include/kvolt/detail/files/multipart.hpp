#ifndef KVOLT_DETAIL_FILES_MULTIPART_HPP
#define KVOLT_DETAIL_FILES_MULTIPART_HPP

#include <kvolt/detail/files/byte_ranges.hpp>
#include <kvolt/detail/files/file.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// The value of Content-Range (RFC 9110, section 14.4).
inline std::string content_range(const ByteRange& range, std::uint64_t size) {
    return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.last) + '/' + std::to_string(size);
}

/// Several ranges of a file as multipart/byteranges (RFC 9110, section 14.6).
///
/// @param boundary  Must not occur in the file: make it up at random.
inline std::vector<FilePart> multipart(const std::shared_ptr<const File>& file, const std::vector<ByteRange>& ranges,
                                       std::string_view content_type, std::string_view boundary) {
    std::vector<FilePart> parts;
    std::string delimiter = "--" + std::string(boundary);
    for (const ByteRange& range : ranges) {
        std::string head = (parts.empty() ? "" : "\r\n") + delimiter + "\r\nContent-Type: ";
        head += content_type;
        head += "\r\nContent-Range: " + content_range(range, file->size) + "\r\n\r\n";
        parts.push_back({std::move(head), file, range.first, range.size()});
    }
    parts.push_back({"\r\n" + delimiter + "--\r\n", nullptr, 0, 0});
    return parts;
}

}  // namespace kvolt::detail

#endif
