#ifndef KVOLT_DETAIL_CLIENT_CONNECTOR_HPP
#define KVOLT_DETAIL_CLIENT_CONNECTOR_HPP

// From a host's name to a connected socket.

#include <kvolt/connect_error.hpp>
#include <kvolt/detail/net/address.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/perform.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/net/timer.hpp>
#include <kvolt/handler.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kvolt::detail {

using Endpoint = PlainStream::protocol_type::endpoint;

/// In the order in which they are tried: by turns of the two families, that of the first one first (RFC 8305, section
/// 4).
template <class List>
List interleave(const List& endpoints) {
    List result;
    auto is_first = [&](const auto& endpoint) {
        return endpoint.protocol().family() == endpoints.front().protocol().family();
    };
    auto one = endpoints.begin(), other = endpoints.begin();
    while (one != endpoints.end() || other != endpoints.end()) {
        one = std::find_if(one, endpoints.end(), is_first);
        if (one != endpoints.end()) result.push_back(*one++);
        other = std::find_if_not(other, endpoints.end(), is_first);
        if (other != endpoints.end()) result.push_back(*other++);
    }
    return result;
}

/// The addresses of a host.
///
/// @throws ConnectError  if there are none, or not in time.
template <class Loop_>
Task<std::vector<Endpoint>> resolve(Loop_& loop, std::string host, unsigned short port, Loop::Clock::time_point due) {
    using boost::asio::ip::tcp;
    using Error = boost::system::error_code;
    using Resolver = boost::asio::ip::basic_resolver<tcp, Loop::executor_type>;
    struct Lookup {
        explicit Lookup(Loop_& on) : timer(on.io()) {}

        Timer timer;  // what the coroutine waits for: its end, or to be cancelled
        Resolver::results_type results;
        Error error;
        bool done = false;
        bool over = false;
    };
    class Answered {
    public:
        explicit Answered(std::shared_ptr<Lookup> lookup) noexcept : lookup_(std::move(lookup)) {}
        Answered(Answered&&) noexcept = default;
        ~Answered() {
            if (!lookup_) return;
            lookup_->over = true;
            lookup_->timer.cancel();
        }

        void operator()(Error error, const Resolver::results_type& results) {
            lookup_->results = results;
            lookup_->error = error;
            lookup_->done = true;
        }

    private:
        std::shared_ptr<Lookup> lookup_;
    };

    Error no_number;
    auto number = boost::asio::ip::make_address(host, no_number);
    if (!no_number) {
        std::vector<Endpoint> only(1, tcp::endpoint(number, port));
        co_return only;
    }

    // Nothing stops a look-up that has begun; then it is left behind. One that has not is dropped with its resolver.
    auto lookup = std::make_shared<Lookup>(loop);
    Resolver resolver(loop.io());
    lookup->timer.expires_at(due);
    resolver.async_resolve(host, std::to_string(port), Resolver::numeric_service, Answered(lookup));
    auto [ended, size] = co_await perform(loop, [&](auto done) { lookup->timer.async_wait(std::move(done)); });
    if (!lookup->over)
        throw ConnectError(ended ? ConnectError::Reason::name : ConnectError::Reason::timeout,
                           "resolving the name " + host + (ended ? " was cancelled" : " took too long"));
    if (!lookup->done) throw std::bad_alloc();  // Asio had none for the answer
    if (lookup->error || lookup->results.empty())
        throw ConnectError(ConnectError::Reason::name,
                           "cannot resolve the name " + host + ": " + lookup->error.message());
    std::vector<Endpoint> endpoints;
    for (const auto& entry : lookup->results) endpoints.push_back(entry.endpoint());
    co_return endpoints;
}

/// A socket that is connected to the first of the endpoints that takes it. The next one is tried when the one before
/// has failed, or has not answered for a quarter of a second (RFC 8305, section 5).
///
/// @throws ConnectError  that tells how each has failed.
template <class Loop_>
Task<PlainStream> connect_to_first(Loop_& loop, std::vector<Endpoint> endpoints, Loop::Clock::time_point due) {
    using Error = boost::system::error_code;
    using Clock = Loop::Clock;
    struct Race {
        explicit Race(Loop_& on) : timer(on.io()) {}

        Timer timer;  // what the coroutine waits for: its end, or to be cancelled
        std::vector<std::unique_ptr<PlainStream>> sockets;
        std::vector<std::optional<Error>> results;
    };
    struct Closing {
        Race& race;
        ~Closing() {
            Error ignored;
            for (auto& socket : race.sockets) socket->close(ignored);
        }
    };

    auto race = std::make_shared<Race>(loop);
    Closing closing{*race};
    auto& results = race->results;
    for (Clock::time_point next = Clock::now();;) {
        auto won = std::find_if(results.begin(), results.end(), [](const auto& result) { return result && !*result; });
        if (won != results.end()) {
            auto place = static_cast<std::size_t>(won - results.begin());
            PlainStream socket = std::move(*race->sockets[place]);
            Error ignored;
            if (ip_endpoint(endpoints[place])) socket.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
            socket.non_blocking(true, ignored);
            co_return socket;
        }
        if (Clock::now() >= due) break;
        std::size_t begun = results.size();
        bool waits = std::any_of(results.begin(), results.end(), [](const auto& result) { return !result; });
        if (begun < endpoints.size() && (!waits || Clock::now() >= next)) {
            PlainStream& socket = *race->sockets.emplace_back(std::make_unique<PlainStream>(loop.io()));
            results.emplace_back();
            Error failed = open(socket, endpoints[begun].protocol());
            if (failed) {
                results.back() = failed;
                continue;
            }
            socket.async_connect(endpoints[begun], [race, begun](Error error) {
                race->results[begun] = error;
                race->timer.cancel();
            });
            next = Clock::now() + std::chrono::milliseconds(250);
        } else if (!waits) {
            break;
        }
        race->timer.expires_at(results.size() < endpoints.size() ? (std::min)(next, due) : due);
        co_await perform(loop, [&](auto done) { race->timer.async_wait(std::move(done)); });
    }
    bool late = false;
    std::string what;
    for (std::size_t i = 0; i < results.size() && i < 8; ++i) {
        late = late || !results[i];
        what += (what.empty() ? "" : "; ") + to_string(endpoints[i]) + ": " +
                (results[i] ? results[i]->message() : "no answer in time");
    }
    if (results.empty()) late = true, what = "no time was left";
    throw ConnectError(late ? ConnectError::Reason::timeout : ConnectError::Reason::network, "cannot connect: " + what);
}

}  // namespace kvolt::detail

#endif
