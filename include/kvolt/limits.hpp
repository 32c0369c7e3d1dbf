#ifndef KVOLT_LIMITS_HPP
#define KVOLT_LIMITS_HPP

#include <chrono>
#include <cstddef>

namespace kvolt {

/// What may wait for one connection that does not take its bytes as fast as they come.
struct Backlog {
    std::size_t bytes = 1024 * 1024;
    std::size_t messages = 1024;
};

/// What happens to a message for a connection whose backlog is full.
enum class SlowPolicy {
    disconnect,   ///< The connection is closed with 1013 after what it has begun to receive.
    drop_newest,  ///< The new message is dropped.
    drop_oldest,  ///< The oldest waiting messages make room for the new one.
};

/// Every limit of a server, with its unit and default. Nothing waits, grows or repeats without one.
///
/// Deadlines are watched by a tick of 100 ms: they hold to within that.
struct Limits {
    using Duration = std::chrono::milliseconds;

    // HTTP requests
    Duration header_timeout =
        std::chrono::seconds(10);         ///< From the first byte of a request to the end of its head: 408.
    std::size_t header_size = 8 * 1024;   ///< Bytes of the head, request line included: 431.
    std::size_t header_fields = 100;      ///< Number of header fields: 431.
    std::size_t target_size = 8 * 1024;   ///< Bytes of the request target: 414.
    std::size_t body_size = 1024 * 1024;  ///< Bytes of a request body: 413.
    std::size_t body_rate = 16 * 1024;    ///< Bytes per second that a body must keep up after body_grace, or 0: 408.
    Duration body_grace = std::chrono::seconds(10);  ///< How long a body may be slower than body_rate.

    /// Bytes of all bodies that are kept until their handlers have ended, on their way in or whole: 503 for the one on
    /// its way that is slowest and largest. Bodies of routes with `kvolt::stream_body` are not kept.
    std::size_t all_bodies = 256 * 1024 * 1024;

    /// Handlers, coroutines, that go on at once although their client has gone, or 0 for no such limit; past it,
    /// requests for coroutines get 503. See Context::ignore_disconnect().
    std::size_t abandoned_handlers = 10'000;

    // Connections
    Duration idle_timeout = std::chrono::seconds(120);  ///< Keep-alive without a request: closed.
    Duration write_timeout = std::chrono::seconds(60);  ///< A response that makes no progress: hard close.

    /// At once; 0: as many as there are descriptors (RLIMIT_NOFILE), less a reserve. Past it, the connection that has
    /// waited for another request for longest is closed for a newcomer; if there is none, the one that has waited for
    /// its first request or the rest of a head for longest; else the one that has been silent within a body for longest,
    /// for a second at least. If there is none either, newcomers wait.
    std::size_t connections = 0;

    /// At once from one address of IPv4 or one /64 network of IPv6, or 0 for no such limit. Past it, a newcomer from
    /// there is closed without an answer, which is logged at most once a minute. By the PROXY protocol, that is the
    /// client's address. Any number may come from Unix sockets, and from those whom App::trust_proxies() or
    /// ListenOptions::proxy_protocol() names.
    std::size_t connections_per_client = 0;

    Duration drain_timeout = std::chrono::seconds(5);  ///< What stop() grants to those that are connected: hard close.

    // WebSockets
    std::size_t message_size = 64 * 1024;                 ///< Bytes of a received message, inflated: close 1009.
    std::size_t message_fragments = 1024;                 ///< Frames of a received message: close 1008.
    Duration message_timeout = std::chrono::seconds(30);  ///< From a message's first byte to its last: close 1008.
    Duration ping_interval = std::chrono::seconds(25);    ///< From one ping to the next, which measure the round trip.
    Duration silence_timeout =
        std::chrono::seconds(60);  ///< Silence, or bytes not taken, for so long: the peer is dead, 1006. Also of a
                                   ///< client that waits for a handler while its machine is silent; or
                                   ///< write_timeout, if that is longer.
    Duration close_timeout = std::chrono::seconds(5);  ///< For the closing handshake: hard close.
    Backlog backlog{};                                 ///< Of one connection; a hub may set its own.

    /// Bytes that wait for all slow connections, HTTP included; with several threads an eighth more for a moment. Past
    /// it, the one for which the most waits is closed: a WebSocket with 1013, a response is cut off.
    std::size_t all_backlogs = 256 * 1024 * 1024;
};

}  // namespace kvolt

#endif
