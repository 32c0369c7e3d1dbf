#ifndef KVOLT_MIDDLEWARE_SECURE_HEADERS_HPP
#define KVOLT_MIDDLEWARE_SECURE_HEADERS_HPP

#include <kvolt/context.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/response.hpp>
#include <kvolt/url.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::middleware {

/// The fields by which browsers are asked to be careful. By default:
///
/// - `X-Content-Type-Options: nosniff`: a file is what its type says.
/// - `X-Frame-Options: SAMEORIGIN` and a Content-Security-Policy: other sites must not frame the page; forms and base
///   addresses stay within the origin; no plug-ins.
/// - `Referrer-Policy: same-origin`: other sites do not learn addresses.
/// - `Cross-Origin-Opener-Policy: same-origin`, `Cross-Origin-Resource-Policy: same-origin`: windows and resources are
///   not shared with other sites.
/// - `Strict-Transport-Security` of 180 days, over TLS only.
class SecureHeadersOptions {
public:
    /// Set a field, one of the above or any other, such as `Permissions-Policy`.
    ///
    /// @throws std::invalid_argument  for what Response::header() refuses.
    SecureHeadersOptions& set(std::string_view name, std::string_view value) {
        Response().header(name, value);
        remove(name);
        if (kvolt::detail::iequals(name, hsts_name)) return hsts_ = value, *this;
        fields_.emplace_back(name, value);
        return *this;
    }

    /// Do not set this field.
    SecureHeadersOptions& remove(std::string_view name) {
        std::erase_if(fields_, [&](const auto& field) { return kvolt::detail::iequals(field.first, name); });
        if (kvolt::detail::iequals(name, hsts_name)) hsts_.clear();
        return *this;
    }

    /// For how long a browser that came over TLS must do so again; 0 makes it forget.
    ///
    /// @param subdomains  Also for all subdomains. Make sure that they all speak TLS.
    SecureHeadersOptions& hsts(std::chrono::seconds age, bool subdomains = false) {
        hsts_ = "max-age=" + std::to_string(age.count()) + (subdomains ? "; includeSubDomains" : "");
        return *this;
    }

    /// Say nothing of TLS.
    SecureHeadersOptions& no_hsts() {
        hsts_.clear();
        return *this;
    }

    const std::vector<std::pair<std::string, std::string>>& fields() const noexcept { return fields_; }
    const std::string& hsts() const noexcept { return hsts_; }

private:
    static constexpr std::string_view hsts_name = "Strict-Transport-Security";

    std::vector<std::pair<std::string, std::string>> fields_{
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "SAMEORIGIN"},
        {"Content-Security-Policy", "base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"},
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
    };
    std::string hsts_ = "max-age=15552000";
};

/// Set fields that protect the visitors of a web site. A handler may set any of them differently.
///
///     app.use(kvolt::middleware::secure_headers());
///     app.use(secure_headers(SecureHeadersOptions().set("X-Frame-Options", "DENY").no_hsts()));
inline auto secure_headers(SecureHeadersOptions options = {}) {
    return observer([options = std::move(options)](Context& c) {
        for (const auto& [name, value] : options.fields()) c.header(name, value);
        if (!options.hsts().empty() && c.secure()) c.header("Strict-Transport-Security", options.hsts());
    });
}

}  // namespace kvolt::middleware

#endif
