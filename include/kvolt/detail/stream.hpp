#ifndef KVOLT_DETAIL_STREAM_HPP
#define KVOLT_DETAIL_STREAM_HPP

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

namespace kvolt::detail {

/// A plain socket: one type for TCP and Unix sockets, with the concrete executor, since a type-erased one costs
/// half a microsecond a message.
using PlainStream =
    boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type>;

/// Whether others on the way can neither read nor change what goes through.
template <class Stream>
constexpr bool is_secure() {
    if constexpr (requires { Stream::is_secure; })
        return Stream::is_secure;
    else
        return false;
}

}  // namespace kvolt::detail

#endif
