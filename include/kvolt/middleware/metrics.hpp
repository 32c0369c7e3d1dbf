#ifndef KVOLT_MIDDLEWARE_METRICS_HPP
#define KVOLT_MIDDLEWARE_METRICS_HPP

#include <kvolt/app.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/middleware/metrics_text.hpp>
#include <kvolt/detail/middleware/request_counters.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/hub_options.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::middleware {

/// Numbers for Prometheus: requests by route, method and status, how long they took, connections, WebSockets, queued
/// bytes, and hubs.
///
///     kvolt::middleware::Metrics metrics(app);
///     app.use(metrics.count());                 // first, so that it sees everything
///     app.get("/metrics", metrics.page());      // behind a login, or on an address of its own
///     metrics.hub("chat", hub);
///
/// Requests are counted by the pattern of their route, never by their path, so that clients cannot make the page grow.
///
/// @note Thread safety: all functions but hub() are for the setup; what they return runs on all loops.
class Metrics {
public:
    /// @param bounds  Upper bounds of the histogram's buckets, in seconds.
    /// @throws std::invalid_argument  if they do not ascend.
    explicit Metrics(App& app, std::vector<double> bounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                             0.5, 1, 2.5, 5, 10})
        : state_(std::make_shared<State>(app.loops(), std::move(bounds))) {
        const auto& sorted = state_->counters.bounds();
        if (!std::is_sorted(sorted.begin(), sorted.end(), std::less_equal<>()))
            throw std::invalid_argument("kvolt: metrics: the bounds of the buckets must ascend");
    }

    /// The middleware that counts.
    auto count() const {
        return observer([state = state_](Context& c) {
            auto request = std::make_shared<UnderWay>(state->counters.shard());
            c.follow([state, request](Context& of, Phase phase) {
                if (phase != Phase::answered && phase != Phase::upgraded) return;
                int status = phase == Phase::upgraded ? 101 : of.response().status();
                request->done(known_method(of.method()), of.route(), status);
            });
        });
    }

    /// The handler that shows the numbers.
    auto page() const {
        return [state = state_](Context& c) { return serve(state, c); };
    }

    /// Show a hub's members and messages, too. The hub must outlive the app's run.
    ///
    /// @param name  The value of the label `hub`.
    template <class Hub>
    void hub(std::string name, const Hub& hub) {
        std::lock_guard lock(state_->mutex);
        state_->hubs.push_back({std::move(name), [&hub] { return hub.size(); }, [&hub] { return hub.stats(); }});
    }

