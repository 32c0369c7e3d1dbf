#ifndef KVOLT_DETAIL_NET_STREAM_HPP
#define KVOLT_DETAIL_NET_STREAM_HPP

#include <kvolt/detail/core/descriptor.hpp>
#include <kvolt/detail/net/platform.hpp>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <cerrno>
#include <utility>

namespace kvolt::detail {

/// A plain socket: one type for TCP and Unix sockets, with the concrete executor, since a type-erased one costs
/// half a microsecond a message.
using PlainStream =
    boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, boost::asio::io_context::executor_type>;

/// Make a stream of a socket.
inline boost::system::error_code assign(PlainStream& stream, const PlainStream::protocol_type& protocol,
                                        Descriptor socket) {
    boost::system::error_code error;
    stream.assign(protocol, socket.number(), error);
    if (!error) socket.release();
    return error;
}

/// Open a stream as Asio does, but so that programs which are started do not inherit it.
inline boost::system::error_code open(PlainStream& stream, const PlainStream::protocol_type& protocol) {
    Descriptor socket = platform::open_socket(protocol.family());
    if (!socket) return {errno, boost::system::system_category()};
    return assign(stream, protocol, std::move(socket));
}

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
