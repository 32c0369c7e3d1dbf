#ifndef KVOLT_DETAIL_LISTENER_HPP
#define KVOLT_DETAIL_LISTENER_HPP

#include <kvolt/app.hpp>
#include <kvolt/detail/address.hpp>
#include <kvolt/detail/http_session.hpp>
#include <kvolt/detail/loop.hpp>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kvolt::detail {

/// Accepts connections on the first loop and deals each to the loop that has the fewest.
template <class Stream>
class Listener {
public:
    using Error = boost::system::error_code;
    using Protocol = typename Stream::protocol_type;

    /// Listen at once.
    ///
    /// @throws std::invalid_argument  for a bad address.
    /// @throws std::system_error      that names the address, if it cannot be listened on.
    Listener(const App& app, std::string_view address)
        : app_(app),
          loops_(*app.loops()),
          address_(Address::parse(address)),
          acceptor_(loops_.front()->io()),
          pause_(loops_.front()->io()) {
        Error error = open();
        if (error) throw std::system_error(error, "kvolt: cannot listen on " + std::string(address));
        most_ = app.limits().connections ? app.limits().connections : descriptors_for_connections();
    }

    ~Listener() { close(); }

    unsigned short port() const {
        Error ignored;
        auto endpoint = acceptor_.local_endpoint(ignored);
        if (ignored || !address_.unix_path.empty()) return 0;
        boost::asio::ip::tcp::endpoint tcp;
        tcp.resize(endpoint.size());
        std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
        return tcp.port();
    }

    /// What to open in a browser, such as `http://localhost:8080`; the address itself for a Unix socket.
    std::string url() const {
        if (!address_.unix_path.empty()) return "unix:" + address_.unix_path;
        if (address_.any_interface) return "http://localhost:" + std::to_string(port());
        Error ignored;
        return "http://" + to_string(acceptor_.local_endpoint(ignored));
    }

    /// Accept connections until close(). On the first loop, or before it runs.
    void accept() {
        if (!acceptor_.is_open()) return;
        Loop& loop = emptiest();
        if (total_ >= most_) return accept_later();
        // Counted from now on, so that a burst spreads, too.
        loop.connections().fetch_add(1, std::memory_order_relaxed);
        acceptor_.async_accept(loop.io(), remote_, [this, &loop](Error error, Stream stream) {
            if (!error) {
                welcome(loop, std::move(stream));
                return accept();
            }
            loop.connections().fetch_sub(1, std::memory_order_relaxed);
            if (error == boost::asio::error::connection_aborted)
                accept();
            else if (error != boost::asio::error::operation_aborted)
                accept_later();  // out of descriptors or memory, mostly
        });
    }

    void close() {
        if (!acceptor_.is_open()) return;
        Error ignored;
        if (!address_.unix_path.empty()) ::unlink(address_.unix_path.c_str());  // first: it may be another's next
        acceptor_.close(ignored);
        pause_.cancel();
    }

private:
    Error open() {
        Error error = bind();
        if (error == boost::asio::error::address_in_use && !address_.unix_path.empty() && nobody_listens()) {
            ::unlink(address_.unix_path.c_str());  // left behind by a server that died
            error = bind();
        } else if (error == boost::asio::error::address_family_not_supported && address_.any_interface) {
            boost::asio::ip::tcp::endpoint any6;
            any6.resize(address_.endpoint.size());
            std::memcpy(any6.data(), address_.endpoint.data(), address_.endpoint.size());
            address_.endpoint =
                boost::asio::ip::tcp::endpoint(boost::asio::ip::tcp::v4(), any6.port());  // a machine without IPv6
            error = bind();
        }
        return error;
    }

    Error bind() {
        Error error;
        Error ignored;
        if (acceptor_.is_open()) acceptor_.close(ignored);
        acceptor_.open(address_.endpoint.protocol(), error);
        if (error) return error;
        if (address_.unix_path.empty()) acceptor_.set_option(boost::asio::socket_base::reuse_address(true), ignored);
        if (address_.any_interface) acceptor_.set_option(boost::asio::ip::v6_only(false), ignored);
        acceptor_.bind(address_.endpoint, error);
        if (!error) acceptor_.listen(4096, error);
        return error;
    }

    bool nobody_listens() {
        struct stat file {};
        if (::lstat(address_.unix_path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
        boost::asio::local::stream_protocol::socket probe(loops_.front()->io());
        Error error;
        probe.connect(boost::asio::local::stream_protocol::endpoint(address_.unix_path), error);
        return error == boost::asio::error::connection_refused;
    }

    static std::size_t descriptors_for_connections() {
        rlimit limit{};
        if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1000000;
        auto all = static_cast<std::size_t>(limit.rlim_cur);
        return all > 128 ? all - 64 : all / 2;
    }

    Loop& emptiest() {
        Loop* best = nullptr;
        std::size_t fewest = 0;
        total_ = 0;
        for (const auto& loop : loops_) {
            std::size_t count = loop->connections().load(std::memory_order_relaxed);
            total_ += count;
            if (best != nullptr && count >= fewest) continue;
            best = loop.get();
            fewest = count;
        }
        return *best;
    }

    void accept_later() {
        pause_.expires_after(std::chrono::milliseconds(100));
        pause_.async_wait([this](Error error) {
            if (!error) accept();
        });
    }

    void welcome(Loop& loop, Stream stream) {
        Error ignored;
        if (address_.unix_path.empty()) stream.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
        auto begin = [&app = app_, &loop, stream = std::move(stream), remote = remote_]() mutable {
            std::make_shared<HttpSession<Stream>>(app, loop, std::move(stream), std::move(remote))->start();
        };
        if (&loop == loops_.front().get())
            begin();
        else
            loop.mailbox()->post(std::move(begin));
    }

    const App& app_;
    const Loops& loops_;
    Address address_;
    boost::asio::basic_socket_acceptor<Protocol, Loop::executor_type> acceptor_;
    Loop::Timer pause_;
    typename Protocol::endpoint remote_;
    std::size_t most_ = 0;
    std::size_t total_ = 0;  // connections at the last count
};

}  // namespace kvolt::detail

#endif
