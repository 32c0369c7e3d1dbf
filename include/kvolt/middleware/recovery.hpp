#ifndef KVOLT_MIDDLEWARE_RECOVERY_HPP
#define KVOLT_MIDDLEWARE_RECOVERY_HPP

#include <kvolt/context.hpp>
#include <kvolt/error.hpp>

#include <exception>
#include <functional>
#include <utility>

namespace kvolt::middleware {

class RecoveryOptions {
public:
    /// Whether an HttpError is recovered from as well. False by default: it is an answer already.
    RecoveryOptions& http_errors(bool include = true) {
        http_errors_ = include;
        return *this;
    }

    bool includes_http_errors() const noexcept { return http_errors_; }

private:
    bool http_errors_ = false;
};

namespace detail {

inline bool is_http_error(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const HttpError&) {
        return true;
    } catch (...) {
        return false;
    }
}

}  // namespace detail

/// Decide what becomes of an exception that left the handler and all middleware, in place of a log line and a 500.
///
///     app.use(kvolt::middleware::recovery([](std::exception_ptr failure, Context& c) {
///         report(failure);
///         c.status(500);
///         c.html(sorry_page);
///     }));
///
/// @param recover  Answers the request; what the handler has said of an answer is gone, but for what middleware left in
///                 the header. If it throws, or throws the exception on, the next outer recovery() or the server
///                 answers. After an upgrade, or once a stream has begun, it can only report: the connection ends in
///                 any case.
inline auto recovery(std::function<void(std::exception_ptr, Context&)> recover, RecoveryOptions options = {}) {
    return [recover = std::move(recover), options](Context& c) {
        c.on_failure([&recover, options](Context& failed, const std::exception_ptr& failure) {
            if (!options.includes_http_errors() && detail::is_http_error(failure)) return false;
            if (!failed.upgraded() && !failed.streamed()) {
                failed.response().clear_body();
                failed.response().status(500);
            }
            recover(failure, failed);
            return true;
        });
    };
}

}  // namespace kvolt::middleware

#endif
