#ifndef KVOLT_DETAIL_FILES_ENTITY_TAG_HPP
#define KVOLT_DETAIL_FILES_ENTITY_TAG_HPP

#include <kvolt/detail/core/list.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace kvolt::detail {

/// Take the entity tag off the front of a list, with its quotes and its `W/` (RFC 9110, section 8.8.3).
///
/// @returns  nothing, and the list is empty, at the end and from where it is malformed.
inline std::optional<std::string_view> next_entity_tag(std::string_view& list) noexcept {
    list.remove_prefix((std::min)(list.find_first_not_of(" \t,"), list.size()));
    std::size_t open = list.starts_with("W/") ? 2 : 0;
    std::size_t close = open < list.size() && list[open] == '"' ? list.find('"', open + 1) : list.npos;
    if (close == list.npos) return list = {}, std::nullopt;
    std::string_view tag = list.substr(0, close + 1);
    for (char c : tag.substr(open + 1, close - open - 1))
        if (static_cast<unsigned char>(c) <= ' ' || c == 0x7F) return list = {}, std::nullopt;
    list.remove_prefix(tag.size());
    list.remove_prefix((std::min)(list.find_first_not_of(" \t"), list.size()));
    if (!list.empty() && list.front() != ',') return list = {}, std::nullopt;
    return tag;
}

/// True if both are the same and neither is weak (RFC 9110, section 8.8.3.2).
inline bool equal_strongly(std::string_view a, std::string_view b) noexcept { return a == b && !a.starts_with("W/"); }

/// True if both are the same but for being weak.
inline bool equal_weakly(std::string_view a, std::string_view b) noexcept {
    if (a.starts_with("W/")) a.remove_prefix(2);
    if (b.starts_with("W/")) b.remove_prefix(2);
    return a == b;
}

/// True if a list, as in If-Match and If-None-Match, is `*` or has the tag of what there is.
template <class Equal>
bool lists_entity_tag(std::string_view list, std::string_view tag, Equal equal) noexcept {
    if (trimmed(list) == "*") return true;
    while (auto listed = next_entity_tag(list))
        if (equal(*listed, tag)) return true;
    return false;
}

}  // namespace kvolt::detail

#endif
