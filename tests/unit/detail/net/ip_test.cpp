#include "catch.hpp"
#include <kvolt/detail/net/ip.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

using kvolt::detail::Ip;
using kvolt::detail::IpEndpoint;
using kvolt::detail::TrustedPeers;

TEST_CASE("addresses are parsed with and without ports, and written in one form") {
    struct {
        std::string_view text, written;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1:0"},
        {"192.0.2.1:80", "192.0.2.1:80"},
        {"192.0.2.1:65535", "192.0.2.1:65535"},
        {"2001:db8::1", "[2001:db8::1]:0"},
        {"2001:DB8:0:0::1", "[2001:db8::1]:0"},
        {"[2001:db8::1]", "[2001:db8::1]:0"},
        {"[2001:db8::1]:80", "[2001:db8::1]:80"},
        {"::1", "[::1]:0"},
        {"::ffff:192.0.2.1", "192.0.2.1:0"},
        {"[::ffff:192.0.2.1]:7", "192.0.2.1:7"},
    };
    for (const auto& [text, written] : cases) {
        INFO(text);
        auto endpoint = IpEndpoint::parse(text);
        REQUIRE(endpoint);
        CHECK(endpoint->to_string() == written);
    }
}

TEST_CASE("what is no address is none") {
    for (std::string_view text : {"",
                                  ":",
                                  ":80",
                                  "[",
                                  "]",
                                  "[]",
                                  "[]:80",
                                  "192.0.2",
                                  "192.0.2.1.5",
                                  "192.0.2.256",
                                  "192.0.2.1:",
                                  "192.0.2.1:x",
                                  "192.0.2.1:65536",
                                  "192.0.2.1:-1",
                                  "192.0.2.1:80 ",
                                  " 192.0.2.1",
                                  "[192.0.2.1]:80",
                                  "[::1",
                                  "::1]",
                                  "[::1]80",
                                  "[::1]:",
                                  "[::1]x:80",
                                  "2001:db8::1::2",
                                  "example.com",
                                  "example.com:80",
                                  "unknown",
                                  "_hidden",
                                  "::1%lo",
                                  "0x7f.0.0.1"}) {
        INFO(text);
        CHECK_FALSE(IpEndpoint::parse(text));
    }
    CHECK_FALSE(Ip::parse(std::string_view("127.0.0.1\0x", 11)));
    CHECK_FALSE(Ip::parse(std::string(1000, '1')));
}

TEST_CASE("peers are trusted by address, network, or as Unix sockets") {
    struct {
        std::string_view list, peer;
        bool trusted;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"10.0.0.0/8", "10.255.1.2", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.1.2.3/8", "10.255.1.2", true},
        {"192.168.128.0/17", "192.168.200.1", true},
        {"192.168.128.0/17", "192.168.100.1", false},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", true},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"192.0.2.1/32", "192.0.2.1", true},
        {"unix", "127.0.0.1", false},
        {"unix", "", true},
        {"127.0.0.1", "", false},
    };
    for (const auto& [list, peer, trusted] : cases) {
        INFO(list << " trusts " << peer);
        TrustedPeers peers({std::string(list)});
        CHECK(peers.trusts(IpEndpoint::parse(peer)) == trusted);
        CHECK_FALSE(peers.empty());
    }
    CHECK(TrustedPeers().empty());
    CHECK_FALSE(TrustedPeers().trusts(std::nullopt));
}

TEST_CASE("what is no network is an error that names it") {
    for (std::string text : {"", "localhost", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8",
                             "::1/129", "/8", "10.0.0.0/8/8", "127.0.0.1:80", "[::1]", "Unix"}) {
        INFO(text);
        try {
            TrustedPeers peers({"127.0.0.1", text});
            FAIL("it is taken for a network");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find('"' + text + '"') != std::string::npos);
        }
    }
}
