#ifndef KVOLT_DETAIL_FILES_PRECONDITIONS_HPP
#define KVOLT_DETAIL_FILES_PRECONDITIONS_HPP

// Conditional requests (RFC 9110, section 13).

#include <kvolt/detail/core/date_parser.hpp>
#include <kvolt/detail/files/entity_tag.hpp>
#include <kvolt/detail/http/fields.hpp>
#include <kvolt/request.hpp>

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace kvolt::detail {

/// What tells one state of a file from another.
struct Validators {
    std::string etag;               ///< With its quotes.
    std::time_t last_modified = 0;  ///< In whole seconds, as the field says it.
};

enum class Precondition {
    holds,         ///< Answer as if there were none.
    not_modified,  ///< 304: the client has it already.
    failed,        ///< 412
};

/// Evaluate If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since, in the order of section 13.2.2.
inline Precondition evaluate_preconditions(const Request& request, const Validators& now) {
    bool safe = request.method() == "GET" || request.method() == "HEAD";
    auto date_of = [&](std::string_view name) -> std::optional<std::time_t> {
        if (request.count(name) != 1) return std::nullopt;
        return parse_http_date(request.header(name));
    };
    if (auto list = joined_fields(request, "If-Match")) {
        if (!lists_entity_tag(*list, now.etag, equal_strongly)) return Precondition::failed;
    } else if (auto date = date_of("If-Unmodified-Since"); date && now.last_modified > *date) {
        return Precondition::failed;
    }
    if (auto list = joined_fields(request, "If-None-Match")) {
        if (lists_entity_tag(*list, now.etag, equal_weakly))
            return safe ? Precondition::not_modified : Precondition::failed;
    } else if (auto date = date_of("If-Modified-Since"); safe && date && now.last_modified <= *date) {
        return Precondition::not_modified;
    }
    return Precondition::holds;
}

/// True if a Range is to be answered: no If-Range, or one that names exactly what there is (section 13.1.5).
///
/// @param date  What the answer's Date field says: a file that was modified within a second of it may have been
/// modified
///              again since, so that its time identifies nothing.
inline bool if_range_holds(const Request& request, const Validators& now, std::time_t date) {
    if (request.count("If-Range") == 0) return true;
    if (request.count("If-Range") > 1) return false;
    std::string_view field = request.header("If-Range");
    if (field.find('"') != field.npos) return equal_strongly(field, now.etag);
    return parse_http_date(field) == now.last_modified && date - now.last_modified >= 1;
}

}  // namespace kvolt::detail

#endif
