#ifndef KVOLT_DETAIL_CORE_TOKEN_BUCKET_HPP
#define KVOLT_DETAIL_CORE_TOKEN_BUCKET_HPP

#include <algorithm>
#include <chrono>

namespace kvolt::detail {

/// Lets something happen so often per second, and some more in a row after a pause.
class TokenBucket {
public:
    using Clock = std::chrono::steady_clock;

    /// A full one.
    TokenBucket(double burst, Clock::time_point now) : tokens_(burst), since_(now) {}

    /// Take one token, if there is one.
    ///
    /// @param rate   Tokens that it gets per second.
    /// @param burst  Tokens that it holds; at least 1.
    bool take(double rate, double burst, Clock::time_point now) {
        std::chrono::duration<double> passed = now - since_;
        if (passed.count() > 0) {
            tokens_ = (std::min)(burst, tokens_ + passed.count() * rate);
            since_ = now;
        }
        bool taken = tokens_ >= 1;
        if (taken) tokens_ -= 1;
        return taken;
    }

    double tokens() const noexcept { return tokens_; }

private:
    double tokens_;
    Clock::time_point since_;
};

}  // namespace kvolt::detail

#endif
