#ifndef KVOLT_DETAIL_VARY_HPP
#define KVOLT_DETAIL_VARY_HPP

#include <kvolt/response.hpp>
#include <kvolt/url.hpp>

#include <algorithm>
#include <string_view>

namespace kvolt::detail {

/// Tell caches that the response depends on a field of the request (RFC 9110, section 12.5.5).
inline void add_vary(Response& response, std::string_view field) {
    for (const auto& [name, value] : response.fields()) {
        if (!iequals(name, "Vary")) continue;
        std::string_view list = value;
        while (!list.empty()) {
            std::string_view item = list.substr(0, list.find(','));
            list.remove_prefix(std::min(list.size(), item.size() + 1));
            while (item.starts_with(' ')) item.remove_prefix(1);
            while (item.ends_with(' ')) item.remove_suffix(1);
            if (item == "*" || iequals(item, field)) return;
        }
    }
    response.add_header("Vary", field);
}

}  // namespace kvolt::detail

#endif
