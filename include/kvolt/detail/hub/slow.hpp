#ifndef KVOLT_DETAIL_HUB_SLOW_HPP
#define KVOLT_DETAIL_HUB_SLOW_HPP

#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/hooks.hpp>
#include <kvolt/detail/hub/member.hpp>
#include <kvolt/detail/net/backlog.hpp>
#include <kvolt/detail/net/link.hpp>
#include <kvolt/detail/net/outbox.hpp>
#include <kvolt/detail/websocket/peer.hpp>
#include <kvolt/message.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// What a hub counts of its members on one loop.
struct HubCounts : SenderCounts {
    Counter deliveries{0}, behind{0};
};

/// What has become of what was sent. Who is slow is closed and told of only by HubSlow::settle(): that appends, and the
/// hub's user may change who is a member.
struct HubTally {
    std::size_t queued = 0;
    std::vector<std::shared_ptr<HubMember>> overflowing, behind;
};

/// Looks after members that do not take what they are sent as fast as it comes. On their loop.
class HubSlow {
public:
    /// @param owner   What this is a part of.
    /// @param counts  Outlive this, as the hooks do.
    HubSlow(const HubHooks& hooks, const std::weak_ptr<HubCore>& owner, HubCounts& counts)
        : hooks_(hooks), owner_(owner), counts_(counts) {}

    void settle(HubTally tally) noexcept {
        for (const auto& member : tally.overflowing) {
            Peer& peer = *member->peer;
            Link* link = peer.link();
            if (link == nullptr || peer.over()) continue;  // it has a second seat
            link->attempt([&] {
                link->outbox().shed();
                peer.close(close_code::try_again_later, "too slow");
            });
        }
        HubCounts::count(counts_.deliveries, tally.queued);
        HubCounts::count(counts_.behind, tally.behind.size());
        for (const auto& member : tally.behind)
            if (Link* link = member->peer->link()) link->attempt([&] { fall_behind(member); });
    }

    static bool is_behind(const Outbox& outbox, const Backlog& limit) noexcept {
        return outbox.backlog() > limit.bytes / 2 || outbox.messages() > limit.messages / 2;
    }

private:
    void fall_behind(const std::shared_ptr<HubMember>& member) {
        await_drained(member);
        hooks_.call(hooks_.behind, member->peer, member->id, member->value);
    }

    void await_drained(const std::shared_ptr<HubMember>& member) {
        member->peer->when_drained(member.get(), [this, owner = owner_, weak = std::weak_ptr(member)] {
            auto whole = owner.lock();
            auto still = weak.lock();
            if (whole && still) catch_up(still);
        });
    }

    void catch_up(const std::shared_ptr<HubMember>& member) {
        Link* link = member->peer->link();
        if (link == nullptr || link->outbox().finished() || member->places.empty()) return;
        if (link->outbox().backlog() > 0) return link->attempt([&] { await_drained(member); });  // already more
        member->behind = false;
        hooks_.call(hooks_.caught_up, member->peer, member->id, member->value);
    }

    const HubHooks& hooks_;
    const std::weak_ptr<HubCore> owner_;
    HubCounts& counts_;
};

}  // namespace kvolt::detail

#endif
