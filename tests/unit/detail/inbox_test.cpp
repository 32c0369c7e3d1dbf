#include "catch.hpp"
#include <kvolt/detail/inbox.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using kvolt::detail::Inbox;

TEST_CASE("only what makes an inbox non-empty asks for the reader to be woken") {
    Inbox<int> inbox;
    CHECK(inbox.take().empty());
    CHECK(inbox.empty());
    CHECK(inbox.push(1));
    CHECK_FALSE(inbox.empty());
    CHECK_FALSE(inbox.push(2));
    CHECK_FALSE(inbox.push(3));
    CHECK(inbox.take() == std::vector<int>{1, 2, 3});
    CHECK(inbox.take().empty());
    CHECK(inbox.push(4));
    CHECK(inbox.take() == std::vector<int>{4});
}

TEST_CASE("an inbox holds what can only be moved") {
    Inbox<std::unique_ptr<int>> inbox;
    inbox.push(std::make_unique<int>(7));
    CHECK(*inbox.take().front() == 7);
}

TEST_CASE("from many threads nothing is lost, and each thread's items keep their order") {
    constexpr int writers = 4, each = 5000;
    Inbox<std::pair<int, int>> inbox;
    std::atomic<int> wakes{0};
    std::vector<std::thread> threads;
    for (int writer = 0; writer < writers; ++writer)
        threads.emplace_back([&inbox, &wakes, writer] {
            for (int i = 0; i < each; ++i)
                if (inbox.push({writer, i})) ++wakes;
        });
    std::vector<int> next(writers);
    int taken = 0, batches = 0;
    bool ordered = true;
    while (taken < writers * each) {
        auto batch = inbox.take();
        if (!batch.empty()) ++batches;
        for (auto [writer, i] : batch) ordered = ordered && next[static_cast<std::size_t>(writer)]++ == i;
        taken += static_cast<int>(batch.size());
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(ordered);
    CHECK(wakes == batches);
    CHECK(inbox.take().empty());
}
