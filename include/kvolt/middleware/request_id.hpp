#ifndef KVOLT_MIDDLEWARE_REQUEST_ID_HPP
#define KVOLT_MIDDLEWARE_REQUEST_ID_HPP

// A name for every request, by which it is found again in the logs of several services.

#include <kvolt/context.hpp>
#include <kvolt/detail/core/character_set.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/response.hpp>

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::middleware {

/// What request_id() leaves for handlers: `c.get<RequestId>()->value`.
struct RequestId {
    std::string value;
};

class RequestIdOptions {
public:
    /// The header field that an id comes in and goes out by; `X-Request-Id` by default.
    ///
    /// @throws std::invalid_argument  if it is no name of a field.
    RequestIdOptions& field(std::string name) {
        Response().header(name, {});
        field_ = std::move(name);
        return *this;
    }

    /// Whether a sane id of the client is taken over: at most 128 letters, digits and `-_.:+/=`. True by default;
    /// switch it off where clients are not to choose.
    RequestIdOptions& trust_client(bool trust = true) {
        trust_ = trust;
        return *this;
    }

    /// How new ids are made; by default, 128 random bits in hexadecimal. Called on all loops.
    RequestIdOptions& generator(std::function<std::string()> make) {
        make_ = std::move(make);
        return *this;
    }

    const std::string& field() const noexcept { return field_; }
    bool trusts_client() const noexcept { return trust_; }
    const std::function<std::string()>& generator() const noexcept { return make_; }

private:
    std::string field_ = "X-Request-Id";
    bool trust_ = true;
    std::function<std::string()> make_;
};

namespace detail {

inline bool is_sane_request_id(std::string_view id) noexcept {
    static constexpr kvolt::detail::CharacterSet allowed(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:+/=");
    return !id.empty() && id.size() <= 128 && allowed.has_all(id);
}

/// 32 hexadecimal digits, never the same twice. They are not meant to be secret.
inline std::string make_request_id() {
    thread_local std::mt19937_64 random = [] {
        std::random_device device;
        std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
        return std::mt19937_64(seed);
    }();
    std::string id;
    for (int half = 0; half < 2; ++half) {
        std::uint64_t bits = random();
        for (int i = 0; i < 16; ++i, bits >>= 4) id += "0123456789abcdef"[bits & 15];
    }
    return id;
}

}  // namespace detail

/// Give every request an id: the client's X-Request-Id, or a new one. It is said in the answer, and logger() logs it.
///
///     app.use(kvolt::middleware::request_id());
///     app.get("/", [](Context& c) { c.text(c.get<kvolt::middleware::RequestId>()->value); });
inline auto request_id(RequestIdOptions options = {}) {
    return observer([options = std::move(options)](Context& c) {
        std::string_view given = c.header(options.field());
        RequestId id;
        if (options.trusts_client() && detail::is_sane_request_id(given))
            id.value = given;
        else
            id.value = options.generator() ? options.generator()() : detail::make_request_id();
        c.header(options.field(), id.value);
        c.set(std::move(id));
    });
}

}  // namespace kvolt::middleware

#endif
