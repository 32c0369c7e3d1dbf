#ifndef KVOLT_SRC_PLACES_HPP
#define KVOLT_SRC_PLACES_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/places.hpp>

#include <utility>

namespace kvolt::detail {

KVOLT_INLINE Place::Place(const Places& places, Loop& loop) noexcept : places_(&places), loop_(&loop) {
    loop.connections().fetch_add(1);
}

KVOLT_INLINE void Place::give_back() noexcept {
    if (loop_ == nullptr) return;
    std::exchange(loop_, nullptr)->connections().fetch_sub(1);
    if (client_ != nullptr) places_->clients().remove(std::exchange(client_, nullptr));
    places_->tell_freed();
}

}  // namespace kvolt::detail

#endif