private:
    using Clock = std::chrono::steady_clock;
    using Counters = kvolt::detail::RequestCounters;
    using Load = kvolt::detail::Loop::Load;
    using Text = kvolt::detail::MetricsText;

    struct HubSource {
        std::string name;
        std::function<std::size_t()> size;
        std::function<HubStats()> stats;
    };

    struct State {
        State(std::shared_ptr<kvolt::detail::Loops> of, std::vector<double> bounds)
            : loops(std::move(of)), counters(std::move(bounds)) {}

        const std::shared_ptr<kvolt::detail::Loops> loops;
        Counters counters;
        std::mutex mutex;
        std::vector<HubSource> hubs;
    };

    // A request until it is answered, upgraded, or forgotten.
    class UnderWay {
    public:
        explicit UnderWay(Counters::Shard& shard) : shard_(&shard) { shard_->begin(); }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;
        ~UnderWay() { end(); }

        void done(std::string_view method, std::string_view route, int status) {
            std::chrono::duration<double> seconds = Clock::now() - begin_;
            shard_->count(method, route, status, seconds.count());
            end();
        }

    private:
        void end() noexcept {
            if (!std::exchange(ended_, true)) shard_->end();
        }

        Counters::Shard* shard_;
        Clock::time_point begin_ = Clock::now();
        bool ended_ = false;
    };

    // Clients may send any method.
    static std::string_view known_method(std::string_view method) noexcept {
        constexpr std::string_view known[] = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                              "DELETE", "OPTIONS", "CONNECT", "TRACE"};
        return std::find(std::begin(known), std::end(known), method) != std::end(known) ? method : "other";
    }

    static Task<Load> load_of(const kvolt::detail::Loop& loop) { co_return loop.load(); }

    static Task<> serve(std::shared_ptr<State> state, Context& c) {
        Load sum;
        for (const auto& loop : *state->loops) {
            Load load;
            if (loop.get() == kvolt::detail::Loop::current()) {
                load = loop->load();
            } else {
                Task<Load> there = load_of(*loop);
                // Not to be cancelled: Asio 1.24 would do that by a pointer that the other loop may find dangling.
                auto to_the_end =
                    boost::asio::bind_cancellation_slot(boost::asio::cancellation_slot(), boost::asio::use_awaitable);
                load = co_await boost::asio::co_spawn(loop->executor(), std::move(there), to_the_end);
            }
            sum.connections += load.connections;
            sum.websockets += load.websockets;
            sum.queued_bytes += load.queued_bytes;
            sum.shed += load.shed;
        }
        c.blob(write(*state, sum), "text/plain; version=0.0.4; charset=utf-8");
    }

    static std::string write(State& state, const Load& load) {
        Text text;
        write_requests(text, state.counters);
        auto write = [&](std::string_view name, std::string_view type, std::string_view help, std::uint64_t value) {
            text.family(name, type, help);
            text.sample(name, {}, value);
        };
        write("kvolt_requests_in_flight", "gauge", "Requests that have not been answered.", state.counters.in_flight());
        write("kvolt_connections", "gauge", "Connections, WebSockets included.", load.connections);
        write("kvolt_websockets", "gauge", "WebSocket connections.", load.websockets);
        write("kvolt_queued_bytes", "gauge", "Bytes that wait for clients to take them.", load.queued_bytes);
        write("kvolt_connections_shed_total", "counter",
              "Connections that were closed because too much waited for all.", load.shed);
        write_hubs(text, state);
        return text.take();
    }

    static void write_requests(Text& text, const Counters& counters) {
        const auto rows = counters.rows();
        text.family("kvolt_requests_total", "counter", "Requests by route pattern, method and status.");
        for (const auto& [key, row] : rows)
            for (const auto& [status, count] : row.statuses)
                text.sample("kvolt_requests_total",
                            {{"route", key.first}, {"method", key.second}, {"status", std::to_string(status)}}, count);
        text.family("kvolt_request_duration_seconds", "histogram",
                    "Time from the head of a request to its answer or upgrade.");
        for (const auto& [key, row] : rows) {
            std::uint64_t count = 0;
            for (std::size_t i = 0; i < row.buckets.size(); ++i) {
                count += row.buckets[i];
                std::string bound = i < counters.bounds().size() ? Text::number(counters.bounds()[i]) : "+Inf";
                text.sample("kvolt_request_duration_seconds_bucket",
                            {{"route", key.first}, {"method", key.second}, {"le", bound}}, count);
            }
            text.sample("kvolt_request_duration_seconds_sum", {{"route", key.first}, {"method", key.second}},
                        row.seconds);
            text.sample("kvolt_request_duration_seconds_count", {{"route", key.first}, {"method", key.second}}, count);
        }
    }

    static void write_hubs(Text& text, State& state) {
        std::lock_guard lock(state.mutex);
        if (state.hubs.empty()) return;
        text.family("kvolt_hub_members", "gauge", "Members of a hub.");
        for (const HubSource& hub : state.hubs)
            text.sample("kvolt_hub_members", {{"hub", hub.name}}, std::uint64_t{hub.size()});
        auto counter = [&](std::string_view name, std::string_view help, std::uint64_t HubStats::*value) {
            text.family(name, "counter", help);
            for (const HubSource& hub : state.hubs) text.sample(name, {{"hub", hub.name}}, hub.stats().*value);
        };
        counter("kvolt_hub_messages_total", "Broadcasts.", &HubStats::messages);
        counter("kvolt_hub_refused_total", "Broadcasts that were refused: too many were on their way.",
                &HubStats::refused);
        counter("kvolt_hub_deliveries_total", "Messages queued for a member.", &HubStats::deliveries);
        counter("kvolt_hub_limited_total", "Broadcasts that were refused: their sender was over its rate.",
                &HubStats::limited);
        counter("kvolt_hub_dropped_total", "Messages that a slow member did not get.", &HubStats::dropped);
        counter("kvolt_hub_coalesced_total", "Messages that a slow member did not get, but a later one with their key.",
                &HubStats::coalesced);
        counter("kvolt_hub_behind_total", "How often a member has fallen behind.", &HubStats::behind);
        counter("kvolt_hub_disconnected_total", "Members that were closed for being slow.", &HubStats::disconnected);
    }

    std::shared_ptr<State> state_;
};

}  // namespace kvolt::middleware

#endif
