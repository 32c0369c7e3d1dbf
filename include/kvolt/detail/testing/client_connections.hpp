#ifndef KVOLT_DETAIL_TESTING_CLIENT_CONNECTIONS_HPP
#define KVOLT_DETAIL_TESTING_CLIENT_CONNECTIONS_HPP

#include <kvolt/detail/net/ip.hpp>
#include <kvolt/detail/testing/memory_server.hpp>
#include <kvolt/testing/connection.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::detail {

/// The connections of a test kit's client: those that can be used again are kept.
class ClientConnections {
public:
    explicit ClientConnections(std::shared_ptr<MemoryServer> server) : server_(std::move(server)) {
        address("127.0.0.1:50000");
    }

    MemoryServer& server() noexcept { return *server_; }

    void address(std::string_view text) {
        auto peer = IpEndpoint::parse(text);
        if (!peer) throw std::invalid_argument("kvolt: not an address: \"" + std::string(text) + '"');
        peer_ = *peer;
        idle_.clear();
    }

    void room(std::size_t bytes) {
        room_ = bytes;
        idle_.clear();
    }

    testing::Connection make() { return testing::Connection(server_, server_->connect(peer_, room_)); }

    /// A connection that is at rest, or a new one.
    testing::Connection take() {
        std::erase_if(idle_, [](testing::Connection& connection) { return connection.stream()->ended(); });
        if (idle_.empty()) return make();
        testing::Connection connection = std::move(idle_.back());
        idle_.pop_back();
        connection.stream()->on_change = nullptr;
        return connection;
    }

    void give_back(testing::Connection connection) {
        connection.stream()->on_change = [stream = connection.stream().get()] {
            if (stream->ended()) stream->end();
        };
        idle_.push_back(std::move(connection));
    }

private:
    std::shared_ptr<MemoryServer> server_;
    IpEndpoint peer_;
    std::size_t room_ = 64 * 1024;
    std::vector<testing::Connection> idle_;
};

}  // namespace kvolt::detail

#endif
