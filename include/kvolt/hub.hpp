#ifndef KVOLT_HUB_HPP
#define KVOLT_HUB_HPP

#include <kvolt/app.hpp>
#include <kvolt/broadcast_options.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/hub/core.hpp>
#include <kvolt/detail/hub/seat.hpp>
#include <kvolt/detail/server/lifecycle.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/member_key.hpp>
#include <kvolt/message.hpp>
#include <kvolt/websocket.hpp>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kvolt {

namespace detail {

template <class>
class HubStrand;

/// @tparam Strand  Leave it: it is there so that only files which make a hub compile what is behind it.
template <class Strand = HubStrand<void>>
std::shared_ptr<HubCore> make_hub(App& app, const HubOptions& options);

}  // namespace detail

/// Broadcasts to all its members, or to those in one room. All members see one and the same order of messages, on
/// whatever loops their connections live; a sender gets its own message in that order, too. Of two broadcasts, that
/// which returned before the other was called comes first, whatever threads they were made on; only what on_join() and
/// the like broadcast goes before those that still wait.
///
/// A member that stops reading delays nobody: what it does not take waits in its own backlog, and when that is full
/// the hub's policy decides (see HubOptions).
///
/// Rooms have names of at most 255 bytes, and are there while somebody is in them. The empty room is everyone.
///
/// @tparam Member  What is known of each member, such as a name. It must be copyable for members(), and is destroyed
///                 on any thread. See Keyed for members that have a key.
///
/// @note Thread safety: all functions may be called from any thread, but join(), which is for the handler of the
/// socket. On a loop of the app, each may call on_join() and the like before it returns: hold no lock then that those
/// take, too.
/// @note Lifetime: a hub stops its app when it is destroyed before it, since handlers may still use the hub. Declare
/// before it what those handlers use.
template <class Member = std::monostate>
class Hub {
public:
    /// The membership of one socket: it leaves the hub when it goes out of scope. Move-only.
    ///
    /// @note Thread safety: none; it belongs to the handler that joined, and its functions throw std::logic_error on
    ///       other threads, and in the predicate of a broadcast. It may outlive the hub, the connection and the app,
    ///       and be left anywhere.
    class Seat {
    public:
        Seat() noexcept = default;

        /// Leave now; does nothing the second time.
        void leave() noexcept { seat_.leave(); }

        // What follows throws std::logic_error for a seat that has been left or never joined.

        /// Be in one more room. A message to everyone still comes once.
        ///
        /// @returns  whether it is. A client that asks for rooms too fast, or for too many, is refused.
        /// @throws std::length_error  if `room` is too long.
        MoveResult enter(std::string_view room) { return seat_.enter(room); }

        /// Leave one room, but not the hub. Never refused; if it throws std::bad_alloc, the seat is there still.
        MoveResult leave(std::string_view room) { return seat_.leave(room); }

        /// The room that it has entered last, of those that it is in; empty if it is in none.
        std::string room() const { return seat_.room(); }

        /// The rooms that it is in, as it entered them.
        std::vector<std::string> rooms() const { return seat_.rooms(); }

        /// Broadcast to the room() of this seat, within its HubOptions::rate() and its share of HubOptions::queue().
        /// Else like Hub::broadcast(); this seat gets it, too, unless it is excepted.
        BroadcastResult broadcast(MessageView message, const BroadcastOptions& options = {}) {
            return seat_.broadcast(message, options);
        }

        /// The same to any room.
        BroadcastResult broadcast(MessageView message, std::string_view room, const BroadcastOptions& options = {}) {
            return seat_.broadcast(message, room, options);
        }

        /// Count something else that this member wants and others have work with, like one broadcast.
        ///
        /// @returns  false if the seat is over its HubOptions::rate().
        bool within_rate() { return seat_.within_rate(); }

        /// Send to this socket alone, at the message's place in the hub's order: after all that was broadcast before.
        /// WebSocket::send() does not wait for that. Else like Hub::broadcast().
        BroadcastResult send(MessageView message) { return seat_.send(message); }

        /// What happens when this member's backlog is full, and how much may be in it; as the hub's options say by
        /// default.
        Seat& slow(SlowPolicy policy) {
            seat_.slow(policy);
            return *this;
        }
        Seat& backlog(std::size_t bytes, std::size_t messages) {
            seat_.backlog({bytes, messages});
            return *this;
        }

        /// What the hub knows of this member.
        const Member& member() const { return *static_cast<const Member*>(seat_.value()); }

        /// Let it know something else. What is sent later by predicate or key already goes by it.
        ///
        /// @returns  whether that has been done: MoveResult::busy if this comes too fast.
        MoveResult member(Member changed) {
            std::string key = detail::key_of(changed);
            return seat_.change(std::make_shared<const Member>(std::move(changed)), std::move(key));
        }

