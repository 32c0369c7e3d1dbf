#ifndef KVOLT_TESTING_CONNECTIONS_HPP
#define KVOLT_TESTING_CONNECTIONS_HPP

#include <kvolt/detail/ip.hpp>
#include <kvolt/detail/memory_server.hpp>
#include <kvolt/testing/connection.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::testing::detail {

/// The connections of one client: it keeps those that can be used again.
class Connections {
public:
    explicit Connections(std::shared_ptr<kvolt::detail::MemoryServer> server) : server_(std::move(server)) {
        address("127.0.0.1:50000");
    }

    kvolt::detail::MemoryServer& server() noexcept { return *server_; }

    void address(std::string_view text) {
        auto peer = kvolt::detail::IpEndpoint::parse(text);
        if (!peer) throw std::invalid_argument("kvolt: not an address: \"" + std::string(text) + '"');
        peer_ = *peer;
        idle_.clear();
    }

    void room(std::size_t bytes) {
        room_ = bytes;
        idle_.clear();
    }

    Connection make() { return Connection(server_, server_->connect(peer_, room_)); }

    /// A connection that is at rest, or a new one.
    Connection take() {
        std::erase_if(idle_, [](Connection& connection) { return connection.ended(); });
        if (idle_.empty()) return make();
        Connection connection = std::move(idle_.back());
        idle_.pop_back();
        connection.stream()->on_change = nullptr;
        return connection;
    }

    void give_back(Connection connection) {
        connection.stream()->on_change = [stream = connection.stream().get()] {
            if (stream->ended()) stream->end();
        };
        idle_.push_back(std::move(connection));
    }

private:
    std::shared_ptr<kvolt::detail::MemoryServer> server_;
    kvolt::detail::IpEndpoint peer_;
    std::size_t room_ = 64 * 1024;
    std::vector<Connection> idle_;
};

}  // namespace kvolt::testing::detail

#endif
