#ifndef KVOLT_DETAIL_SERVER_PROXY_SESSION_HPP
#define KVOLT_DETAIL_SERVER_PROXY_SESSION_HPP

#include <kvolt/detail/http/proxy_protocol.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/net/rest.hpp>
#include <kvolt/detail/net/stream.hpp>

#include <boost/asio/buffer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace kvolt::detail {

/// A connection that has to begin with the PROXY protocol, until that has come. It is closed if the preamble is bad or
/// takes too long.
///
/// @tparam Begin  Called with the place, the socket, the preamble, and the bytes behind it.
template <class Begin>
class ProxySession final : public Link, public Resting, public std::enable_shared_from_this<ProxySession<Begin>> {
public:
    using Error = boost::system::error_code;

    ProxySession(Place place, PlainStream socket, Begin begin)
        : Link(place.loop()), place_(std::move(place)), socket_(std::move(socket)), begin_(std::move(begin)) {}

    void start(std::chrono::milliseconds limit) {
        if (loop().draining()) return;
        loop().arm(*this, limit);
        loop().rest(*this, Rest::unfinished, loop().now());
        read();
    }

    Rest rest() override { return socket_.is_open() ? Rest::unfinished : Rest::none; }
    void make_way() noexcept override { abort(); }

    void flush() override {}
    void shed() override {}
    void shut_down() override { abort(); }
    void abandon() override {}

    void abort() noexcept override {
        disarm();
        Error ignored;
        socket_.close(ignored);
    }

private:
    void on_deadline() override { abort(); }

    void read() {
        socket_.async_read_some(boost::asio::buffer(chunk_),
                                [this, self = this->shared_from_this()](Error error, std::size_t size) {
                                    if (!error && socket_.is_open()) on_read(size);
                                });
    }

    void on_read(std::size_t size) {
        bytes_.append(chunk_.data(), size);
        ProxyPreamble preamble = parse_proxy_preamble(bytes_);
        if (preamble.kind == ProxyPreamble::Kind::more) return read();
        if (preamble.kind == ProxyPreamble::Kind::bad) return abort();
        disarm();
        begin_(std::move(place_), std::move(socket_), preamble, bytes_.substr(preamble.size));
    }

    Place place_;
    PlainStream socket_;
    Begin begin_;
    std::array<char, 512> chunk_;
    std::string bytes_;
};

}  // namespace kvolt::detail

#endif
