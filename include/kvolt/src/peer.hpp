#ifndef KVOLT_SRC_PEER_HPP
#define KVOLT_SRC_PEER_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/websocket/compression.hpp>
#include <kvolt/detail/websocket/peer.hpp>

#include <memory>
#include <string>
#include <utility>

namespace kvolt::detail {

KVOLT_INLINE Peer::Peer(Link& link, std::string protocol, Role role, std::unique_ptr<Deflater> deflater)
    : link_(&link),
      deflater_(std::move(deflater)),
      loop_(link.loop()),
      mailbox_(loop_.mailbox()),
      protocol_(std::move(protocol)),
      role_(role) {}

KVOLT_INLINE Peer::Peer(Link& link, std::string protocol) : Peer(link, std::move(protocol), Role::server, nullptr) {}

KVOLT_INLINE Peer::~Peer() = default;

KVOLT_INLINE bool Peer::on_loop() const noexcept { return Loop::current() == &loop_; }

KVOLT_INLINE void Peer::tell_drained() {
    for (WhenDrained& each : std::exchange(drained_, {})) loop_.post(std::move(each.function));
}

}  // namespace kvolt::detail

#endif
