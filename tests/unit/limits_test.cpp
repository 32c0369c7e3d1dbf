#include "catch.hpp"
#include <kvolt/limits.hpp>

#include <chrono>

using namespace std::chrono_literals;

// The defaults are what protects those who set nothing: changing one is a decision, not an accident.
TEST_CASE("the default limits are those that the documentation promises") {
    kvolt::Limits limits;
    CHECK(limits.header_timeout == 10s);
    CHECK(limits.header_size == 8192);
    CHECK(limits.header_fields == 100);
    CHECK(limits.target_size == 8192);
    CHECK(limits.body_size == 1048576);
    CHECK(limits.body_rate == 16384);
    CHECK(limits.body_grace == 10s);
    CHECK(limits.idle_timeout == 120s);
    CHECK(limits.write_timeout == 60s);
    CHECK(limits.connections == 0);
    CHECK(limits.connections_per_client == 0);
    CHECK(limits.drain_timeout == 5s);
    CHECK(limits.message_size == 65536);
    CHECK(limits.message_fragments == 1024);
    CHECK(limits.message_timeout == 30s);
    CHECK(limits.ping_interval == 25s);
    CHECK(limits.silence_timeout == 60s);
    CHECK(limits.close_timeout == 5s);
    CHECK(limits.backlog.bytes == 1048576);
    CHECK(limits.backlog.messages == 1024);
    CHECK(limits.all_backlogs == 268435456);
}

TEST_CASE("a peer is pinged before its silence counts as death") {
    kvolt::Limits limits;
    CHECK(2 * limits.ping_interval <= limits.silence_timeout);
}
