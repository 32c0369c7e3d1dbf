#ifndef KVOLT_DETAIL_FILES_ANSWER_HPP
#define KVOLT_DETAIL_FILES_ANSWER_HPP

#include <kvolt/detail/core/date.hpp>
#include <kvolt/detail/files/byte_ranges.hpp>
#include <kvolt/detail/files/file.hpp>
#include <kvolt/detail/files/multipart.hpp>
#include <kvolt/detail/files/open_file.hpp>
#include <kvolt/detail/files/preconditions.hpp>
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
    std::string_view disposition = {};  ///< Content-Disposition; none if empty.
    bool varies = false;                ///< There are other encodings of it.
};

/// The entity tag of a file's state: its size and the second of its last change, so that copies of it on other machines
/// have the same. One of another encoding is another one (RFC 9110, section 8.8.3.3).
///
/// Until that second is over, the file may change again without a trace: its tag is weak and tells nanoseconds, so that
/// it is good for no range, and for nothing any more as soon as the second is over.
inline std::string entity_tag(const File& file, std::time_t now, std::string_view encoding = {}) {
    bool fresh = now - file.modified < 2;
    char text[80];
    int size =
        std::snprintf(text, sizeof text, "%s\"%llx-%llx", fresh ? "W/" : "", static_cast<unsigned long long>(file.size),
                      static_cast<unsigned long long>(file.modified));
    std::string tag(text, static_cast<std::size_t>(size));
    if (fresh) tag += '-' + std::to_string(file.modified_ns);
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

/// The answer that is all of a file, for any status. Nothing is said by which the client could ask for it again.
inline Response::Answer whole_file(const Response& response, const std::shared_ptr<const File>& file,
                                   const FileFields& fields) {
    Response::Answer answer;
    auto add_unless_set = [&](std::string_view name, std::string_view value) {
        if (!value.empty() && !response.has_set(name)) answer.fields.emplace_back(name, value);
    };
    if (fields.varies) answer.fields.emplace_back("Vary", "Accept-Encoding");
    add_unless_set("Cache-Control", fields.cache_control);
    add_unless_set("X-Content-Type-Options", "nosniff");
    if (!fields.content_encoding.empty()) answer.fields.emplace_back("Content-Encoding", fields.content_encoding);
    if (!fields.disposition.empty()) answer.fields.emplace_back("Content-Disposition", fields.disposition);
    answer.content_type = fields.content_type;
    if (file->made_up)
        answer.parts.push_back({*file->made_up, nullptr, 0, 0});
    else
        answer.parts.push_back({{}, file, 0, file->size});
    return answer;
}

/// Make of it the answer to a request for a part, or by somebody who may know the file already.
///
/// @throws HttpError  412 and 416.
inline void narrow(Response::Answer& answer, const Request& request, const std::shared_ptr<const File>& file,
                   const FileFields& fields) {
    std::time_t now = std::time(nullptr);
    Validators validators{entity_tag(*file, now, fields.content_encoding), (std::min)(file->modified, now)};
    auto precondition = evaluate_preconditions(request, validators);
    if (precondition == Precondition::failed) throw HttpError(412, "Precondition Failed");
    if (precondition == Precondition::not_modified) {
        answer.status = 304;  // with the fields of RFC 9110, section 15.4.5
        std::erase_if(answer.fields,
                      [](const auto& field) { return field.first != "Vary" && field.first != "Cache-Control"; });
    }
    answer.fields.emplace_back("ETag", validators.etag);
    answer.fields.emplace_back("Last-Modified", http_date(validators.last_modified));
    if (answer.status == 304) return;
    answer.fields.emplace_back("Accept-Ranges", "bytes");
    if (request.method() != "GET" || request.count("Range") != 1 || !if_range_holds(request, validators, now)) return;
    std::uint64_t size = file->size;
    ByteRanges ranges = parse_ranges(request.header("Range"), size);
    if (ranges.kind == ByteRanges::Kind::whole) return;
    if (ranges.kind == ByteRanges::Kind::unsatisfiable)
        throw HttpError(416, "Range Not Satisfiable").header("Content-Range", "bytes */" + std::to_string(size));
    bool several = ranges.ranges.size() > 1;
    // The parts of an encoded file together with their heads would not be encoded so.
    if (several && !fields.content_encoding.empty()) return;
    answer.status = 206;
    if (several) {
        std::string boundary = random_boundary();
        answer.fields.emplace_back("Content-Type", "multipart/byteranges; boundary=" + boundary);
        answer.parts = multipart(file, ranges.ranges, fields.content_type, boundary);
        return;
    }
    ByteRange range = ranges.ranges.front();
    answer.fields.emplace_back("Content-Range", content_range(range, size));
    answer.parts.front().offset = range.first;
    answer.parts.front().size = range.size();
}

/// Answer a request with a file, or the part of it that is asked for, or that it is known already (RFC 9110, sections
/// 13 and 14). With another status than 200, such as that of an error page, it is always the whole file: also if that
/// status is said later. So is what the system makes up, which may be another one the next time.
///
/// @throws HttpError  412 and 416; nothing has changed then.
inline void answer_file(const Request& request, Response& response, const std::shared_ptr<const File>& file,
                        const FileFields& fields) {
    Response::Answer answer = whole_file(response, file, fields);
    if (response.said_status() == 200 && !file->made_up) {
        answer.otherwise = std::make_shared<Response::Answer>(answer);
        narrow(answer, request, file, fields);
    }
    response.answer(std::move(answer));
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
