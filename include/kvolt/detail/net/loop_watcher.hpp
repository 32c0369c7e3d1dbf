#ifndef KVOLT_DETAIL_NET_LOOP_WATCHER_HPP
#define KVOLT_DETAIL_NET_LOOP_WATCHER_HPP

namespace kvolt::detail {

class Loop;

/// Whoever brings a loop its connections. Called on the loop.
class LoopWatcher {
public:
    /// Another tick of the loop.
    virtual void on_tick(Loop& loop) noexcept = 0;

    /// A connection has come to rest while Loop::want_way() is on; a little later.
    virtual void on_rest(Loop& loop) noexcept = 0;

protected:
    ~LoopWatcher() = default;
};

}  // namespace kvolt::detail

#endif
