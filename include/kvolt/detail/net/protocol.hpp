#ifndef KVOLT_DETAIL_NET_PROTOCOL_HPP
#define KVOLT_DETAIL_NET_PROTOCOL_HPP

namespace kvolt::detail {

/// What is spoken over a wire: HTTP, and WebSocket after an upgrade. Called on the loop, and unless said otherwise
/// never from within a send.
class Protocol {
public:
    virtual void on_backlog() = 0;    ///< The peer does not take what it is sent, or has taken some of it.
    virtual void on_drained() = 0;    ///< All has been taken.
    virtual void on_lost() = 0;       ///< The socket was closed before its time.
    virtual void on_overload() = 0;   ///< Too much waits for this peer, of all; may come within a send. See Burden.
    virtual void on_late() = 0;       ///< The deadline that was armed has come.
    virtual void on_shut_down() = 0;  ///< The server stops.

protected:
    ~Protocol() = default;
};

}  // namespace kvolt::detail

#endif
