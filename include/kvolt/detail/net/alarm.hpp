#ifndef KVOLT_DETAIL_NET_ALARM_HPP
#define KVOLT_DETAIL_NET_ALARM_HPP

#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/net/loop.hpp>

#include <utility>

namespace kvolt::detail {

/// Calls a function when the time has come, unless it is destroyed before that.
template <class Function>
class Alarm final : public Deadline {
public:
    Alarm(Loop& loop, Tick due, Function function) : function_(std::move(function)) { set(loop, due); }

    void set(Loop& loop, Tick due) {
        rang_ = false;
        loop.arm_at(*this, due);
    }

    bool rang() const noexcept { return rang_; }

private:
    void on_deadline() override {
        rang_ = true;
        function_();
    }

    Function function_;
    bool rang_ = false;
};

}  // namespace kvolt::detail

#endif
