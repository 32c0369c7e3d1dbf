#ifndef KVOLT_DETAIL_FILE_ANSWER_HPP
#define KVOLT_DETAIL_FILE_ANSWER_HPP

#include <kvolt/detail/byte_ranges.hpp>
#include <kvolt/detail/date.hpp>
#include <kvolt/detail/file.hpp>
#include <kvolt/detail/multipart.hpp>
#include <kvolt/detail/open_file.hpp>
#include <kvolt/detail/preconditions.hpp>
#include <kvolt/error.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// What is said of a file beyond what can be seen of it.
struct FileFields {
    std::string_view content_type;
    std::string_view content_encoding = {};  ///< Empty for identity.
    std::string_view cache_control = {};
    bool varies = false;  ///< There are other encodings of it.
};

/// The entity tag of a file's state. One of another encoding is another one (RFC 9110, section 8.8.3.3).
inline std::string entity_tag(const File& file, std::string_view encoding = {}) {
    char text[80];
    int size = std::snprintf(text, sizeof text, "\"%llx-%llx-%llx", static_cast<unsigned long long>(file.size),
                             static_cast<unsigned long long>(file.modified) * 1000000000ULL +
                                 static_cast<unsigned long long>(file.modified_ns),
                             static_cast<unsigned long long>(file.inode));
    std::string tag(text, static_cast<std::size_t>(size));
    if (!encoding.empty()) (tag += '-') += encoding;
    return tag += '"';
}

/// A text that is in no file but by design: nobody can tell it beforehand.
inline std::string random_boundary() {
    unsigned char bytes[16] = {};
    if (::getentropy(bytes, sizeof bytes) != 0)
        throw std::system_error(errno, std::generic_category(), "kvolt: random bytes");
    std::string text;
    for (unsigned char byte : bytes) (text += "0123456789abcdef"[byte >> 4]) += "0123456789abcdef"[byte & 15];
    return text;
}

/// Answer a request with a file, or the part of it that is asked for, or that it is known already (RFC 9110, sections
/// 13 and 14). With another status than 200, such as that of an error page, it is always the whole file.
///
/// @throws HttpError  412 and 416.
inline void answer_file(const Request& request, Response& response, std::shared_ptr<const File> file,
                        const FileFields& fields) {
    bool plain = response.status() == 200;
    std::time_t now = std::time(nullptr);
    Validators validators{entity_tag(*file, fields.content_encoding), std::min(file->modified, now)};
    auto precondition = plain ? evaluate_preconditions(request, validators) : Precondition::holds;
    if (precondition == Precondition::failed) throw HttpError(412, "Precondition Failed");

    auto add_unless_set = [&](std::string_view name, std::string_view value) {
        if (response.header(name).empty()) response.add_header(name, value);
    };
    if (fields.varies) response.add_header("Vary", "Accept-Encoding");
    if (!fields.cache_control.empty()) add_unless_set("Cache-Control", fields.cache_control);
    if (plain) {
        response.header("ETag", validators.etag);
        response.header("Last-Modified", http_date(validators.last_modified));
    }
    if (precondition == Precondition::not_modified) {
        response.status(304);
        return response.body(std::string(), {});
    }
    add_unless_set("X-Content-Type-Options", "nosniff");
    if (!fields.content_encoding.empty()) response.header("Content-Encoding", fields.content_encoding);

    std::uint64_t size = file->size;
    ByteRanges ranges;
    if (plain) {
        response.header("Accept-Ranges", "bytes");
        if (request.method() == "GET" && request.count("Range") == 1 && if_range_holds(request, validators, now))
            ranges = parse_ranges(request.header("Range"), size);
    }
    if (ranges.kind == ByteRanges::Kind::unsatisfiable)
        throw HttpError(416, "Range Not Satisfiable").header("Content-Range", "bytes */" + std::to_string(size));
    // The parts of an encoded file together with their heads would not be encoded so.
    bool several = ranges.ranges.size() > 1 && fields.content_encoding.empty();
    if (several) {
        std::string boundary = random_boundary();
        response.status(206);
        response.header("Content-Type", "multipart/byteranges; boundary=" + boundary);
        return response.body_in_files(multipart(file, ranges.ranges, fields.content_type, boundary), {});
    }
    ByteRange range{0, size - 1};
    if (ranges.ranges.size() == 1) {
        range = ranges.ranges.front();
        response.status(206);
        response.header("Content-Range", content_range(range, size));
    }
    std::vector<FilePart> parts;
    parts.push_back({{}, std::move(file), range.first, size == 0 ? 0 : range.size()});
    response.body_in_files(std::move(parts), fields.content_type);
}

/// Say why a file could not be opened.
///
/// @throws HttpError          404, if there is none that may be had.
/// @throws std::system_error  for troubles of the server's own, such as too many open files.
[[noreturn]] inline void throw_unopened(int error, const std::string& path) {
    if (means_absent(error)) throw HttpError(404, "Not Found");
    throw std::system_error(error, std::generic_category(), "kvolt: the file \"" + path + '"');
}

}  // namespace kvolt::detail

#endif
