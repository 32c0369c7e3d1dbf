#ifndef KVOLT_TESTS_FUZZ_OUTBOX_MODEL_HPP
#define KVOLT_TESTS_FUZZ_OUTBOX_MODEL_HPP

#include <kvolt/detail/outbox.hpp>
#include <kvolt/limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

/// What an Outbox should do: a list of what waits, unit by unit.
class OutboxModel {
public:
    using Added = kvolt::detail::Outbox::Added;
    using Unit = kvolt::detail::Unit;

    struct Item {
        std::string bytes;  // that are left
        Unit unit;
        std::string key = {};
        bool begun = false;
    };

    Added add(Item item, const kvolt::Backlog& limit, kvolt::SlowPolicy policy) {
        if (finished) return Added::dropped;
        if (!behind) {
            items.push_back(std::move(item));
            return Added::queued;
        }
        std::deque<Item> kept = items;
        std::erase_if(kept, [&](const Item& old) { return !item.key.empty() && old.key == item.key && may_go(old); });
        std::size_t replaced = items.size() - kept.size();
        while (kept.size() >= limit.messages || size_of(kept) + item.bytes.size() > limit.bytes) {
            if (policy == kvolt::SlowPolicy::disconnect) return Added::overflow;
            auto oldest = std::find_if(kept.begin(), kept.end(), may_go);
            if (policy == kvolt::SlowPolicy::drop_newest || oldest == kept.end()) return Added::dropped;
            kept.erase(oldest);
        }
        coalesced += replaced;
        dropped += items.size() - replaced - kept.size();
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

    /// Returns how many messages that were.
    std::size_t shed() {
        if (!behind) return 0;
        auto messages = std::count_if(items.begin(), items.end(), may_go);
        std::erase_if(items, [](const Item& item) { return item.unit != Unit::raw && !item.begun; });
        behind = !items.empty();
        return static_cast<std::size_t>(messages);
    }

    std::size_t size() const { return size_of(items); }

    std::deque<Item> items;
    bool behind = false;  // the socket has not taken all of a turn
    bool finished = false;
    std::uint64_t dropped = 0, coalesced = 0;

private:
    static bool may_go(const Item& item) { return item.unit == Unit::droppable && !item.begun; }

    static std::size_t size_of(const std::deque<Item>& items) {
        std::size_t size = 0;
        for (const Item& item : items) size += item.bytes.size();
        return size;
    }
};

#endif
