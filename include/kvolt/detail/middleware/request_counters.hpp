#ifndef KVOLT_DETAIL_MIDDLEWARE_REQUEST_COUNTERS_HPP
#define KVOLT_DETAIL_MIDDLEWARE_REQUEST_COUNTERS_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// Counts requests by method, route and status, and how long they took. Every thread has counters of its own, which
/// others only read: counting takes no lock but the first time that something new is seen.
class RequestCounters {
public:
    /// @param bounds  Upper bounds of the histogram's buckets, in seconds, in ascending order.
    explicit RequestCounters(std::vector<double> bounds) : bounds_(std::move(bounds)) {}

    RequestCounters(const RequestCounters&) = delete;
    RequestCounters& operator=(const RequestCounters&) = delete;

    /// What is known of a method and route, in all threads.
    struct Row {
        std::map<int, std::uint64_t> statuses;
        std::vector<std::uint64_t>
            buckets;  ///< One more than there are bounds: those past the last one. Not summed up.
        double seconds = 0;
    };
    using Rows = std::map<std::pair<std::string, std::string>, Row>;  ///< By route and method.

    /// The counters of one thread.
    class Shard {
    public:
        explicit Shard(const std::vector<double>& bounds) : bounds_(bounds) {}

        /// From this shard's thread.
        void count(std::string_view method, std::string_view route, int status, double seconds) {
            Cell& cell = find(route, method);
            add(find(cell, status));
            auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin();
            add(cell.buckets[static_cast<std::size_t>(bucket)]);
            cell.seconds.store(cell.seconds.load(std::memory_order_relaxed) + seconds, std::memory_order_relaxed);
        }

        void begin() noexcept { in_flight_.fetch_add(1, std::memory_order_relaxed); }

        /// Any thread: what a stopped server forgets is not on its own.
        void end() noexcept { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

    private:
        friend class RequestCounters;

        using Counter = std::atomic<std::uint64_t>;
        struct Cell {
            explicit Cell(std::size_t size) : buckets(size) {}
            std::map<int, Counter> statuses;
            std::vector<Counter> buckets;
            std::atomic<double> seconds{0};
        };
        using Methods = std::map<std::string, Cell, std::less<>>;

        static void add(Counter& counter) noexcept {
            counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        }

        // Only this thread adds to the maps, under the lock, so it may look without.
        Cell& find(std::string_view route, std::string_view method) {
            auto methods = routes_.find(route);
            if (methods != routes_.end())
                if (auto cell = methods->second.find(method); cell != methods->second.end()) return cell->second;
            std::lock_guard lock(mutex_);
            return routes_[std::string(route)].try_emplace(std::string(method), bounds_.size() + 1).first->second;
        }

        Counter& find(Cell& cell, int status) {
            auto found = cell.statuses.find(status);
            if (found != cell.statuses.end()) return found->second;
            std::lock_guard lock(mutex_);
            return cell.statuses[status];
        }

        void add_to(Rows& rows) const {
            std::lock_guard lock(mutex_);
            for (const auto& [route, methods] : routes_)
                for (const auto& [method, cell] : methods) {
                    Row& row = rows[{route, method}];
                    row.buckets.resize(cell.buckets.size());
                    for (const auto& [status, counter] : cell.statuses)
                        row.statuses[status] += counter.load(std::memory_order_relaxed);
                    for (std::size_t i = 0; i < row.buckets.size(); ++i)
                        row.buckets[i] += cell.buckets[i].load(std::memory_order_relaxed);
                    row.seconds += cell.seconds.load(std::memory_order_relaxed);
                }
        }

        const std::vector<double>& bounds_;
        mutable std::mutex mutex_;
        std::map<std::string, Methods, std::less<>> routes_;
        std::atomic<std::int64_t> in_flight_{0};
    };

    /// The calling thread's shard. It lives as long as this.
    Shard& shard() {
        thread_local std::vector<std::pair<std::uint64_t, Shard*>> known;  // numbers are never used twice
        for (const auto& [number, shard] : known)
            if (number == number_) return *shard;
        std::lock_guard lock(mutex_);
        Shard* made = shards_.emplace_back(std::make_unique<Shard>(bounds_)).get();
        known.emplace_back(number_, made);
        return *made;
    }

    Rows rows() const {
        std::lock_guard lock(mutex_);
        Rows rows;
        for (const auto& shard : shards_) shard->add_to(rows);
        return rows;
    }

    std::uint64_t in_flight() const {
        std::lock_guard lock(mutex_);
        std::int64_t sum = 0;
        for (const auto& shard : shards_) sum += shard->in_flight_.load(std::memory_order_relaxed);
        return static_cast<std::uint64_t>(std::max<std::int64_t>(sum, 0));
    }

    const std::vector<double>& bounds() const noexcept { return bounds_; }

private:
    // Counts for the whole process, also where a program and a shared library have hidden copies of all else.
    [[gnu::visibility("default")]] static std::uint64_t next_number() noexcept {
        static std::atomic<std::uint64_t> last{0};
        return ++last;
    }

    const std::vector<double> bounds_;
    const std::uint64_t number_ = next_number();
    mutable std::mutex mutex_;
    std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace kvolt::detail

#endif