        SeatId id() const noexcept { return seat_.id(); }

        /// True until the seat is left.
        explicit operator bool() const noexcept { return static_cast<bool>(seat_); }

    private:
        friend class Hub;

        explicit Seat(detail::HubSeat seat) noexcept : seat_(std::move(seat)) {}

        detail::HubSeat seat_;
    };

    explicit Hub(App& app, const HubOptions& options = {})
        : app_(app.lifecycle()), core_(detail::make_hub(app, options)) {}

    ~Hub() {
        core_->unhook();
        if (auto app = app_.lock()) app->stop();
    }

    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Who has entered or left a room. Those who joined without a room have entered the empty one.
    struct Presence {
        SeatId seat;
        const Member& member;
        std::string_view room;
    };

    /// Call a function whenever somebody enters a room, and on_leave() whenever somebody leaves one.
    ///
    /// Both have their place in the hub's order, and what the function broadcasts comes right behind it: before all
    /// that the one who enters broadcasts from then on, behind all that the one who leaves has broadcast. A list of
    /// members() together with the news behind it always tells who is there; size() is of the moment, and ahead of
    /// them.
    ///
    /// @param call  `void(const Presence&)`. What it throws is logged.
    /// @throws std::logic_error  once somebody has joined.
    /// @note Thread safety: it is called on the app's first loop, one call at a time, within join() and the like if
    ///       those are called there and nothing waits before them.
    template <class Call>
    Hub& on_join(Call call) {
        core_->hooks().joined = presence(std::move(call));
        return *this;
    }

    /// See on_join().
    template <class Call>
    Hub& on_leave(Call call) {
        core_->hooks().left = presence(std::move(call));
        return *this;
    }

    /// Call a function whenever a member falls behind: half of what may wait for it does. It is told of once, until
    /// on_caught_up() has told that nothing waits any more.
    ///
    /// @param call  `void(SeatId, const Member&)`. What it throws is logged.
    /// @throws std::logic_error  once somebody has joined.
    /// @note Thread safety: it is called on the member's loop, so with several loops several calls may be under way.
    template <class Call>
    Hub& on_behind(Call call) {
        core_->hooks().behind = with_member(std::move(call));
        return *this;
    }

    /// See on_behind().
    template <class Call>
    Hub& on_caught_up(Call call) {
        core_->hooks().caught_up = with_member(std::move(call));
        return *this;
    }

    /// Let a socket take part from now on, until the seat goes out of scope.
    ///
    /// @param room  The room to be in; with the empty one, only what is broadcast to everyone is received. A seat may
    ///              enter more rooms. Check what comes from a client: what is then said to the empty room, everyone
    ///              hears.
    /// @throws std::length_error  if `room` is too long, and if the socket has joined 65,535 other hubs.
    /// @throws std::logic_error   off the socket's loop: join in the handler that upgraded; for a client's socket, and
    ///                            for one of another app.
    /// @throws std::system_error  with std::errc::resource_unavailable_try_again if members come and go so fast that
    ///                            more of the moves of this socket are under way than HubOptions::moves() allows, or of
    ///                            all sockets than HubOptions::queue().
    [[nodiscard]] Seat join(const WebSocket& socket, Member member = {}, std::string_view room = {}) {
        std::string key = detail::key_of(member);
        return Seat(detail::HubSeat(core_, socket.peer(), std::make_shared<const Member>(std::move(member)),
                                    std::move(key), room));
    }

    /// Send a message to every member of a room.
    ///
    /// Encoded once per loop; a member whose backlog is full is treated by the hub's policy.
    ///
    /// @param message  Text must be UTF-8: it is checked, once for all. Copied: the caller may reuse it on return.
    /// @param room     At most 255 bytes; the empty room is everyone.
    /// @returns  what became of it: unless it was taken, nobody gets it.
    /// @throws std::length_error  if `room` is too long.
    /// @note Thread safety: any thread. Never suspends, never blocks.
    BroadcastResult broadcast(MessageView message, std::string_view room = {}, const BroadcastOptions& options = {}) {
        return core_->broadcast(message, room, options);
    }

    /// The same to everyone.
    BroadcastResult broadcast(MessageView message, const BroadcastOptions& options) {
        return broadcast(message, {}, options);
    }

