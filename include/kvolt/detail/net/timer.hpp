#ifndef KVOLT_DETAIL_NET_TIMER_HPP
#define KVOLT_DETAIL_NET_TIMER_HPP

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/wait_traits.hpp>

#include <chrono>

namespace kvolt::detail {

/// A timer of its own, for what does not end in ticks of the loop.
using Timer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>,
                                      boost::asio::io_context::executor_type>;

}  // namespace kvolt::detail

#endif
