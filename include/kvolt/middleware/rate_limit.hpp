#ifndef KVOLT_MIDDLEWARE_RATE_LIMIT_HPP
#define KVOLT_MIDDLEWARE_RATE_LIMIT_HPP

#include <kvolt/context.hpp>
#include <kvolt/detail/core/token_buckets.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/error.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::middleware {

class RateLimitOptions {
public:
    using Clock = std::chrono::steady_clock;

    /// How many requests a client may make in the long run; 100 a minute by default. Also sets the burst to `count`.
    ///
    /// @throws std::invalid_argument  if one of them is not positive.
    RateLimitOptions& rate(std::size_t count, std::chrono::milliseconds per) {
        if (count == 0 || per.count() <= 0) throw std::invalid_argument("kvolt: rate_limit: a rate must be positive");
        rate_ = static_cast<double>(count) * 1000.0 / static_cast<double>(per.count());
        burst_ = count;
        return *this;
    }

    /// How many of them may come at once.
    ///
    /// @throws std::invalid_argument  for 0.
    RateLimitOptions& burst(std::size_t count) {
        if (count == 0) throw std::invalid_argument("kvolt: rate_limit: a burst must be positive");
        burst_ = count;
        return *this;
    }

    /// Who counts as one client: what the function returns, such as a user's name; an empty string is not limited. By
    /// default it is the address without its port, and of an IPv6 address the first half (its /64), since a client has
    /// all of the rest. Behind a proxy that App::trust_proxies() does not name, that is the proxy's address, and all
    /// clients share one limit; those that come by a Unix socket always do.
    RateLimitOptions& key(std::function<std::string(Context&)> key) {
        key_ = std::move(key);
        return *this;
    }

    /// How many clients are remembered; 10,000 by default, a few MiB. Whoever has not asked for so long that all of the
    /// limit is there again needs not to be. Past this number new clients share one limit until others are forgotten,
    /// so that nobody gets around it by many addresses: choose more than you expect in that time.
    ///
    /// @throws std::invalid_argument  for 0.
    RateLimitOptions& clients(std::size_t most) {
        if (most == 0) throw std::invalid_argument("kvolt: rate_limit: at least one client must be remembered");
        clients_ = most;
        return *this;
    }

    /// How many clients of one IPv6 network (a /48, which one customer may have all of) are remembered, each with a
    /// limit of its own; 256 by default, and no more than a quarter of clients(). Past it the new ones of the network
    /// share one limit.
    ///
    /// @throws std::invalid_argument  for 0.
    RateLimitOptions& networks(std::size_t most) {
        if (most == 0) throw std::invalid_argument("kvolt: rate_limit: at least one network must be remembered");
        networks_ = most;
        return *this;
    }

    /// Whether answers say what is left, in RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset (seconds).
    RateLimitOptions& fields(bool fields) {
        fields_ = fields;
        return *this;
    }

    /// Another clock, for tests.
    RateLimitOptions& clock(std::function<Clock::time_point()> now) {
        now_ = std::move(now);
        return *this;
    }

    double rate() const noexcept { return rate_; }  ///< Per second.
    std::size_t burst() const noexcept { return burst_; }
    std::size_t clients() const noexcept { return clients_; }
    std::size_t networks() const noexcept { return (std::min)(networks_, std::max<std::size_t>(clients_ / 4, 1)); }
    bool fields() const noexcept { return fields_; }
    const std::function<std::string(Context&)>& key() const noexcept { return key_; }
    const std::function<Clock::time_point()>& clock() const noexcept { return now_; }

private:
    double rate_ = 100.0 / 60.0;
    std::size_t burst_ = 100;
    std::size_t clients_ = 10000;
    std::size_t networks_ = 256;
    bool fields_ = true;
    std::function<std::string(Context&)> key_;
    std::function<Clock::time_point()> now_ = Clock::now;
};

namespace detail {

/// Who is limited, and the network that many such may be in.
struct RateLimitKey {
    std::string client, network;
};

/// Of `192.0.2.1:1234` or `[2001:db8::1]:1234`: the first, or `2001:db8::/64` in `2001:db8::/48`.
inline RateLimitKey rate_limit_key(std::string_view address) {
    std::size_t scope = address.find('%');  // as in `fe80::1%eth0`
    auto peer = kvolt::detail::IpEndpoint::parse(
        scope == address.npos ? address : address.substr(address.starts_with('['), scope - address.starts_with('[')));
    if (!peer) return {std::string(address), {}};
    if (peer->ip.is_v4()) return {peer->ip.to_string(), {}};
    return {peer->ip.network(64).to_string() + "/64", peer->ip.network(48).to_string() + "/48"};
}

}  // namespace detail

/// Let every client make so many requests (a token bucket); what is too much gets 429 with Retry-After. The clients of
/// all loops are counted together.
///
///     using namespace std::chrono_literals;
///     api.use(kvolt::middleware::rate_limit(kvolt::middleware::RateLimitOptions().rate(60, 1min).burst(10)));
inline auto rate_limit(RateLimitOptions options = {}) {
    struct State {
        explicit State(RateLimitOptions chosen)
            : options(std::move(chosen)),
              buckets(options.rate(), static_cast<double>(options.burst()), options.clients(), options.networks()) {}

        const RateLimitOptions options;
        std::mutex mutex;  // held for a look-up only
        kvolt::detail::TokenBuckets buckets;
    };
    return [state = std::make_shared<State>(std::move(options))](Context& c) {
        const RateLimitOptions& chosen = state->options;
        detail::RateLimitKey key;
        if (chosen.key())
            key.client = chosen.key()(c);
        else
            key = detail::rate_limit_key(c.remote_address());
        if (key.client.empty()) return;
        auto now = chosen.clock()();
        kvolt::detail::TokenBuckets::Taken taken;
        {
            std::lock_guard lock(state->mutex);
            taken = state->buckets.take(key.client, now, key.network);
        }
        auto whole = [](double number) { return std::to_string(static_cast<long long>(number)); };
        if (chosen.fields()) {
            c.header("RateLimit-Limit", std::to_string(chosen.burst()));
            c.header("RateLimit-Remaining", whole(taken.left));
            c.header("RateLimit-Reset", whole(std::ceil(taken.seconds_all)));
        }
        if (!taken.allowed)
            throw HttpError(429, "Too Many Requests")
                .header("Retry-After", whole((std::max)(1.0, std::ceil(taken.seconds_one))));
    };
}

}  // namespace kvolt::middleware

#endif
