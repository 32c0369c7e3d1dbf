#ifndef KVOLT_DETAIL_LISTENER_HPP
#define KVOLT_DETAIL_LISTENER_HPP

#include <kvolt/detail/address.hpp>
#include <kvolt/detail/app_core.hpp>
#include <kvolt/detail/deadline_wheel.hpp>
#include <kvolt/detail/forwarded.hpp>
#include <kvolt/detail/http_session.hpp>
#include <kvolt/detail/ip.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/detail/loops.hpp>
#include <kvolt/detail/places.hpp>
#include <kvolt/detail/proxy_protocol.hpp>
#include <kvolt/detail/proxy_session.hpp>
#include <kvolt/detail/reserve.hpp>
#include <kvolt/detail/server_handle.hpp>
#include <kvolt/detail/stream.hpp>
#include <kvolt/listen_options.hpp>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace kvolt::detail {

/// Accepts connections on the first loop and deals each to the loop that has the fewest, also by other listeners.
template <class Stream>
class Listener final : public ListenerHandle, private Deadline {
public:
    using Error = boost::system::error_code;
    using Protocol = PlainStream::protocol_type;

    /// Makes the stream of a connection out of its socket, on its loop, and takes the bytes that have come in already
    /// if they are its own.
    using Open = std::function<Stream(PlainStream, std::string& early)>;

    /// Listen at once.
    ///
    /// @throws std::invalid_argument  for a bad address.
    /// @throws std::system_error      that names the address, if it cannot be listened on.
    Listener(std::shared_ptr<const AppCore> app, std::string_view address, const ListenOptions& options,
             Open open_stream)
        : app_(std::move(app)),
          loops_(*app_->loops),
          address_(Address::parse(address)),
          options_(options),
          proxies_(options.proxies()),
          open_stream_(std::move(open_stream)),
          acceptor_(loops_.front()->io()) {
        Error error = open();
        if (error) throw std::system_error(error, "kvolt: cannot listen on " + std::string(address));
        acceptor_.non_blocking(true, error);
        address_.endpoint = acceptor_.local_endpoint(error);
        if (address_.unix_path.empty()) port_ = port_of(address_.endpoint);
    }

    ~Listener() override { close(); }

    unsigned short port() const noexcept override { return port_; }

    std::string url() const override {
        if (!address_.unix_path.empty()) return "unix:" + address_.unix_path;
        std::string scheme = is_secure<Stream>() ? "https://" : "http://";
        return scheme + (address_.any_interface ? "localhost:" + std::to_string(port_) : to_string(address_.endpoint));
    }

    void check() const override {
        if (options_.demands_proxy_protocol() && proxies_.empty() && app_->proxies.empty())
            throw std::logic_error("kvolt: proxy_protocol() of a listener needs the peers that speak it: " + url());
    }

    // Waits for a connection and only then decides on its loop, so that no listener holds a place for one to come.
    void accept() override {
        if (!acceptor_.is_open()) return;
        most_ = app_->limits.connections ? app_->limits.connections : descriptors_for_connections();
        acceptor_.async_wait(boost::asio::socket_base::wait_read, wait_room_.bind([this](Error error) {
            if (!error) accept_waiting();
        }));
    }

