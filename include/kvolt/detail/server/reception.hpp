#ifndef KVOLT_DETAIL_SERVER_RECEPTION_HPP
#define KVOLT_DETAIL_SERVER_RECEPTION_HPP

#include <kvolt/detail/core/handover.hpp>
#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/loop_watcher.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/net/mailbox.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/net/platform.hpp>
#include <kvolt/detail/net/rest.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/handle.hpp>
#include <kvolt/detail/server/listener_handle.hpp>
#include <kvolt/detail/server/newcomer.hpp>
#include <kvolt/detail/server/shortage.hpp>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// Lets newcomers in, on all addresses of an app, and gives each a place on the loop that has the fewest.
///
/// Where there is no place, the connection that has rested for longest makes way, on whatever loop it is; if none
/// rests, newcomers wait until one does, or a place is given back.
///
/// The first loop accepts. While a loop is blocked, by a handler that waits or computes, the others do without it: it
/// gets no newcomers, those that it has not begun to serve go to another loop, and if it is the first one, another one
/// accepts instead.
class Reception final : private LoopWatcher {
public:
    /// @param listeners  They outlive this.
    Reception(std::shared_ptr<AppCore> app, const Listeners& listeners) : app_(std::move(app)) {
        for (const auto& loop : *app_->loops) desks_.push_back(std::make_unique<Desk>(*loop));
        for (const auto& listener : listeners) doors_.push_back({listener.get()});
        std::size_t descriptors = platform::descriptor_limit();
        if (app_->limits.connections > 0)
            most_ = app_->limits.connections;
        else
            most_ = descriptors > 128 ? descriptors - 64 : descriptors / 2;
        app_->places.on_freed([this] { resume(); });
    }

    ~Reception() { app_->places.on_freed(nullptr); }

    Reception(const Reception&) = delete;
    Reception& operator=(const Reception&) = delete;

    /// Let newcomers in from now on. Before the loops run.
    void open() noexcept {
        for (const auto& desk : desks_) desk->loop.watcher(*this);
        for (Door& door : doors_) watch(door);
    }

    /// Let nobody in any more. On the first loop, or when that has ended.
    void close() noexcept {
        std::lock_guard lock(mutex_);
        closed_ = true;
        for (Door& door : doors_) door.listener->close();
    }

private:
    struct Door {
        ListenerHandle* listener;
        bool open = false;  // somebody may wait there, as far as the first loop knows
    };

    // Where a loop gets its newcomers.
    struct Desk {
        explicit Desk(Loop& of) : loop(of) {}

        Loop& loop;
        Handover<Newcomer> newcomers;
        Reserve<> serve_room, make_way_room;
    };

    enum class Taken { one, nobody, none_free };

    using Clock = Loop::Clock;

    // Accepting

    void watch(Door& door) noexcept {
        door.open = false;
        door.listener->watch([this, &door] {
            door.open = true;
            accept();
        });
    }

    // On the first loop.
    void accept() noexcept {
        Desk& here = *desks_.front();
        std::string notice;
        {
            std::lock_guard lock(mutex_);
            if (closed_) return;
            paused_ = false;
            want_way(false);
            for (int i = 0; i < most_in_a_turn && !paused_; ++i) {
                Door* door = next_open();
                if (door == nullptr) break;
                switch (take_one(*door, here)) {
                    case Taken::one: break;
                    case Taken::nobody: watch(*door); break;
                    case Taken::none_free: paused_ = true; break;
                }
            }
            if (!paused_)
                for (Door& door : doors_)
                    if (door.open) watch(door);  // there are more, but other connections have a turn first
            notice = std::exchange(notice_, {});
        }
        serve(here);
        if (!notice.empty()) app_->log(notice);
    }

    // On another loop, while the first one is blocked.
    void accept_instead(Desk& here) noexcept {
        std::string notice;
        {
            std::unique_lock lock(mutex_, std::try_to_lock);
            if (!lock) return;  // somebody else does
            want_way(false);
            int left = most_in_a_turn;
            for (Door& door : doors_)
                for (auto taken = Taken::one; taken == Taken::one && left > 0; --left) taken = take_one(door, here);
            notice = std::exchange(notice_, {});
        }
        serve(here);
        if (!notice.empty()) app_->log(notice);
    }

    // By turns, so that none is kept waiting by another one.
    Door* next_open() noexcept {
        for (std::size_t i = 0; i < doors_.size(); ++i) {
            Door& door = doors_[next_door_++ % doors_.size()];
            if (door.open) return &door;
        }
        return nullptr;
    }

    Taken take_one(Door& door, Desk& here) noexcept {
        if (closed_) return Taken::nobody;
        auto now = Clock::now();
        std::size_t total = 0;
        Desk* desk = &emptiest(here, now, total);
        if (total >= most_) {
            if (!door.listener->has_waiting()) return Taken::nobody;
            app_->places.await();  // look again: one may have been given back meanwhile
            desk = &emptiest(here, now, total);
            if (total >= most_) return none_free(here, now, 0);
        }
        Accepted accepted = door.listener->accept();
        if (accepted.error != 0) {
            switch (platform::accept_error(accepted.error)) {
                case platform::AcceptError::nobody: return Taken::nobody;
                case platform::AcceptError::next: return Taken::one;
                case platform::AcceptError::shortage: return none_free(here, now, accepted.error);
            }
        }
        if (total + most_ / 8 < most_) shortage_.over();
        Loop::attempt([&] {  // out of memory it is closed
            hand_over(*desk, here, std::move(accepted), *door.listener);
        });
        return Taken::one;
    }

