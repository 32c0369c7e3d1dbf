#ifndef KVOLT_DETAIL_WEBSOCKET_PEER_HPP
#define KVOLT_DETAIL_WEBSOCKET_PEER_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/message.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

class Deflater;
class Link;
class Loop;
class Mailbox;

/// One WebSocket connection, as its handles and hubs see it; it outlives the connection. This is a seam: behind it
/// sessions begin, which files that only define handlers need not compile.
class Peer {
public:
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    KVOLT_INLINE virtual ~Peer();

    // From any thread

    bool on_loop() const noexcept;
    virtual SendResult send(MessageView message) = 0;
    virtual void close(std::uint16_t code, std::string_view reason) = 0;

    /// True once no message will come any more.
    bool over() const noexcept { return over_.load(std::memory_order_acquire); }

    /// Why; only after over().
    std::uint16_t close_code() const noexcept { return close_code_; }
    const std::string& close_reason() const noexcept { return close_reason_; }

    const std::string& protocol() const noexcept { return protocol_; }

    /// Of the last ping that was answered; negative before that.
    std::chrono::microseconds round_trip_time() const noexcept {
        return std::chrono::microseconds(round_trip_time_.load(std::memory_order_relaxed));
    }

    // On the loop

    virtual Task<std::optional<Message>> read() = 0;
    virtual Task<> drained() = 0;

    void round_trip_time(std::chrono::microseconds time) noexcept {
        round_trip_time_.store(time.count(), std::memory_order_relaxed);
    }

    /// Call a function, a little later, when nothing waits for the network any more; never if it is lost before that.
    ///
    /// @param whose  Who can let go of it.
    void when_drained(const void* whose, Waiter<> function) { drained_.push_back({whose, std::move(function)}); }
    void let_go(const void* whose) noexcept {
        std::erase_if(drained_, [&](const WhenDrained& each) { return each.whose == whose; });
    }

    /// nullptr unless compression was agreed on.
    Deflater* deflater() const noexcept { return deflater_.get(); }

    /// The connection; nullptr once it is gone.
    Link* link() const noexcept { return link_; }

    /// Which side of the connection this is. Whoever writes frames himself, such as a hub, can do so for a server only.
    Role role() const noexcept { return role_; }

    /// Bytes under way in hubs of its moves, and of what its seats have said. Any thread.
    std::atomic<std::size_t>& moves() noexcept { return moves_; }
    std::atomic<std::size_t>& said() noexcept { return said_; }

    Loop& loop() const noexcept { return loop_; }
    const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }

protected:
    Peer(Link& link, std::string protocol);
    Peer(Link& link, std::string protocol, Role role, std::unique_ptr<Deflater> deflater);

    void set_over(std::uint16_t code, std::string_view reason) {
        close_code_ = code;
        close_reason_ = reason;
        over_.store(true, std::memory_order_release);
    }

    void unlink() noexcept { link_ = nullptr; }

    void tell_drained();

    void forget_drained() noexcept { drained_.clear(); }

private:
    struct WhenDrained {
        const void* whose;
        Waiter<> function;
    };

    Link* link_;
    const std::unique_ptr<Deflater> deflater_;
    Loop& loop_;
    const std::shared_ptr<Mailbox> mailbox_;
    const std::string protocol_;
    const Role role_;
    std::atomic<std::int64_t> round_trip_time_{-1};
    std::atomic<bool> over_{false};
    std::uint16_t close_code_ = 0;
    std::string close_reason_;
    std::atomic<std::size_t> moves_{0}, said_{0};
    std::vector<WhenDrained> drained_;
};

}  // namespace kvolt::detail

#ifndef KVOLT_COMPILED
#include <kvolt/src/peer.hpp>
#endif

#endif