    /// Send a message to those members of a room that satisfy a predicate. Else like broadcast().
    ///
    /// @param where  `bool(const Member&)`; called later, on several loops at once, for each member of the room. It
    ///               must not use the hub, and what it refers to must live as long as the app runs. If it throws, which
    ///               is logged, that member does not get the message.
    template <class Where>
    BroadcastResult broadcast_if(MessageView message, Where where, std::string_view room = {},
                                 const BroadcastOptions& options = {}) {
        static_assert(std::predicate<Where&, const Member&>,
                      "kvolt: broadcast_if() takes a function bool(const Member&)");
        auto of_value = [where = std::move(where)](const void* value) {
            return static_cast<bool>(where(*static_cast<const Member*>(value)));
        };
        return core_->broadcast_if(message, std::move(of_value), room, options);
    }

    /// Send to one seat, at the message's place in the order; to nobody if it has been left. Else like broadcast().
    BroadcastResult send(MessageView message, SeatId seat) { return core_->send(message, seat); }

    /// Send to all seats of the member with this key, in whatever rooms; to nobody if there is none. Else like
    /// broadcast(), which looks for them only later.
    BroadcastResult send(MessageView message, std::string_view key) requires Keyed<Member> {
        return core_->send(message, key);
    }

    /// Close the connections of all members of a room, of the empty one everybody's: they get what was broadcast
    /// before, then a close frame, and leave as their handlers end. The room's history is forgotten; who enters it
    /// later is welcome, so one who shall not be has to be told so by his handler, behind its join().
    ///
    /// @param code, reason  Like WebSocket::close().
    /// @returns  whether they will be; refused only if more of its kind is under way than HubOptions::queue() allows.
    /// @throws std::length_error      if `room` is too long.
    /// @throws std::invalid_argument  for a code that must not be sent, and for a reason that is not UTF-8.
    BroadcastResult close_room(std::string_view room, std::uint16_t code = close_code::normal,
                               std::string_view reason = {}) {
        return core_->close_room(room, code, reason);
    }

    /// Who is in a room, as copies, in no particular order; the empty room is everyone.
    ///
    /// That is at one place in the hub's order, and on a loop of the app at the very place which the broadcasts to that
    /// loop's members have reached when this completes. On the app's first loop it completes at once if nothing waits
    /// before it.
    ///
    /// @throws std::system_error  with std::errc::operation_canceled if the app has stopped. Who waits on one of its
    ///                            own loops ends with that.
    Task<std::vector<Member>> members(std::string room = {}) const {
        auto core = core_;
        detail::HubValues values;
        if (!core->list(room, values)) {
            auto initiate = [](auto handler, detail::HubCore* asked, std::string where) {
                auto executor = boost::asio::get_associated_executor(handler);
                asked->ask(std::move(where),
                           Resume<decltype(handler)>{std::move(handler), boost::asio::make_work_guard(executor)});
            };
            values = co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                          void(std::exception_ptr, detail::HubValues)>(
                initiate, boost::asio::use_awaitable, core.get(), std::move(room));
        }
        std::vector<Member> result;
        result.reserve(values.size());
        for (const auto& value : values) result.push_back(*static_cast<const Member*>(value.get()));
        co_return result;
    }

    /// How many seats there are in a room; the empty room is everyone.
    std::size_t size(std::string_view room = {}) const { return core_->size(room); }

    HubStats stats() const { return core_->stats(); }

private:
    // Calls the handler where it wants to be called: at once if this is there. A failure may come before the question
    // was asked.
    template <class Handler>
    struct Resume {
        void operator()(std::exception_ptr failure, detail::HubValues values) && {
            auto executor = work.get_executor();
            auto resume = [handler = std::move(handler), failure, values = std::move(values)]() mutable {
                std::move(handler)(failure, std::move(values));
            };
            failure ? boost::asio::post(executor, std::move(resume))
                    : boost::asio::dispatch(executor, std::move(resume));
        }

        Handler handler;
        boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work;
    };

    template <class Call>
    static auto with_member(Call call) {
        static_assert(std::invocable<Call&, SeatId, const Member&>,
                      "kvolt: on_behind() and on_caught_up() take a function void(kvolt::SeatId, const Member&)");
        return [call = std::move(call)](SeatId seat, const void* value) {
            call(seat, *static_cast<const Member*>(value));
        };
    }

    template <class Call>
    static auto presence(Call call) {
        static_assert(std::invocable<Call&, const Presence&>,
                      "kvolt: on_join() and on_leave() take a function void(const Presence&)");
        return [call = std::move(call)](SeatId seat, const void* value, std::string_view room) {
            call(Presence{seat, *static_cast<const Member*>(value), room});
        };
    }

    std::weak_ptr<detail::Lifecycle> app_;
    std::shared_ptr<detail::HubCore> core_;
};

}  // namespace kvolt

#ifndef KVOLT_COMPILED
#include <kvolt/src/hub.hpp>
#include <kvolt/src/hub_seat.hpp>
#endif

#endif
