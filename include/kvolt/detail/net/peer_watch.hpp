#ifndef KVOLT_DETAIL_NET_PEER_WATCH_HPP
#define KVOLT_DETAIL_NET_PEER_WATCH_HPP

#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/platform.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace kvolt::detail {

/// Finds out, while a handler waits, whether the peer of its connection is still there.
///
/// A reset is seen at once. That a peer will send no more does not mean that it has gone: HTTP clients may shut down
/// their sending side and wait for the answer. To find out, something of no meaning is sent, which a peer that has
/// closed answers with a reset.
///
/// @tparam Session  Has `wire()`; `take_input()`, which keeps what the peer has sent and tells why there is no more, or
///                  nothing if it can keep no more; `probe()`, which sends something of no meaning;
///                  `handler_waits()`; and `arm()`, which makes it call look() when that is due.
template <class Session>
class PeerWatch {
public:
    explicit PeerWatch(Session& session) noexcept : session_(session) {}

    /// Look, and close the connection if the peer has gone. From now on that is done whenever the socket tells of
    /// something, and by calls of this when it is due.
    ///
    /// @param silence  After so long, a peer whose machine gives no sign of life has gone.
    void look(std::shared_ptr<Session> self, std::chrono::milliseconds silence) {
        if (state_ == State::input || state_ == State::ended) return;
        auto& wire = session_.wire();
        if (state_ == State::off) wire.keep_alive(silence);
        boost::system::error_code error = session_.take_input();
        auto peer = error ? platform::PeerState::here : wire.peer_state();
        if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) {
            await_input(std::move(self), silence);
        } else if (error == boost::asio::error::eof || peer == platform::PeerState::ended) {
            await_loss(std::move(self));
            session_.probe();
        } else if (error || peer == platform::PeerState::gone) {
            wire.abort();
        } else {
            state_ = State::full;
        }
    }

    /// When to look again; never if the socket will tell. Whoever waits for less than a tick is not watched.
    std::optional<Tick> due(Tick now) const noexcept {
        if (state_ == State::off) return now + 1;
        if (state_ == State::full) return now + Loop::ticks(std::chrono::seconds(1));
        return std::nullopt;
    }

private:
    enum class State {
        off,
        input,  // the socket tells when the peer has sent more, or ended
        full,   // the peer has sent as much as is kept, or something else that the socket tells without end
        ended,  // it will send no more; the socket tells when it has gone
    };

    void await_input(std::shared_ptr<Session> self, std::chrono::milliseconds silence) {
        state_ = State::input;
        session_.wire().await(boost::asio::socket_base::wait_read, [this, self = std::move(self), silence]() mutable {
            state_ = State::off;
            if (!session_.handler_waits()) return;
            look(std::move(self), silence);
            session_.arm();
        });
    }

    void await_loss(std::shared_ptr<Session> self) {
        state_ = State::ended;
        session_.wire().await(boost::asio::socket_base::wait_error, [this, self = std::move(self)] {
            if (session_.wire().peer_state() == platform::PeerState::gone) return session_.wire().abort();
            state_ = State::full;  // urgent data, perhaps: look again, now and then
            if (session_.handler_waits()) session_.arm();
        });
    }

    Session& session_;
    State state_ = State::off;
};

}  // namespace kvolt::detail

#endif
