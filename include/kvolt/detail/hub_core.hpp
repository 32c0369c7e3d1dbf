#ifndef KVOLT_DETAIL_HUB_CORE_HPP
#define KVOLT_DETAIL_HUB_CORE_HPP

#include <kvolt/detail/hub_entry.hpp>
#include <kvolt/detail/hub_hooks.hpp>
#include <kvolt/detail/hub_member.hpp>
#include <kvolt/detail/peer.hpp>
#include <kvolt/detail/waiter.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/limits.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvolt::detail {

/// What all hubs do alike. This is a seam: files that only define handlers need not compile what is behind it.
class HubCore {
public:
    using Value = std::shared_ptr<const void>;  // a Member
    using Values = HubValues;

    virtual ~HubCore() = default;

    // On the member's loop

    virtual std::shared_ptr<HubMember> join(std::shared_ptr<Peer> peer, Value value, std::string key,
                                            std::string_view room) = 0;
    virtual bool enter(const std::shared_ptr<HubMember>& member, std::string_view room) = 0;
    virtual bool leave(const std::shared_ptr<HubMember>& member, std::string_view room) = 0;
    virtual bool may_broadcast(HubMember& member) = 0;
    virtual void change(const std::shared_ptr<HubMember>& member, Value value, std::string key) = 0;

    // Any thread

    /// @throws std::logic_error  if somebody has joined already.
    virtual HubHooks& hooks() = 0;

    /// Call no hook any more.
    virtual void unhook() noexcept = 0;

    /// Leave for good, on the member's loop: from other threads a little later.
    virtual void leave(std::shared_ptr<HubMember> member) noexcept = 0;

    /// Give an entry its place in the order. False if a message was dropped.
    virtual bool submit(HubEntry entry) = 0;

    /// Who is in a room, if this is the loop that gives the order; false elsewhere.
    virtual bool list(std::string_view room, Values& values) = 0;

    /// The same from elsewhere: `answer` is called on the caller's loop when it has reached that place in the order, or
    /// on that which gives it.
    virtual void ask(std::string room, Waiter<Values> answer) = 0;

    virtual std::size_t size(std::string_view room) const = 0;
    virtual HubStats stats() const = 0;
};

template <class>
class HubStrand;

/// @tparam Strand  Leave it: it is there so that only files which make a hub compile what is behind it.
template <class Strand = HubStrand<void>>
std::shared_ptr<HubCore> make_hub(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options);

}  // namespace kvolt::detail

#endif
