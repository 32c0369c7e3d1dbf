#ifndef KVOLT_DETAIL_HUB_STRAND_HPP
#define KVOLT_DETAIL_HUB_STRAND_HPP

#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/inbox.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/limits.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/strand.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// The order of a hub.
///
/// A broadcast, from any thread, goes to the home loop (the app's first), where a strand gives it its place in the one
/// order. From there each loop that has members gets it in batches, encoded once, and delivers to its own members.
///
/// @tparam Member  Makes it a template, so that only files which make a hub compile it.
template <class Member>
class HubStrand final : public HubCore, public std::enable_shared_from_this<HubStrand<Member>> {
public:
    /// @param limits  Of the app; read when somebody joins, which takes a running app.
    HubStrand(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options)
        : loops_(std::move(loops)),
          limits_(limits),
          options_(options),
          home_(*loops_->front()),
          strand_(home_.executor()) {}

    void join(HubMember& member) override { shard(member.peer->loop()).join(member); }

    void leave(std::unique_ptr<HubMember> member) noexcept override {
        auto peer = member->peer;
        auto leaving = [departure = Departure(this->shared_from_this(), std::move(member))] {};
        if (!peer->on_loop()) peer->mailbox()->post(std::move(leaving));
    }

    std::vector<HubShard*> shards() const override {
        std::lock_guard lock(mutex_);
        std::vector<HubShard*> result;
        for (const auto& shard : shards_) result.push_back(shard.get());
        return result;
    }

    bool broadcast(Broadcast broadcast) override {
        if (under_way_.load(std::memory_order_relaxed) > options_.queue()) {
            refused_.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
        if (Loop::current() == &home_) {
            order_incoming();  // which came before
            order(std::move(broadcast));
            return true;
        }
        charge(broadcast);
        if (!incoming_.push(std::move(broadcast))) return true;
        bool posted = home_.mailbox()->post([self = this->shared_from_this()] { self->order_incoming(); });
        if (!posted) incoming_.take();  // the app has stopped
        return posted;
    }

    HubStats stats() const override {
        HubStats stats;
        stats.messages = messages_.load(std::memory_order_relaxed);
        stats.refused = refused_.load(std::memory_order_relaxed);
        for (const HubShard* shard : shards()) {
            stats.deliveries += shard->deliveries();
            stats.dropped += shard->dropped();
            stats.disconnected += shard->disconnected();
        }
        return stats;
    }

private:
    // A member that leaves when this is destroyed: on its loop, or without it when that has ended.
    struct Departure {
        Departure(std::shared_ptr<HubStrand> hub, std::unique_ptr<HubMember> leaver)
            : strand(std::move(hub)), member(std::move(leaver)) {}
        Departure(Departure&&) noexcept = default;
        ~Departure() {
            if (!member) return;
            HubShard& shard = strand->shard(member->peer->loop());
            std::lock_guard lock(strand->leaving_);
            shard.leave(*member);
        }

        std::shared_ptr<HubStrand> strand;
        std::unique_ptr<HubMember> member;
    };

    // The shard of a loop, made when it is first needed.
    HubShard& shard(Loop& loop) {
        std::lock_guard lock(mutex_);
        for (const auto& shard : shards_)
            if (&shard->loop() == &loop) return *shard;
        return *shards_.emplace_back(
            std::make_unique<HubShard>(loop, options_.backlog().value_or(limits_.backlog), options_.slow()));
    }

    // On the home loop.
    void order_incoming() {
        if (incoming_.empty()) return;
        for (Broadcast& next : incoming_.take()) order(std::move(next));
    }

    void order(Broadcast broadcast) {
        boost::asio::dispatch(strand_, [self = this->shared_from_this(), broadcast = std::move(broadcast)]() mutable {
            self->deal(std::move(broadcast));
        });
    }

    // On the strand: whatever gets here first is first for everybody.
    void deal(Broadcast broadcast) {
        messages_.store(messages_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        std::shared_ptr<const Broadcast> shared;
        HubShard* own = nullptr;
        for (HubShard* shard : shards()) {
            if (shard->size() == 0) continue;
            if (&shard->loop() == &home_) {
                own = shard;
                continue;
            }
            if (!shared) {
                charge(broadcast);
                shared = std::make_shared<const Broadcast>(std::move(broadcast));
            }
            if (shard->inbox().push(shared))
                shard->loop().mailbox()->post([self = this->shared_from_this(), shard] {
                    for (const auto& next : shard->inbox().take()) shard->deliver(*next);
                });
        }
        if (own) own->deliver(shared ? *shared : broadcast);
    }

    void charge(Broadcast& broadcast) {
        static constexpr std::size_t overhead = 128;  // of an empty one, about
        broadcast.charge = Charge(under_way_, broadcast.frame.size() + overhead);
    }

    std::shared_ptr<Loops> loops_;
    const Limits& limits_;
    const HubOptions options_;
    Loop& home_;
    boost::asio::strand<Loop::executor_type> strand_;
    std::atomic<std::size_t> under_way_{0};  // bytes
    Inbox<Broadcast> incoming_;
    mutable std::mutex mutex_;
    std::mutex leaving_;  // when the loops have ended, several threads may leave one shard
    std::vector<std::unique_ptr<HubShard>> shards_;
    std::atomic<std::uint64_t> messages_{0}, refused_{0};
};

}  // namespace kvolt::detail

#endif
