#ifndef KVOLT_DETAIL_SERVER_LISTENER_HPP
#define KVOLT_DETAIL_SERVER_LISTENER_HPP

#include <kvolt/detail/core/reserve.hpp>
#include <kvolt/detail/core/waiter.hpp>
#include <kvolt/detail/http/forwarded.hpp>
#include <kvolt/detail/http/proxy_protocol.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/net/places.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/server/app_core.hpp>
#include <kvolt/detail/server/http_session.hpp>
#include <kvolt/detail/server/listener_handle.hpp>
#include <kvolt/detail/server/listening_socket.hpp>
#include <kvolt/detail/server/newcomer.hpp>
#include <kvolt/detail/server/proxy_session.hpp>
#include <kvolt/listen_options.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::detail {

/// An address that is listened on, and what makes a session of a connection there.
template <class Stream>
class Listener final : public ListenerHandle {
public:
    using Error = boost::system::error_code;

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
          options_(options),
          proxies_(options.proxies()),
          open_stream_(std::move(open_stream)),
          socket_(address),
          readable_(app_->loops->front()->executor(), socket_.number()) {}

    ~Listener() override { close(); }

    unsigned short port() const noexcept override { return socket_.port(); }

    std::string url() const override { return socket_.url(is_secure<Stream>() ? "https" : "http"); }

    void check() const override {
        if (options_.demands_proxy_protocol() && proxies_.empty() && app_->proxies.empty())
            throw std::logic_error("kvolt: proxy_protocol() of a listener needs the peers that speak it: " + url());
    }

    void watch(Waiter<> ready) noexcept override {
        auto told = [ready = std::move(ready)](Error error) mutable {
            if (!error) ready();
        };
        readable_.async_wait(Readable::wait_read, wait_room_.bind(std::move(told)));
    }

    bool has_waiting() noexcept override { return socket_.has_waiting(); }

    Accepted accept() override { return socket_.accept(); }

    // Out of memory, mostly: that costs one connection, and not the listener or the loop.
    void begin(Newcomer newcomer) noexcept override {
        attempt([&] {
            Loop& loop = newcomer.place.loop();
            PlainStream stream(loop.io());
            PlainStream::protocol_type protocol(socket_.family(), 0);
            Error error = assign(stream, protocol, std::move(newcomer.socket));
            if (error) throw boost::system::system_error(error);
            Error ignored;
            if (socket_.is_tcp()) stream.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
            if (options_.demands_proxy_protocol())
                await_preamble(std::move(newcomer.place), std::move(stream), std::move(newcomer.peer));
            else
                start(std::move(newcomer.place), std::move(stream),
                      {std::move(newcomer.peer), options_.has_tls_in_front()}, {});
        });
    }

    void close() noexcept override {
        if (readable_.is_open()) readable_.release();
        socket_.close();
    }

private:
    using Readable = boost::asio::posix::basic_stream_descriptor<Loop::executor_type>;

    template <class Function>
    void attempt(Function function) const noexcept {
        try {
            function();
        } catch (const std::exception& error) {
            app_->log("kvolt: a connection cannot be served", error.what());
        }
    }

    void start(Place place, PlainStream socket, Sender sender, std::string early) {
        if (!admits(place, sender.address)) return;
        Stream stream = open_stream_(std::move(socket), early);
        std::make_shared<HttpSession<Stream>>(app_, std::move(place), std::move(stream), std::move(sender), early)
            ->start();
    }

    bool admits(Place& place, const std::optional<IpEndpoint>& client) const {
        std::size_t most = app_->limits.connections_per_client;
        if (most == 0 || !client || proxies_.trusts(client->ip) || app_->proxies.trusts(client->ip)) return true;
        if (place.count_for(client->ip, most)) return true;
        std::string line = app_->places.clients().refusals(client->ip, most, Loop::Clock::now());
        if (!line.empty()) app_->log(line);
        return false;
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

    const std::shared_ptr<const AppCore> app_;
    const ListenOptions options_;
    const TrustedPeers proxies_;  // who speaks the PROXY protocol; those of the app, if empty
    const Open open_stream_;
    ListeningSocket socket_;
    Readable readable_;  // the same descriptor, as the first loop waits for it
    Reserve<> wait_room_;
};

}  // namespace kvolt::detail

#endif
