// The load: many clients of one server on this machine, some threads' worth. Prints one line of JSON.
//
// It measures itself, too: where `load_cpu`, the share of its threads' time that it was busy, is near 1, it was the
// limit and not the server.

#include "connection.hpp"
#include "histogram.hpp"
#include "message.hpp"
#include "options.hpp"
#include "stream.hpp"
#include "usage.hpp"
#include "worker.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace bench;

void sleep_until(std::uint64_t when) {
    std::uint64_t time = now();
    if (when > time) std::this_thread::sleep_for(std::chrono::nanoseconds(when - time));
}

std::uint64_t nanoseconds(double seconds) { return static_cast<std::uint64_t>(seconds * 1e9); }

class Report {
public:
    Report& add(const char* name, double value) {
        char text[64];
        std::snprintf(text, sizeof text, "%.6g", value);
        text_ += (text_.empty() ? "{\"" : ", \"") + std::string(name) + "\": " + text;
        return *this;
    }

    void print() const { std::cout << text_ << "}\n"; }

private:
    std::string text_;
};

/// What a thread cannot do, nobody can.
void run_thread(const std::function<void()>& function) {
    try {
        function();
    } catch (const std::exception& error) {
        std::cerr << "kvolt_load: " << error.what() << std::endl;
        std::_Exit(1);
    }
}

/// Run a function in each of so many threads, and measure meanwhile what processes use.
class Measurement {
public:
    using Body = std::function<void(std::size_t index, const Schedule&)>;

    explicit Measurement(const Options& options) : options_(options) {}

    /// @param prepare  What each thread does before it all begins.
    void run(std::size_t threads, const std::function<void(std::size_t)>& prepare, const Body& body) {
        Schedule schedule;
        std::barrier ready(static_cast<std::ptrdiff_t>(threads) + 1, [&]() noexcept {
            schedule.start = now() + nanoseconds(0.1);
            schedule.measure = schedule.start + nanoseconds(options_.warmup);
            schedule.stop = schedule.measure + nanoseconds(options_.seconds);
            schedule.give_up = schedule.stop + nanoseconds(5);
        });
        std::vector<std::jthread> running;
        for (std::size_t i = 0; i < threads; ++i)
            running.emplace_back([&, i] {
                run_thread([&] {
                    prepare(i);
                    ready.arrive_and_wait();
                    sleep_until(schedule.start);
                    body(i, schedule);
                });
            });
        ready.arrive_and_wait();
        sleep_until(schedule.measure);
        Usage server = usage(options_.server), own = usage({getpid()});
        std::uint64_t begin = now();
        sleep_until(schedule.stop);
        server_cpu_ = static_cast<double>(usage(options_.server).cpu - server.cpu);
        own_cpu_ = static_cast<double>(usage({getpid()}).cpu - own.cpu);
        time_ = static_cast<double>(now() - begin);
    }

    Report report(std::uint64_t units) const {
        Report report;
        auto count = static_cast<double>(units);
        return report.add("rate", count / options_.seconds)
            .add("server_cpu", server_cpu_ / time_)
            .add("load_cpu", own_cpu_ / time_ / static_cast<double>(options_.threads))
            .add("cpu_us", units > 0 ? server_cpu_ / count / 1000 : 0);
    }

private:
    const Options& options_;
    double server_cpu_ = 0, own_cpu_ = 0, time_ = 0;  // nanoseconds
};

void report_latency(Report& report, const Histogram& latency) {
    auto us = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000; };
    report.add("p50_us", us(latency.quantile(0.5))).add("p90_us", us(latency.quantile(0.9)));
    report.add("p99_us", us(latency.quantile(0.99))).add("p999_us", us(latency.quantile(0.999)));
    report.add("max_us", us(latency.max()));
}

void load(const Options& options, SSL_CTX* tls) {
    std::vector<std::unique_ptr<Worker>> workers;
    for (std::size_t i = 0; i < options.threads; ++i)
        workers.push_back(std::make_unique<Worker>(options, Share{i, options.threads}, tls));
    std::atomic<std::int64_t> under_way = 0;
    Measurement measurement(options);
    measurement.run(
        options.threads, [&](std::size_t i) { workers[i]->connect(); },
        [&](std::size_t i, const Schedule& schedule) { workers[i]->run(schedule, under_way); });
    Tally all;
    for (auto& worker : workers) {
        const Tally& tally = worker->tally();
        all.measured += tally.measured;
        all.sent += tally.sent;
        all.received += tally.received;
        all.bad += tally.bad;
        all.closed += tally.closed;
        all.latency.add(tally.latency);
    }
    Report report = measurement.report(all.measured);
    report_latency(report, all.latency);
    auto expected = static_cast<double>(all.sent * workers[0]->copies());
    report.add("missing", expected - static_cast<double>(all.received));
    report.add("bad", static_cast<double>(all.bad)).add("closed", static_cast<double>(all.closed)).print();
}

/// Connect, shake hands and close, again and again.
void churn(const Options& options, SSL_CTX* tls) {
    constexpr std::size_t clients = 16;  // a thread's worth, each of which waits most of the time
    std::vector<std::uint64_t> counts(options.threads * clients);
    Measurement measurement(options);
    measurement.run(
        counts.size(), [](std::size_t) {},
        [&](std::size_t i, const Schedule& schedule) {
            const std::string close = make_frame(8, std::string("\x03\xE8", 2));
            std::uint64_t count = 0;
            for (std::size_t number = i; now() < schedule.stop; number += counts.size()) {
                Stream stream = open_websocket(options, number % 1'000'000, tls);
                write_all(stream, close);
                char answer[64];
                if (stream.read(answer) < 2 || static_cast<unsigned char>(answer[0]) != 0x88)
                    throw std::runtime_error("a close is not answered");
                stream.no_time_wait();
                if (now() >= schedule.measure) ++count;
            }
            counts[i] = count;
        });
    std::uint64_t all = 0;
    for (std::uint64_t count : counts) all += count;
    measurement.report(all).add("missing", 0).add("bad", 0).add("closed", 0).print();
}

/// Connections that do nothing.
void idle(const Options& options, SSL_CTX* tls) {
    std::size_t before = usage(options.server).memory;
    std::uint64_t begin = now();
    std::vector<Stream> streams;
    for (std::size_t i = 0; i < options.connections; ++i)
        streams.push_back(options.mode == "idle" ? open_websocket(options, i, tls) : open_http(options, i, tls));
    double seconds = static_cast<double>(now() - begin) / 1e9;
    sleep_until(now() + nanoseconds(options.seconds));
    double more = static_cast<double>(usage(options.server).memory) - static_cast<double>(before);
    auto count = static_cast<double>(options.connections);
    Report().add("rate", count / seconds).add("bytes_per_connection", more / count).print();
}

void allow_all_descriptors() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) try {
    Options options = parse_options({argv + 1, argv + argc});
    allow_all_descriptors();
    std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> tls(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_mode(tls.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX* used = options.tls ? tls.get() : nullptr;
    if (options.mode == "http" || options.mode == "echo" || options.mode == "broadcast")
        load(options, used);
    else if (options.mode == "churn")
        churn(options, used);
    else if (options.mode == "idle" || options.mode == "idle_http")
        idle(options, used);
    else
        throw std::invalid_argument(usage_text);
} catch (const std::exception& error) {
    std::cerr << "kvolt_load: " << error.what() << '\n';
    return 1;
}
