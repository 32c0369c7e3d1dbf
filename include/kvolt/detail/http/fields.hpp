#ifndef KVOLT_DETAIL_HTTP_FIELDS_HPP
#define KVOLT_DETAIL_HTTP_FIELDS_HPP

// All header fields of one name taken together (RFC 9110, section 5.3).

#include <kvolt/detail/core/list.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt::detail {

/// All fields of a name, joined by commas as one list; nothing if there is none.
inline std::optional<std::string> joined_fields(const Request& request, std::string_view name) {
    std::optional<std::string> list;
    for (std::size_t i = 0; i < request.field_count(); ++i) {
        if (!iequals(request.field_name(i), name)) continue;
        if (list) *list += ", ";
        (list ? *list : list.emplace()) += request.field_value(i);
    }
    return list;
}

/// The items of all fields of this name, in their order, but for empty ones.
///
/// @param quotes  Whether the field knows quoted strings. One that a client leaves open must not swallow what a proxy
///                has added behind it.
inline std::vector<std::string_view> list_items(const Request& request, std::string_view name, bool quotes = false) {
    std::vector<std::string_view> items;
    for (std::size_t i = 0; i < request.field_count(); ++i) {
        if (!iequals(request.field_name(i), name)) continue;
        std::string_view rest = request.field_value(i);
        bool quoted = quotes && quotes_end(rest);
        while (!rest.empty())
            if (std::string_view item = take_item(rest, ',', quoted); !item.empty()) items.push_back(item);
    }
    return items;
}

}  // namespace kvolt::detail

#endif
