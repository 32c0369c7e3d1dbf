#include "catch.hpp"
#include <kvolt/detail/inbox.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using kvolt::detail::Inbox;

namespace {

template <class T>
std::vector<T> all(Inbox<T>& inbox) {
    std::vector<T> items;
    auto read = [&](T& item) {
        items.push_back(std::move(item));
        return std::size_t(1);
    };
    while (inbox.take_turn(read)) {
    }
    return items;
}

}  // namespace

TEST_CASE("only what makes an inbox non-empty asks for the reader to be woken") {
    Inbox<int> inbox;
    CHECK(all(inbox).empty());
    CHECK(inbox.empty());
    CHECK(inbox.push(1));
    CHECK_FALSE(inbox.empty());
    CHECK_FALSE(inbox.push(2));
    CHECK_FALSE(inbox.push(3));
    CHECK(all(inbox) == std::vector<int>{1, 2, 3});
    CHECK(all(inbox).empty());
    CHECK(inbox.push(4));
    CHECK(all(inbox) == std::vector<int>{4});
}

TEST_CASE("the reader of an inbox comes again by itself when its turn is over") {
    Inbox<int> inbox;
    for (int i = 1; i <= 3; ++i) inbox.push(i);
    std::vector<int> read;
    auto much = [&](int item) {
        read.push_back(item);
        return Inbox<int>::turn;
    };
    for (int turn = 1; turn <= 3; ++turn) {
        CHECK(inbox.take_turn(much));
        CHECK(read.size() == static_cast<std::size_t>(turn));
        CHECK_FALSE(inbox.empty());
        if (turn == 1) CHECK_FALSE(inbox.push(4));
    }
    CHECK(inbox.take_turn(much));
    CHECK_FALSE(inbox.take_turn(much));
    CHECK(read == std::vector<int>{1, 2, 3, 4});
    CHECK(inbox.empty());
    CHECK(inbox.push(5));
}

TEST_CASE("an inbox that is cleared in the middle of a batch is as new") {
    Inbox<int> inbox;
    for (int i = 1; i <= 3; ++i) inbox.push(i);
    REQUIRE(inbox.take_turn([](int) { return Inbox<int>::turn; }));
    inbox.push(4);
    inbox.clear();
    CHECK(inbox.empty());
    CHECK(inbox.push(5));
    CHECK(all(inbox) == std::vector<int>{5});
}

TEST_CASE("an inbox holds what can only be moved") {
    Inbox<std::unique_ptr<int>> inbox;
    inbox.push(std::make_unique<int>(7));
    CHECK(*all(inbox).front() == 7);
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
    int taken = 0, visits = 0;
    bool ordered = true;
    while (taken < writers * each) {
        auto batch = all(inbox);
        if (!batch.empty()) ++visits;
        for (auto [writer, i] : batch) ordered = ordered && next[static_cast<std::size_t>(writer)]++ == i;
        taken += static_cast<int>(batch.size());
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(ordered);
    CHECK(wakes == visits);
    CHECK(all(inbox).empty());
}
