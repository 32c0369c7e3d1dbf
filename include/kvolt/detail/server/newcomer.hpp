#ifndef KVOLT_DETAIL_SERVER_NEWCOMER_HPP
#define KVOLT_DETAIL_SERVER_NEWCOMER_HPP

#include <kvolt/detail/core/descriptor.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/places.hpp>

#include <optional>

namespace kvolt::detail {

class ListenerHandle;

/// A connection that was just accepted, or why there is none.
struct Accepted {
    Descriptor socket;
    std::optional<IpEndpoint> peer;  ///< Nothing for a Unix socket.
    int error = 0;                   ///< errno, where there is no socket.
};

/// A connection that was accepted, until the loop of its place begins to serve it.
struct Newcomer {
    Descriptor socket;
    std::optional<IpEndpoint> peer;
    ListenerHandle* listener = nullptr;
    Place place;
};

}  // namespace kvolt::detail

#endif
