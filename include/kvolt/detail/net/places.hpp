#ifndef KVOLT_DETAIL_NET_PLACES_HPP
#define KVOLT_DETAIL_NET_PLACES_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/net/client_counts.hpp>
#include <kvolt/detail/net/ip.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <utility>

namespace kvolt::detail {

class Loop;

/// The places that an app has for connections: who waits for one to become free, and which clients have some. How many
/// are taken on each loop, that counts.
class Places {
public:
    ClientCounts& clients() const noexcept { return clients_; }

    /// @param freed  Called when a place was given back and somebody waits; from any thread. It must not throw. Set it
    ///               before anything is served.
    void on_freed(std::function<void()> freed) { freed_ = std::move(freed); }

    /// Have that called once, for the next place that is given back. Look again after this whether none is free.
    void await() noexcept { awaited_.store(true); }

private:
    friend class Place;

    void tell_freed() const {
        if (awaited_.load() && awaited_.exchange(false) && freed_) freed_();
    }

    mutable ClientCounts clients_;
    mutable std::atomic<bool> awaited_{false};
    std::function<void()> freed_;
};

/// The place of one connection on a loop. Who has it gives it back when he is destroyed, or before. Move-only.
class Place {
public:
    Place() noexcept = default;

    /// Take one; the loop counts it. Whether there is one is for others to know.
    KVOLT_INLINE Place(const Places& places, Loop& loop) noexcept;

    Place(Place&& other) noexcept
        : places_(other.places_),
          loop_(std::exchange(other.loop_, nullptr)),
          client_(std::exchange(other.client_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
        Place old = std::move(*this);
        places_ = other.places_;
        loop_ = std::exchange(other.loop_, nullptr);
        client_ = std::exchange(other.client_, nullptr);
        return *this;
    }
    ~Place() { give_back(); }

    /// The loop that it is on. Not for one that was given back.
    Loop& loop() const noexcept { return *loop_; }

    /// Count it for a client.
    ///
    /// @returns  false if that one has `most` places already.
    bool count_for(const Ip& client, std::size_t most) {
        client_ = places_->clients().add(client, most);
        return client_ != nullptr;
    }

    /// Does nothing the second time.
    KVOLT_INLINE void give_back() noexcept;

private:
    const Places* places_ = nullptr;
    Loop* loop_ = nullptr;
    ClientCounts::Entry* client_ = nullptr;
};

}  // namespace kvolt::detail

#ifndef KVOLT_COMPILED
#include <kvolt/src/places.hpp>
#endif

#endif
