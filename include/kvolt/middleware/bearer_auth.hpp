#ifndef KVOLT_MIDDLEWARE_BEARER_AUTH_HPP
#define KVOLT_MIDDLEWARE_BEARER_AUTH_HPP

// Access tokens (RFC 6750), such as API keys and JWTs. What a token is, and whether it is good, the application knows.

#include <kvolt/constant_time.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/http/credentials.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/response.hpp>

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kvolt::middleware {

/// The token that bearer_auth() has let in, where its function returns bool: `c.get<BearerToken>()->value`.
struct BearerToken {
    std::string value;
};

class BearerAuthOptions {
public:
    /// What the token is for; told in the challenge.
    ///
    /// @throws std::invalid_argument  for a control character in it.
    BearerAuthOptions& realm(std::string_view realm) {
        std::string challenge = "Bearer realm=" + kvolt::detail::quoted(realm);
        Response().header("WWW-Authenticate", challenge);
        challenge_ = std::move(challenge);
        return *this;
    }

    /// Where else a token may be when there is no Authorization field, which a browser's WebSocket cannot set: a
    /// cookie, or a query parameter (which ends up in logs: let it be short-lived). The function returns an empty
    /// string for none.
    BearerAuthOptions& fallback(std::function<std::string(Context&)> find) {
        fallback_ = std::move(find);
        return *this;
    }

    const std::string& challenge() const noexcept { return challenge_; }
    const std::function<std::string(Context&)>& fallback() const noexcept { return fallback_; }

private:
    std::string challenge_ = "Bearer realm=\"restricted\"";
    std::function<std::string(Context&)> fallback_;
};

namespace detail {

template <class T>
struct BearerResult {  // of a plain function
    using Value = T;
    static constexpr bool coroutine = false;
};
template <class T>
struct BearerResult<Task<T>> {
    using Value = T;
    static constexpr bool coroutine = true;
};

template <class T>
inline constexpr bool is_claims = false;
template <class T>
inline constexpr bool is_claims<std::optional<T>> = true;

template <class F>
using BearerResultOf = BearerResult<std::invoke_result_t<const F&, std::string_view>>;

inline std::string find_token(Context& c, const BearerAuthOptions& options) {
    auto field = c.request().find("Authorization");
    if (field) return std::string(kvolt::detail::bearer_token(*field).value_or(std::string_view()));
    return options.fallback() ? options.fallback()(c) : std::string();
}

// Throws unless the verdict is good; then leaves what is known of the client.
template <class Verdict>
void settle_token(Context& c, const BearerAuthOptions& options, std::string token, Verdict verdict) {
    if (!verdict) {
        // RFC 6750, section 3.1: no error code for who brought no token.
        std::string challenge = options.challenge() + (token.empty() ? "" : ", error=\"invalid_token\"");
        throw HttpError(401, "Unauthorized").header("WWW-Authenticate", std::move(challenge));
    }
    if constexpr (std::same_as<Verdict, bool>)
        c.set(BearerToken{std::move(token)});
    else
        c.set(*std::move(verdict));
}

}  // namespace detail

/// Decides by a token: returns bool, or `std::optional<Claims>` with what the token says of its bearer; or a coroutine
/// that returns a `Task` of one of these. The view is valid until it is done.
template <class F>
concept BearerCheck = std::invocable<const F&, std::string_view> &&
    (std::same_as<typename detail::BearerResultOf<F>::Value, bool> ||
     detail::is_claims<typename detail::BearerResultOf<F>::Value>);

/// Let in only who brings a good token; others get 401.
///
///     api.use(kvolt::middleware::bearer_auth([](std::string_view token) -> std::optional<Claims> { ... }));
///     api.get("/me", [](Context& c) { c.text(c.get<Claims>()->name); });
///
/// @param check  Called on all loops, for every request that brings a token.
template <BearerCheck Check>
auto bearer_auth(Check check, BearerAuthOptions options = {}) {
    using Verdict = typename detail::BearerResultOf<Check>::Value;
    if constexpr (!detail::BearerResultOf<Check>::coroutine) {
        return [check = std::move(check), options = std::move(options)](Context& c) {
            std::string token = detail::find_token(c, options);
            Verdict verdict{};
            if (!token.empty()) verdict = check(std::string_view(token));
            detail::settle_token(c, options, std::move(token), std::move(verdict));
        };
    } else {
        return [check = std::move(check), options = std::move(options)](Context& c) -> Task<> {
            std::string token = detail::find_token(c, options);
            Verdict verdict{};
            if (!token.empty()) {
                Task<Verdict> decision = check(std::string_view(token));
                verdict = co_await std::move(decision);
            }
            detail::settle_token(c, options, std::move(token), std::move(verdict));
        };
    }
}

}  // namespace kvolt::middleware

#endif
