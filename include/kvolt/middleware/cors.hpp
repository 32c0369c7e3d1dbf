#ifndef KVOLT_MIDDLEWARE_CORS_HPP
#define KVOLT_MIDDLEWARE_CORS_HPP

// Which pages of other origins may read answers (the CORS protocol of the Fetch standard).

#include <kvolt/context.hpp>
#include <kvolt/detail/http/origin_list.hpp>
#include <kvolt/detail/http/vary.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/response.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::middleware {

/// By default pages of any origin may read what needs no login: no cookies, no client certificates.
class CorsOptions {
public:
    /// Allow pages of this origin and of the others that were allowed so; no longer any. See
    /// UpgradeOptions::allow_origin(): `https://example.com`, `https://*.example.com`, `capacitor://localhost`, `null`.
    ///
    /// @throws std::invalid_argument  if it is not a scheme, host and optional port, or `null`.
    CorsOptions& allow_origin(std::string_view origin) {
        origins_.allow(origin);
        return *this;
    }

    /// Allow the origins for which the function returns true; it gets the Origin field as it was sent, `null` included.
    CorsOptions& allow_origins(std::function<bool(std::string_view origin)> allow) {
        origins_.allow_if(std::move(allow));
        return *this;
    }

    /// Let requests carry cookies and logins. Needs allow_origin() or allow_origins(): never for any origin.
    CorsOptions& credentials(bool allow = true) {
        credentials_ = allow;
        return *this;
    }

    /// The methods that pages may use; GET, HEAD, POST, PUT, PATCH and DELETE by default.
    ///
    /// @throws std::invalid_argument  for what cannot be in a header field.
    CorsOptions& methods(const std::vector<std::string>& names) {
        methods_ = joined(names);
        return *this;
    }

    /// The header fields that pages may set; any by default.
    ///
    /// @throws std::invalid_argument  for what cannot be in a header field.
    CorsOptions& headers(const std::vector<std::string>& names) {
        headers_ = joined(names);
        any_header_ = false;
        return *this;
    }

    /// The header fields of answers that pages may read, beside the harmless ones; none by default.
    ///
    /// @throws std::invalid_argument  for what cannot be in a header field.
    CorsOptions& expose(const std::vector<std::string>& names) {
        exposed_ = joined(names);
        return *this;
    }

    /// How long a browser may keep the answer to a preflight; 10 minutes by default.
    CorsOptions& max_age(std::chrono::seconds age) {
        max_age_ = age;
        return *this;
    }

    bool any_origin() const noexcept { return origins_.empty(); }
    bool allows(std::string_view origin) const { return any_origin() || origins_.allows(origin); }
    bool allows_credentials() const noexcept { return credentials_; }
    const std::string& methods() const noexcept { return methods_; }
    bool any_header() const noexcept { return any_header_; }
    const std::string& headers() const noexcept { return headers_; }
    const std::string& exposed() const noexcept { return exposed_; }
    std::chrono::seconds max_age() const noexcept { return max_age_; }

private:
    static std::string joined(const std::vector<std::string>& names) {
        std::string list;
        for (const std::string& name : names) {
            Response().header("X-" + name, {});  // throws if it is no token
            (list += list.empty() ? "" : ", ") += name;
        }
        return list;
    }

    kvolt::detail::OriginList origins_;
    bool credentials_ = false;
    std::string methods_ = "GET, HEAD, POST, PUT, PATCH, DELETE";
    bool any_header_ = true;
    std::string headers_;
    std::string exposed_;
    std::chrono::seconds max_age_ = std::chrono::minutes(10);
};

namespace detail {

inline void answer_preflight(Context& c, const CorsOptions& options, bool allowed) {
    c.status(204);
    kvolt::detail::add_vary(c.response(), "Access-Control-Request-Method");
    kvolt::detail::add_vary(c.response(), "Access-Control-Request-Headers");
    if (!allowed) return;
    c.header("Access-Control-Allow-Methods", options.methods());
    std::string_view headers =
        options.any_header() ? c.header("Access-Control-Request-Headers") : std::string_view(options.headers());
    if (!headers.empty()) c.header("Access-Control-Allow-Headers", headers);
    c.header("Access-Control-Max-Age", std::to_string(options.max_age().count()));
}

}  // namespace detail

/// Let pages of other origins use these routes, and answer the preflights that browsers send for it.
///
///     api.use(kvolt::middleware::cors(CorsOptions().allow_origin("https://example.com").credentials()));
///
/// Nothing is refused here: it is the browser that keeps an answer from a page of another origin. For an app or a
/// group, preflights need no OPTIONS route. As middleware of a single route, give it to both methods:
/// `app.put("/x", cors, handler); app.options("/x", cors);`. WebSockets have a check of their own: UpgradeOptions.
///
/// @throws std::invalid_argument  for credentials with any origin.
inline auto cors(CorsOptions options = {}) {
    if (options.allows_credentials() && options.any_origin())
        throw std::invalid_argument("kvolt: cors: credentials need allow_origin() or allow_origins()");
    return observer([shared = std::make_shared<const CorsOptions>(std::move(options))](Context& c) {
        const CorsOptions& chosen = *shared;
        auto origin = c.request().find("Origin");
        bool allowed = origin && chosen.allows(*origin);
        // For any origin, also without one: what a browser has in its cache is then good for pages of other origins,
        // too.
        if (chosen.any_origin()) {
            c.header("Access-Control-Allow-Origin", "*");
        } else if (allowed) {
            c.header("Access-Control-Allow-Origin", *origin);
            if (chosen.allows_credentials()) c.header("Access-Control-Allow-Credentials", "true");
        }
        if (!chosen.any_origin())  // also for answers without Origin, which a cache may keep; whatever a handler says
            c.follow([](Context& of, Phase phase) {
                if (phase == Phase::streaming || phase == Phase::answered)
                    kvolt::detail::add_vary(of.response(), "Origin");
            });
        if (origin && c.method() == "OPTIONS" && c.request().find("Access-Control-Request-Method"))
            return detail::answer_preflight(c, chosen, allowed);
        if ((allowed || chosen.any_origin()) && !chosen.exposed().empty())
            c.header("Access-Control-Expose-Headers", chosen.exposed());
    });
}

}  // namespace kvolt::middleware

#endif
