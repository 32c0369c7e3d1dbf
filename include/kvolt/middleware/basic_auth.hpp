#ifndef KVOLT_MIDDLEWARE_BASIC_AUTH_HPP
#define KVOLT_MIDDLEWARE_BASIC_AUTH_HPP

// User and password by the browser's own dialog (RFC 7617). For use over TLS: the password is sent with every request.

#include <kvolt/constant_time.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/core/list.hpp>
#include <kvolt/detail/http/credentials.hpp>
#include <kvolt/error.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/response.hpp>

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace kvolt::middleware {

/// Who has logged in by basic_auth(): `c.get<BasicUser>()->name`.
struct BasicUser {
    std::string name;
};

/// Decides by user and password: `bool(std::string_view user, std::string_view password)`, or a coroutine that returns
/// `Task<bool>`. The views are valid until it is done.
template <class F>
concept BasicCheck = std::invocable<const F&, std::string_view, std::string_view> &&
    (std::same_as<std::invoke_result_t<const F&, std::string_view, std::string_view>, bool> ||
     std::same_as<std::invoke_result_t<const F&, std::string_view, std::string_view>, Task<bool>>);

/// Let in only who knows a password; others get 401, and browsers ask for it.
///
///     app.use(kvolt::middleware::basic_auth([](std::string_view user, std::string_view password) {
///         return user == "admin" && kvolt::constant_time_equal(secret, password);
///     }));
///
/// @param check  Called on all loops, for every request that brings credentials. Hash the passwords that you keep.
/// @param realm  What the dialog says the password is for.
/// @throws std::invalid_argument  for a control character in the realm.
template <BasicCheck Check>
auto basic_auth(Check check, std::string_view realm = "restricted") {
    std::string challenge = "Basic realm=" + kvolt::detail::quoted(realm) + ", charset=\"UTF-8\"";
    Response().header("WWW-Authenticate", challenge);
    auto settle = [challenge = std::move(challenge)](Context& c, bool good, std::string user) {
        if (!good) throw HttpError(401, "Unauthorized").header("WWW-Authenticate", challenge);
        c.set(BasicUser{std::move(user)});
    };
    if constexpr (std::same_as<std::invoke_result_t<const Check&, std::string_view, std::string_view>, bool>) {
        return [check = std::move(check), settle = std::move(settle)](Context& c) {
            auto given = kvolt::detail::basic_credentials(c.header("Authorization"));
            bool good = given && check(given->first, given->second);
            settle(c, good, given ? std::move(given->first) : std::string());
        };
    } else {
        return [check = std::move(check), settle = std::move(settle)](Context& c) -> Task<> {
            auto given = kvolt::detail::basic_credentials(c.header("Authorization"));
            bool good = false;
            if (given) {
                Task<bool> decision = check(std::string_view(given->first), std::string_view(given->second));
                good = co_await std::move(decision);
            }
            settle(c, good, given ? std::move(given->first) : std::string());
        };
    }
}

}  // namespace kvolt::middleware

#endif
