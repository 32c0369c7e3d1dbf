#include "catch.hpp"
#include <kvolt/detail/net/client_counts.hpp>

#include <chrono>
#include <string>

using kvolt::detail::ClientCounts;
using kvolt::detail::Ip;
using namespace std::chrono_literals;

TEST_CASE("client counts: one address of IPv4, or one network of 64 bits, is one client") {
    ClientCounts counts;
    auto add = [&](const char* ip) { return counts.add(*Ip::parse(ip), 2); };
    auto first = add("192.0.2.1");
    CHECK(first != nullptr);
    CHECK(add("::ffff:192.0.2.1") == first);
    CHECK(add("192.0.2.1") == nullptr);
    CHECK(add("192.0.2.2") != nullptr);
    auto network = add("2001:db8::1");
    CHECK(network != nullptr);
    CHECK(add("2001:db8::ffff:2") == network);
    CHECK(add("2001:db8::3") == nullptr);
    CHECK(add("2001:db8:0:1::1") != nullptr);
    CHECK(counts.size() == 4);
    counts.remove(first);
    CHECK(add("192.0.2.1") == first);
    counts.remove(network);
    counts.remove(network);
    CHECK(counts.size() == 3);
}

TEST_CASE("client counts: who is refused is told of at most once a minute, with their number") {
    ClientCounts counts;
    auto ip = *Ip::parse("192.0.2.1");
    counts.add(ip, 1);
    ClientCounts::Clock::time_point now{};
    auto refuse = [&](auto when) {
        CHECK(counts.add(ip, 1) == nullptr);
        return counts.refusals(ip, 1, now + when);
    };
    auto line = refuse(0s);
    CHECK(line.find(": 1, the last one of 192.0.2.1") != std::string::npos);
    CHECK(line.find("Limits::connections_per_client") != std::string::npos);
    CHECK(refuse(30s).empty());
    CHECK(refuse(59s).empty());
    CHECK(refuse(60s).find(": 3, the last one of 192.0.2.1") != std::string::npos);
}
