#include "catch.hpp"
#include <kvolt/detail/middleware/request_counters.hpp>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

using kvolt::detail::RequestCounters;

TEST_CASE("requests are counted by route, method and status, and fall into buckets") {
    RequestCounters counters({0.1, 1});
    auto& shard = counters.shard();
    CHECK(&shard == &counters.shard());
    shard.count("GET", "/a", 200, 0.05);
    shard.count("GET", "/a", 200, 0.1);
    shard.count("GET", "/a", 404, 0.5);
    shard.count("GET", "/a", 200, 7);
    shard.count("POST", "/a", 201, 0.25);
    shard.count("GET", "", 404, 1);
    auto rows = counters.rows();
    REQUIRE(rows.size() == 3);
    auto& get = rows[{"/a", "GET"}];
    CHECK(get.statuses[200] == 3);
    CHECK(get.statuses[404] == 1);
    CHECK(get.buckets == std::vector<std::uint64_t>{2, 1, 1});
    CHECK(get.seconds == 7.65);
    CHECK(rows[{"/a", "POST"}].statuses[201] == 1);
    CHECK(rows[{"", "GET"}].buckets == std::vector<std::uint64_t>{0, 1, 0});
}

TEST_CASE("threads count side by side while others read") {
    RequestCounters counters({1});
    std::atomic<bool> done{false};
    std::thread reader([&] {
        while (!done) counters.rows();
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] {
            auto& shard = counters.shard();
            for (int j = 0; j < 1000; ++j) {
                shard.begin();
                shard.count("GET", j % 2 ? "/odd" : "/even", 200 + j % 10 + i, 0.5);
                if (j % 4) shard.end();
            }
        });
    for (auto& thread : threads) thread.join();
    done = true;
    reader.join();
    std::uint64_t sum = 0;
    for (auto& [key, row] : counters.rows())
        for (auto& [status, count] : row.statuses) sum += count;
    CHECK(sum == 4000);
    CHECK(counters.in_flight() == 1000);
}

TEST_CASE("counters of different owners are apart, also when one has gone") {
    for (int i = 0; i < 3; ++i) {
        RequestCounters a({1}), b({1});
        a.shard().count("GET", "/", 200, 0);
        CHECK(a.rows().size() == 1);
        CHECK(b.rows().empty());
    }
}
