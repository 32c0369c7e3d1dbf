#ifndef KVOLT_DETAIL_TOKEN_BUCKETS_HPP
#define KVOLT_DETAIL_TOKEN_BUCKETS_HPP

#include <kvolt/detail/token_bucket.hpp>

#include <algorithm>
#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

namespace kvolt::detail {

/// A token bucket for each of many keys, in bounded memory: when there are too many, the one that was not used for
/// longest is forgotten.
class TokenBuckets {
public:
    using Clock = TokenBucket::Clock;

    /// @param rate   Tokens that a bucket gets per second.
    /// @param burst  Tokens that a bucket holds, and has in the beginning; at least 1.
    /// @param most   Buckets that are kept; at least 1.
    TokenBuckets(double rate, double burst, std::size_t most) : rate_(rate), burst_(burst), most_(most) {}

    struct Taken {
        bool allowed;
        double left;         ///< Tokens.
        double seconds_one;  ///< Until there is a token again; 0 if there is.
        double seconds_all;  ///< Until the bucket is full.
    };

    /// Take one token from a key's bucket, if it has one.
    Taken take(std::string_view key, Clock::time_point now) {
        TokenBucket& bucket = find(key, now).tokens;
        bool allowed = bucket.take(rate_, burst_, now);
        double left = bucket.tokens();
        return {allowed, left, std::max(0.0, (1 - left) / rate_), (burst_ - left) / rate_};
    }

    std::size_t size() const noexcept { return buckets_.size(); }

private:
    struct Bucket {
        std::string key;
        TokenBucket tokens;
    };
    using Buckets = std::list<Bucket>;

    Bucket& find(std::string_view key, Clock::time_point now) {
        if (auto found = places_.find(key); found != places_.end()) {
            buckets_.splice(buckets_.begin(), buckets_, found->second);
            return buckets_.front();
        }
        if (buckets_.size() >= most_) {
            places_.erase(buckets_.back().key);
            buckets_.pop_back();
        }
        buckets_.push_front({std::string(key), TokenBucket(burst_, now)});
        places_.emplace(buckets_.front().key, buckets_.begin());
        return buckets_.front();
    }

    const double rate_, burst_;
    const std::size_t most_;
    Buckets buckets_;  // the latest first
    std::unordered_map<std::string_view, Buckets::iterator> places_;
};

}  // namespace kvolt::detail

#endif
