#ifndef KVOLT_DETAIL_NET_SERVING_HPP
#define KVOLT_DETAIL_NET_SERVING_HPP

namespace kvolt::detail {

/// Marks a thread as long as it runs what belongs to an app: handlers, hooks, and all that these call. It must not wait
/// for the end of an app, which may wait for this thread.
class Serving {
public:
    Serving() noexcept { ++depth_; }
    ~Serving() { --depth_; }

    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

    /// Whether this is such a thread.
    static bool here() noexcept { return depth_ > 0; }

private:
    static inline thread_local int depth_ = 0;
};

}  // namespace kvolt::detail

#endif
