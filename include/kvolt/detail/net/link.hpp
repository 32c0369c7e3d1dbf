#ifndef KVOLT_DETAIL_NET_LINK_HPP
#define KVOLT_DETAIL_NET_LINK_HPP

#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/net/backlog.hpp>
#include <kvolt/detail/net/budget.hpp>
#include <kvolt/detail/net/outbox.hpp>

#include <cstddef>
#include <new>

namespace kvolt::detail {

class Loop;

/// A connection as its loop sees it. It lives on that loop and is touched by its thread alone. What needs the loop's
/// own class is defined there.
class Link : public Deadline, public Burden {
public:
    explicit Link(Loop& loop);
    inline virtual ~Link();

    Loop& loop() noexcept { return loop_; }
    Outbox& outbox() noexcept { return outbox_; }

    /// Send the bytes [begin, end) of the loop's outgoing buffer when the turn ends; see Outbox::add(). If there is no
    /// memory for that the connection is closed.
    Outbox::Added send(std::size_t begin, std::size_t end, Unit unit, const Terms& terms = Outbox::no_limit,
                       std::size_t key = 0);

    /// What waits has become more or less.
    void weigh();

    // None of these fails: what there is no memory for is done by abort().

    /// Offer the outbox to the socket.
    virtual void flush() = 0;

    /// The server stops: finish what was begun, then close.
    virtual void shut_down() = 0;

    /// Close now.
    virtual void abort() noexcept = 0;

    /// The loop has ended: let go of whoever waits for this connection.
    virtual void abandon() = 0;

    /// Do something for this connection. Lack of memory costs this one, and nobody else.
    ///
    /// @note Lifetime: the connection must outlive the function.
    template <class Function>
    void attempt(Function&& function) {
        try {
            function();
        } catch (const std::bad_alloc&) {
            abort();
        }
    }

private:
    friend class Loop;

    Loop& loop_;
    Outbox outbox_;
    std::size_t place_ = 0;  // in Loop::links_
    bool dirty_ = false;
};

}  // namespace kvolt::detail

#endif
