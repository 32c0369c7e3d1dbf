#ifndef KVOLT_SRC_REQUEST_HPP
#define KVOLT_SRC_REQUEST_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/request.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvolt {

KVOLT_INLINE std::string_view Request::host() const noexcept {
    std::size_t begin = authority_begin();
    if (begin == 0) return header("Host");
    return target().substr(begin, (std::min)(target().find_first_of("/?", begin), target().size()) - begin);
}

KVOLT_INLINE bool Request::has_token(std::string_view name, std::string_view token) const noexcept {
    auto listed = [&](std::string_view list) {
        while (!list.empty())
            if (detail::iequals(detail::take_item(list), token)) return true;
        return false;
    };
    for (const Field& field : fields_)
        if (detail::iequals(view(field.name), name) && listed(view(field.value))) return true;
    return false;
}

KVOLT_INLINE std::size_t Request::authority_begin() const noexcept {
    if (target().starts_with('/')) return 0;
    std::size_t colon = target().find("://");
    std::string_view scheme = target().substr(0, colon);
    bool absolute =
        colon != std::string_view::npos && (detail::iequals(scheme, "http") || detail::iequals(scheme, "https"));
    return absolute ? colon + 3 : 0;
}

KVOLT_INLINE Request::Place Request::find_path() {
    static constexpr detail::CharacterSet plain(
        "/-_~!$&'()*+,;=:@0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    std::size_t size = plain.span(target());
    plain_path_ = target().starts_with('/') && (size == target().size() || target()[size] == '?');
    if (plain_path_) return {target_.begin, static_cast<std::uint32_t>(size)};
    std::size_t begin = authority_begin(), end = (std::min)(target().find('?'), target().size());
    if (begin > 0) begin = target().find('/', begin);
    if (begin >= end) return begin == 0 ? Place() : keep("/");
    std::string_view path = target().substr(begin, end - begin);
    if (path.starts_with('/') && detail::may_have_dot_segments(path))
        if (auto clean = remove_dot_segments(path)) return keep(*clean);
    return {target_.begin + static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(path.size())};
}

}  // namespace kvolt

#endif
