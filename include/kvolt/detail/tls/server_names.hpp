#ifndef KVOLT_DETAIL_TLS_SERVER_NAMES_HPP
#define KVOLT_DETAIL_TLS_SERVER_NAMES_HPP

#include <kvolt/url.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt::detail {

/// Whether a certificate's name is that of a host: the same, or `*.example.com` for `www.example.com`, where the star
/// stands for exactly one label (RFC 6125, section 6.4.3).
inline bool names_host(std::string_view name, std::string_view host) noexcept {
    if (iequals(name, host)) return true;
    std::size_t dot = host.find('.');
    return name.starts_with("*.") && dot != host.npos && dot > 0 && name.find('.', 2) != name.npos &&
           iequals(name.substr(1), host.substr(dot));
}

/// Which certificate to show to a client that asks for `host` (SNI, RFC 6066, section 3).
///
/// @param names  Of each certificate, the names that it is for.
/// @returns  the first one with exactly this name, else the first one with a wildcard for it; nothing if there is none.
inline std::optional<std::size_t> find_certificate(const std::vector<std::vector<std::string>>& names,
                                                   std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    std::optional<std::size_t> wildcard;
    for (std::size_t i = 0; i < names.size(); ++i)
        for (const std::string& name : names[i]) {
            if (iequals(name, host)) return i;
            if (!wildcard && names_host(name, host)) wildcard = i;
        }
    return wildcard;
}

}  // namespace kvolt::detail

#endif
