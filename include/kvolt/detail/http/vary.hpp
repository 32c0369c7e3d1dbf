#ifndef KVOLT_DETAIL_HTTP_VARY_HPP
#define KVOLT_DETAIL_HTTP_VARY_HPP

#include <kvolt/detail/core/list.hpp>
#include <kvolt/response.hpp>
#include <kvolt/url.hpp>

#include <string_view>

namespace kvolt::detail {

/// Tell caches that the response depends on a field of the request (RFC 9110, section 12.5.5).
inline void add_vary(Response& response, std::string_view field) {
    for (const auto& [name, value] : response.fields()) {
        if (!iequals(name, "Vary")) continue;
        std::string_view list = value;
        while (!list.empty()) {
            std::string_view item = take_item(list);
            if (item == "*" || iequals(item, field)) return;
        }
    }
    response.add_header("Vary", field);
}

}  // namespace kvolt::detail

#endif