    void close() override {
        if (!acceptor_.is_open()) return;
        Error ignored;
        if (!address_.unix_path.empty()) ::unlink(address_.unix_path.c_str());  // first: it may be another's next
        acceptor_.close(ignored);
        disarm();
    }

private:
    Error open() {
        Error error = bind();
        if (error == boost::asio::error::address_in_use && !address_.unix_path.empty() && nobody_listens()) {
            ::unlink(address_.unix_path.c_str());  // left behind by a server that died
            error = bind();
        } else if (error == boost::asio::error::address_family_not_supported && address_.any_interface) {
            address_.endpoint = boost::asio::ip::tcp::endpoint(boost::asio::ip::tcp::v4(),
                                                               port_of(address_.endpoint));  // a machine without IPv6
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

    static unsigned short port_of(const typename Protocol::endpoint& endpoint) {
        boost::asio::ip::tcp::endpoint tcp;
        tcp.resize(endpoint.size());
        std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
        return tcp.port();
    }

    static std::size_t descriptors_for_connections() {
        rlimit limit{};
        if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 1000000;
        std::size_t all = limit.rlim_cur;
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

    void accept_waiting() try {
        for (int i = 0; i < most_in_a_turn && acceptor_.is_open(); ++i) {
            Loop& loop = emptiest();
            if (total_ >= most_) return accept_later();
            Error error;
            PlainStream stream = acceptor_.accept(loop.io(), remote_, error);
            if (error == boost::asio::error::would_block || error == boost::asio::error::try_again) break;
            if (error) return accept_later();  // out of descriptors or memory, mostly
            welcome(Place(app_->places, loop), std::move(stream));
        }
        accept();
    } catch (const std::bad_alloc&) {
        accept_later();
    }

    void accept_later() { loops_.front()->arm(*this, std::chrono::milliseconds(100)); }
    void on_deadline() override { accept(); }

    void welcome(Place place, PlainStream stream) {
        Error ignored;
        if (address_.unix_path.empty()) stream.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
        Loop& loop = place.loop();
        auto begin = [this, place = std::move(place), socket = std::move(stream),
                      peer = ip_endpoint(remote_)]() mutable {
            attempt([&] {
                if (options_.demands_proxy_protocol())
                    await_preamble(std::move(place), std::move(socket), std::move(peer));
                else
                    start(std::move(place), std::move(socket), {std::move(peer), options_.has_tls_in_front()}, {});
            });
        };
        if (&loop == loops_.front().get())
            begin();
        else
            loop.mailbox()->post(std::move(begin));
    }

    // Out of memory, mostly: that costs one connection, and not the listener or the loop.
    template <class Function>
    void attempt(Function function) const noexcept {
        try {
            function();
        } catch (const std::exception& error) {
            app_->log("kvolt: a connection cannot be served", error.what());
        }
    }

    void start(Place place, PlainStream socket, Sender sender, std::string early) {
        Stream stream = open_stream_(std::move(socket), early);
        std::make_shared<HttpSession<Stream>>(app_, std::move(place), std::move(stream), std::move(sender), early)
            ->start();
    }

    void await_preamble(Place place, PlainStream socket, std::optional<IpEndpoint> peer) {
        bool own_list = !proxies_.empty(), trusted = (own_list ? proxies_ : app_->proxies).trusts(peer);
        auto begin = [this, own_list, peer = std::move(peer)](Place taken, PlainStream stream,
                                                              const ProxyPreamble& preamble, std::string early) {
            bool named = preamble.kind == ProxyPreamble::Kind::client;
            Sender sender{named ? preamble.client : peer, preamble.secure || options_.has_tls_in_front(),
                          named && own_list};
            attempt([&] { start(std::move(taken), std::move(stream), std::move(sender), std::move(early)); });
        };
        auto session =
            std::make_shared<ProxySession<decltype(begin)>>(std::move(place), std::move(socket), std::move(begin));
        if (trusted) session->start(app_->limits.header_timeout);
    }

    static constexpr int most_in_a_turn = 64;

    const std::shared_ptr<const AppCore> app_;
    const Loops& loops_;
    Address address_;
    const ListenOptions options_;
    const TrustedPeers proxies_;  // who speaks the PROXY protocol; those of the app, if empty
    const Open open_stream_;
    boost::asio::basic_socket_acceptor<Protocol, Loop::executor_type> acceptor_;
    Reserve<> wait_room_;
    typename Protocol::endpoint remote_;
    unsigned short port_ = 0;
    std::size_t most_ = 0;   // connections at once
    std::size_t total_ = 0;  // connections at the last count
};

}  // namespace kvolt::detail

#endif