    // Of those that run.
    Desk& emptiest(Desk& here, Clock::time_point now, std::size_t& total) noexcept {
        Desk* best = nullptr;
        std::size_t fewest = 0;
        total = 0;
        for (const auto& desk : desks_) {
            std::size_t count = desk->loop.connections().load();
            total += count;
            if (desk.get() != &here && !desk->loop.responsive(now)) continue;
            if (best != nullptr && count >= fewest) continue;
            best = desk.get();
            fewest = count;
        }
        return *best;
    }

    Taken none_free(Desk& here, Clock::time_point now, int error) noexcept {
        Loop::attempt([&] {
            std::size_t descriptors = platform::descriptor_limit();
            std::string told = error != 0 ? shortage_.of_system(error, descriptors, now)
                                          : shortage_.of_places(most_, app_->limits.connections ? 0 : descriptors, now);
            if (!told.empty()) notice_ = std::move(told);
        });
        if (error != 0) app_->places.await();
        if (error != 0 && error != EMFILE) return Taken::none_free;  // others may take what one gives back here
        want_way(true);
        make_way(here);
        return Taken::none_free;
    }

    // A place was given back; any thread.
    void resume() noexcept {
        Loop::attempt([&] {  // else one call waits already
            desks_.front()->loop.mailbox()->post(resume_room_, [this] {
                if (paused_) accept();
            });
        });
    }

    // Handing over

    void hand_over(Desk& desk, Desk& here, Accepted accepted, ListenerHandle& listener) {
        Newcomer newcomer{std::move(accepted.socket), accepted.peer, &listener, Place(app_->places, desk.loop)};
        bool call = desk.newcomers.put(std::move(newcomer));
        if (call && &desk != &here) desk.loop.mailbox()->post(desk.serve_room, [this, &desk] { serve(desk); });
    }

    // On its loop.
    void serve(Desk& desk) noexcept {
        for (Newcomer& newcomer : desk.newcomers.take()) newcomer.listener->begin(std::move(newcomer));
    }

    // Those that a blocked loop has not begun to serve are served here.
    void serve_instead(Desk& blocked, Desk& here) noexcept {
        for (Newcomer& newcomer : blocked.newcomers.take_back()) {
            newcomer.place = Place(app_->places, here.loop);
            newcomer.listener->begin(std::move(newcomer));
        }
    }

    // Making way

    void want_way(bool wanted) noexcept {
        wanted_.store(wanted, std::memory_order_relaxed);
        for (const auto& desk : desks_) desk->loop.want_way(wanted);
    }

    // Have the one make way that has rested for longest. On the loop of `here`.
    void make_way(Desk& here) noexcept {
        if (!wanted_.load(std::memory_order_relaxed)) return;
        Resting* one = nullptr;
        Loop::attempt([&] { one = here.loop.resting().first(here.loop.now()); });
        Desk& longest = longest_resting(here);
        if (&longest != &here) return call_to_make_way(longest);
        if (one == nullptr) return;  // the next one that comes to rest does, or this one at a later tick
        want_way(false);
        one->make_way();
    }

    void call_to_make_way(Desk& desk) noexcept {
        Loop::attempt([&] {  // else one call waits already
            desk.loop.mailbox()->post(desk.make_way_room, [this, &desk] { make_way(desk); });
        });
    }

    Desk& longest_resting(Desk& here) noexcept {
        auto now = Clock::now();
        Desk* best = &here;
        for (const auto& desk : desks_)
            if (desk->loop.resting().rank() < best->loop.resting().rank() && desk->loop.responsive(now))
                best = desk.get();
        return *best;
    }

    // LoopWatcher

    void on_rest(Loop& loop) noexcept override { make_way(desk_of(loop)); }

    void on_tick(Loop& loop) noexcept override {
        Desk& here = desk_of(loop);
        auto now = Clock::now();
        if (&here == desks_.front().get()) {
            if (paused_) accept();
        } else if (!desks_.front()->loop.responsive(now)) {
            accept_instead(here);
        }
        make_way(here);
        for (const auto& desk : desks_)
            if (desk.get() != &here && !desk->loop.responsive(now)) serve_instead(*desk, here);
    }

    Desk& desk_of(const Loop& loop) noexcept {
        for (const auto& desk : desks_)
            if (&desk->loop == &loop) return *desk;
        return *desks_.front();
    }

    static constexpr int most_in_a_turn = 64;

    const std::shared_ptr<AppCore> app_;
    std::vector<std::unique_ptr<Desk>> desks_;  // in the order of the loops
    std::size_t most_;                          // connections at once
    std::atomic<bool> wanted_{false};           // a place, for newcomers
    Reserve<> resume_room_;
    bool paused_ = false;  // of the first loop: until a place is given back, or the next tick

    std::mutex mutex_;  // who has it accepts
    std::vector<Door> doors_;
    std::size_t next_door_ = 0;
    Shortage shortage_;
    std::string notice_;  // to be logged
    bool closed_ = false;
};

}  // namespace kvolt::detail

#endif
