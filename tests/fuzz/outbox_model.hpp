#ifndef KVOLT_TESTS_FUZZ_OUTBOX_MODEL_HPP
#define KVOLT_TESTS_FUZZ_OUTBOX_MODEL_HPP

#include <kvolt/detail/net/outbox.hpp>
#include <kvolt/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>

/// What an Outbox should do: a list of what waits, unit by unit.
class OutboxModel {
public:
    using Added = kvolt::detail::Outbox::Added;
    using Unit = kvolt::detail::Unit;
    using SenderId = kvolt::detail::SenderId;

    struct Item {
        std::string bytes;  // that are left
        Unit unit;
        std::string key = {};
        SenderId sender = kvolt::detail::no_sender;
        bool begun = false;
    };

    struct Counts {
        std::uint64_t dropped = 0, coalesced = 0, disconnected = 0;
    };

    Added add(Item item, const kvolt::Backlog& limit, kvolt::SlowPolicy policy) {
        if (finished) return Added::dropped;
        if (!behind) {
            items.push_back(std::move(item));
            return Added::queued;
        }
        auto is_own = [&](const Item& old) { return old.sender == item.sender && may_go(old); };
        std::deque<Item> kept = items;
        std::erase_if(kept, [&](const Item& old) { return !item.key.empty() && old.key == item.key && is_own(old); });
        std::size_t replaced = items.size() - kept.size();
        while (kept.size() >= limit.messages || size_of(kept) + item.bytes.size() > limit.bytes) {
            auto oldest = std::find_if(kept.begin(), kept.end(), is_own);
            if (policy == kvolt::SlowPolicy::drop_oldest && oldest != kept.end()) {
                kept.erase(oldest);
                continue;
            }
            ++counts[item.sender].dropped;
            return policy == kvolt::SlowPolicy::disconnect ? Added::overflow : Added::dropped;
        }
        counts[item.sender].coalesced += replaced;
        counts[item.sender].dropped += items.size() - replaced - kept.size();
        items = std::move(kept);
        items.push_back(std::move(item));
        return Added::backpressure;
    }

    /// The socket takes so many bytes; returns them.
    std::string take(std::size_t room) {
        std::string taken;
        while (!items.empty() && taken.size() < room) {
            Item& first = items.front();
            std::size_t size = std::min(first.bytes.size(), room - taken.size());
            taken += first.bytes.substr(0, size);
            first.bytes.erase(0, size);
            first.begun = true;
            if (first.bytes.empty()) items.pop_front();
        }
        behind = !items.empty();
        return taken;
    }

    void shed() {
        if (!finished && !std::exchange(was_shed, true))
            for (auto [sender, number] : seats) counts[sender].disconnected += number > 0;
        if (!behind) return;
        for (const Item& item : items)
            if (may_go(item)) ++counts[item.sender].dropped;
        std::erase_if(items, [](const Item& item) { return item.unit != Unit::raw && !item.begun; });
        behind = !items.empty();
    }

    void clear() {
        if (behind && was_shed)
            for (const Item& item : items) counts[item.sender].dropped += item.unit == Unit::droppable;
        items.clear();
        behind = false;
        finished = true;
    }

    std::size_t size() const { return size_of(items); }

    std::deque<Item> items;
    bool behind = false;  // the socket has not taken all of a turn
    bool finished = false;
    bool was_shed = false;
    std::map<SenderId, int> seats;
    std::map<SenderId, Counts> counts;

private:
    static bool may_go(const Item& item) { return item.unit == Unit::droppable && !item.begun; }

    static std::size_t size_of(const std::deque<Item>& items) {
        std::size_t size = 0;
        for (const Item& item : items) size += item.bytes.size();
        return size;
    }
};

#endif
