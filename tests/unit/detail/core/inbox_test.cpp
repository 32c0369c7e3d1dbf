#include "catch.hpp"
#include <kvolt/detail/core/inbox.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

using kvolt::detail::Inbox;
using kvolt::detail::ItemQueue;

namespace {

struct Item {
    explicit Item(int what, int who = 0) : number(what), writer(who) {}

    int number, writer;
    std::shared_ptr<Item> next;
};
using Pushed = Inbox<Item>::Pushed;

Pushed push(Inbox<Item>& inbox, int number) { return inbox.push(std::make_shared<Item>(number)); }

std::vector<int> all(Inbox<Item>& inbox) {
    std::vector<int> numbers;
    auto read = [&](const std::shared_ptr<Item>& item) {
        numbers.push_back(item->number);
        return std::size_t(1);
    };
    while (inbox.take_turn(read)) {
    }
    return numbers;
}

}  // namespace

TEST_CASE("a queue gives back what was pushed, in its order") {
    ItemQueue<Item> queue, other;
    CHECK(queue.empty());
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 3; ++i) queue.push(std::make_shared<Item>(i));
        for (int i = 0; i < 3; ++i) CHECK(queue.pop()->number == i);
        CHECK(queue.empty());
    }
    for (int i = 0; i < 3; ++i) queue.push(std::make_shared<Item>(i));
    other.take(queue);
    CHECK(queue.empty());
    queue.push(std::make_shared<Item>(7));
    other.push(std::make_shared<Item>(3));
    for (int i = 0; i < 4; ++i) CHECK(other.pop()->number == i);
    CHECK(queue.pop()->number == 7);
}

TEST_CASE("a long queue needs no deep stack to be destroyed") {
    ItemQueue<Item> queue;
    for (int i = 0; i < 1000000; ++i) queue.push(std::make_shared<Item>(i));
}

TEST_CASE("what leaves a queue goes alone") {
    ItemQueue<Item> queue;
    for (int i = 0; i < 2; ++i) queue.push(std::make_shared<Item>(i));
    auto first = queue.pop();
    CHECK(first->next == nullptr);
    std::weak_ptr<Item> weak = first;
    first.reset();
    CHECK(weak.expired());
}

TEST_CASE("only what makes an inbox non-empty asks for the reader to be woken") {
    Inbox<Item> inbox;
    CHECK(all(inbox).empty());
    CHECK(inbox.empty());
    CHECK(push(inbox, 1) == Pushed::first);
    CHECK_FALSE(inbox.empty());
    CHECK(push(inbox, 2) == Pushed::queued);
    CHECK(push(inbox, 3) == Pushed::queued);
    CHECK(all(inbox) == std::vector<int>{1, 2, 3});
    CHECK(all(inbox).empty());
    CHECK(push(inbox, 4) == Pushed::first);
    CHECK(all(inbox) == std::vector<int>{4});
}

TEST_CASE("the reader of an inbox comes again by itself when its turn is over") {
    Inbox<Item> inbox;
    for (int i = 1; i <= 3; ++i) push(inbox, i);
    std::vector<int> read;
    auto much = [&](const std::shared_ptr<Item>& item) {
        read.push_back(item->number);
        return Inbox<Item>::turn;
    };
    for (int turn = 1; turn <= 3; ++turn) {
        CHECK(inbox.take_turn(much));
        CHECK(read.size() == static_cast<std::size_t>(turn));
        CHECK_FALSE(inbox.empty());
        if (turn == 1) CHECK(push(inbox, 4) == Pushed::queued);
    }
    CHECK(inbox.take_turn(much));
    CHECK_FALSE(inbox.take_turn(much));
    CHECK(read == std::vector<int>{1, 2, 3, 4});
    CHECK(inbox.empty());
    CHECK(push(inbox, 5) == Pushed::first);
}

TEST_CASE("an inbox that is closed in the middle of a batch lets go of everything in its order, and takes no more") {
    Inbox<Item> inbox;
    for (int i = 1; i <= 3; ++i) push(inbox, i);
    REQUIRE(inbox.take_turn([](const std::shared_ptr<Item>&) { return Inbox<Item>::turn; }));
    push(inbox, 4);
    std::vector<int> forgotten;
    auto late = std::make_shared<Item>(5);
    inbox.close([&](const std::shared_ptr<Item>& item) {
        forgotten.push_back(item->number);
        CHECK(inbox.push(std::move(late)) == Pushed::closed);
        CHECK(late);
    });
    CHECK(forgotten == std::vector<int>{2, 3, 4});
    CHECK(inbox.empty());
    CHECK(all(inbox).empty());
    inbox.close([&](const std::shared_ptr<Item>&) { FAIL("there is nothing"); });
}

TEST_CASE("from many threads nothing is lost, and each thread's items keep their order") {
    constexpr int writers = 4, each = 5000;
    Inbox<Item> inbox;
    std::atomic<int> wakes{0};
    std::vector<std::thread> threads;
    for (int writer = 0; writer < writers; ++writer)
        threads.emplace_back([&inbox, &wakes, writer] {
            for (int i = 0; i < each; ++i)
                if (inbox.push(std::make_shared<Item>(i, writer)) == Pushed::first) ++wakes;
        });
    std::vector<int> next(writers);
    int taken = 0, visits = 0;
    bool ordered = true;
    while (taken < writers * each) {
        int before = taken;
        auto read = [&](const std::shared_ptr<Item>& item) {
            ordered = ordered && next[static_cast<std::size_t>(item->writer)]++ == item->number;
            ++taken;
            return std::size_t(1);
        };
        while (inbox.take_turn(read)) {
        }
        visits += taken > before;
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(ordered);
    CHECK(wakes == visits);
    CHECK(all(inbox).empty());
}
