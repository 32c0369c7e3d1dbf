#ifndef KVOLT_MIDDLEWARE_BODY_LIMIT_HPP
#define KVOLT_MIDDLEWARE_BODY_LIMIT_HPP

#include <kvolt/context.hpp>
#include <kvolt/error.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace kvolt::middleware {

/// Refuse requests with a larger body by 413.
///
/// `Limits::body_size` holds for the whole app, and this can only lower it. Routes with `kvolt::stream_body` are an
/// exception: they have no other limit than this one, and read_some() throws when it is passed.
///
///     app.post("/name", kvolt::middleware::body_limit(1024), handler);
///
/// @param bytes  The most that a body may have; with 0, only empty ones are taken.
inline auto body_limit(std::size_t bytes) {
    return [bytes](Context& c) {
        std::string_view length = c.header("Content-Length");
        std::uint64_t announced = 0;
        auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), announced);
        bool too_long = error == std::errc::result_out_of_range || announced > bytes ||
                        (!c.body_to_come() && c.body().size() > bytes);
        if (too_long) throw HttpError(413, "Content Too Large");
        c.limit_body(bytes);
    };
}

}  // namespace kvolt::middleware

#endif
