#ifndef KVOLT_HUB_HPP
#define KVOLT_HUB_HPP

#include <kvolt/app.hpp>
#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/hub_strand.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/message.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kvolt {

/// Broadcasts to all its members, or to those in one room. All members see one and the same order of messages, on
/// whatever loops their connections live; a sender gets its own message in that order, too. Of two broadcasts, that
/// which returned before the other was called comes first, whatever threads they were made on.
///
/// A member that stops reading delays nobody: what it does not take waits in its own backlog, and when that is full
/// the hub's policy decides (see HubOptions).
///
/// @tparam Member  What is known of each member, such as a name. It must be copyable for members().
///
/// @note Thread safety: all functions may be called from any thread, but join(), which is for the handler of the
/// socket.
/// @note Lifetime: a hub stops its app when it is destroyed before it, since handlers may still use the hub. Declare
/// before it what those handlers use.
template <class Member = std::monostate>
class Hub {
    struct Entry : detail::HubMember {
        Entry(std::shared_ptr<detail::Peer> whose, std::string_view where, Member what)
            : HubMember(std::move(whose), where), member(std::move(what)) {}

        Member member;
    };

public:
    /// The membership of one socket: it leaves the hub when it goes out of scope. Move-only.
    ///
    /// @note Thread safety: none; it belongs to the handler that joined. It may outlive the hub and the connection.
    class Seat {
    public:
        Seat() noexcept = default;
        Seat(Seat&& other) noexcept = default;
        Seat& operator=(Seat&& other) noexcept {
            if (this != &other) {
                leave();
                core_ = std::move(other.core_);
                entry_ = std::move(other.entry_);
            }
            return *this;
        }
        ~Seat() { leave(); }

        /// Leave now; does nothing the second time.
        void leave() noexcept {
            if (entry_) std::exchange(core_, nullptr)->leave(std::move(entry_));
        }

        /// What the hub knows of this member; changes are seen by members().
        /// @pre  The seat has been joined and not left.
        Member& member() noexcept { return entry_->member; }

        const std::string& room() const noexcept { return entry_->room; }

        /// True until the seat is left.
        explicit operator bool() const noexcept { return entry_ != nullptr; }

    private:
        friend class Hub;

        Seat(std::shared_ptr<detail::HubCore> core, std::unique_ptr<Entry> entry)
            : core_(std::move(core)), entry_(std::move(entry)) {}

        std::shared_ptr<detail::HubCore> core_;
        std::unique_ptr<Entry> entry_;
    };

    explicit Hub(App& app, const HubOptions& options = {})
        : app_(app.self()), core_(std::make_shared<detail::HubStrand<Member>>(app.loops(), app.limits(), options)) {}

    ~Hub() {
        if (auto app = app_.lock()) (*app)->stop();
    }

    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Let a socket take part from now on, until the seat goes out of scope.
    ///
    /// @param room  At most 255 bytes; with the empty one, only what is broadcast to everyone is received.
    /// @throws std::length_error  if `room` is too long.
    /// @throws std::logic_error   off the socket's loop: join in the handler that upgraded; and for a client's socket.
    [[nodiscard]] Seat join(const WebSocket& socket, Member member = {}, std::string_view room = {}) {
        check(room);
        if (!socket.peer()->on_loop())
            throw std::logic_error("kvolt: Hub::join() off the socket's loop; join in the handler that upgraded");
        if (socket.peer()->role() == detail::Role::client)
            throw std::logic_error("kvolt: Hub::join() of a client's connection, whose frames need masks of their own");
        auto entry = std::make_unique<Entry>(socket.peer(), room, std::move(member));
        core_->join(*entry);
        return Seat(core_, std::move(entry));
    }

    /// Send a message to every member of a room.
    ///
    /// Encoded once per loop; a member whose backlog is full is treated by the hub's policy.
    ///
    /// @param message  Text must be UTF-8. Copied: the caller may reuse it on return.
    /// @param room     At most 255 bytes; the empty room is everyone.
    /// @returns  false if nobody will get it: the app has stopped, or more is under way than HubOptions::queue allows.
    /// @throws std::length_error  if `room` is too long.
    /// @note Thread safety: any thread. Never suspends, never blocks.
    bool broadcast(MessageView message, std::string_view room = {}) {
        check(room);
        detail::Broadcast broadcast;
        broadcast.room = room;
        detail::append_frame(broadcast.frame, message.binary ? detail::Opcode::binary : detail::Opcode::text,
                             message.payload);
        return core_->broadcast(std::move(broadcast));
    }

    /// Who is in a room, as copies, in no particular order; the empty room is everyone.
    ///
    /// On one loop it completes at once. With several, members may come and go while it asks one loop after the other.
    Task<std::vector<Member>> members(std::string room = {}) const {
        auto core = core_;
        std::vector<Member> result;
        for (detail::HubShard* shard : core->shards()) {
            if (detail::Loop::current() == &shard->loop()) {
                append(result, *shard, room);
                continue;
            }
            Task<std::vector<Member>> there = collect(*shard, room);
            std::vector<Member> more =
                co_await boost::asio::co_spawn(shard->loop().executor(), std::move(there), boost::asio::use_awaitable);
            for (Member& member : more) result.push_back(std::move(member));
        }
        co_return result;
    }

    /// How many members there are in all rooms.
    std::size_t size() const {
        std::size_t sum = 0;
        for (const detail::HubShard* shard : core_->shards()) sum += shard->size();
        return sum;
    }

    HubStats stats() const { return core_->stats(); }

private:
    static void check(std::string_view room) {
        if (room.size() > 255) throw std::length_error("kvolt: a room's name has at most 255 bytes");
    }

    static void append(std::vector<Member>& result, const detail::HubShard& shard, std::string_view room) {
        for (const detail::HubMember* member : shard.members(room))
            result.push_back(static_cast<const Entry*>(member)->member);
    }

    static Task<std::vector<Member>> collect(const detail::HubShard& shard, std::string room) {
        std::vector<Member> result;
        append(result, shard, room);
        co_return result;
    }

    std::weak_ptr<App*> app_;
    std::shared_ptr<detail::HubCore> core_;
};

}  // namespace kvolt

#endif
