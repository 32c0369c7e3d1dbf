#ifndef KVOLT_TESTS_BLOCKED_HPP
#define KVOLT_TESTS_BLOCKED_HPP

#include <kvolt/detail/net/loop.hpp>

#include <boost/asio/post.hpp>

#include <future>
#include <memory>
#include <utility>

namespace test {

/// Keeps a loop from doing anything for as long as it lives.
class Blocked {
public:
    explicit Blocked(kvolt::detail::Loop& loop) {
        auto entered = std::make_shared<std::promise<void>>();
        boost::asio::post(loop.io(), [entered, wait = released_.get_future().share()] {
            entered->set_value();
            wait.wait();
        });
        entered->get_future().wait();
    }
    ~Blocked() { release(); }

    void release() {
        if (!std::exchange(free_, true)) released_.set_value();
    }

private:
    std::promise<void> released_;
    bool free_ = false;
};

}  // namespace test

#endif
