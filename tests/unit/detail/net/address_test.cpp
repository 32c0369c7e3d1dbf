#include "catch.hpp"
#include <kvolt/detail/net/address.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <stdexcept>
#include <string>

using boost::asio::ip::tcp;
using kvolt::detail::Address;
using kvolt::detail::to_string;
using namespace std::string_literals;

namespace {

std::string parsed(const std::string& text) { return to_string(Address::parse(text).endpoint); }

}  // namespace

TEST_CASE("addresses to listen on") {
    CHECK(parsed("127.0.0.1:8080") == "127.0.0.1:8080");
    CHECK(parsed("0.0.0.0:0") == "0.0.0.0:0");
    CHECK(parsed("localhost:80") == "127.0.0.1:80");
    CHECK(parsed("[::1]:65535") == "[::1]:65535");
    CHECK(parsed("[2001:DB8::1]:80") == "[2001:db8::1]:80");
    CHECK(parsed(":8080") == "[::]:8080");
    CHECK(Address::parse(":8080").any_interface);
    CHECK_FALSE(Address::parse("0.0.0.0:8080").any_interface);
    CHECK(Address::parse("127.0.0.1:80").unix_path.empty());
}

TEST_CASE("a Unix socket's address") {
    Address address = Address::parse("unix:/run/chat.sock");
    CHECK(address.unix_path == "/run/chat.sock");
    CHECK(to_string(address.endpoint) == "unix");
    CHECK(Address::parse("unix:relative.sock").unix_path == "relative.sock");
    CHECK(Address::parse("unix:" + std::string(107, 'x')).unix_path.size() == 107);
}

TEST_CASE("what is no address is refused, and named") {
    for (const std::string& text : {""s,
                                    "8080"s,
                                    "localhost"s,
                                    "127.0.0.1"s,
                                    "127.0.0.1:"s,
                                    ":"s,
                                    ":http"s,
                                    ":-1"s,
                                    ":+1"s,
                                    ":65536"s,
                                    ":99999999999999999999"s,
                                    ":80 "s,
                                    " :80"s,
                                    ":8 0"s,
                                    "127.0.0.1.1:80"s,
                                    "256.0.0.1:80"s,
                                    "example.com:80"s,
                                    "::1:80"s,
                                    "[::1]"s,
                                    "[::1]80"s,
                                    "[::1:80"s,
                                    "::1]:80"s,
                                    "[127.0.0.1]:80"s,
                                    "[localhost]:80"s,
                                    "[]:80"s,
                                    "http://127.0.0.1:80"s,
                                    "127.0.0.1:80/"s,
                                    "unix:"s,
                                    "unix:" + std::string(108, 'x')}) {
        CAPTURE(text);
        try {
            Address::parse(text);
            FAIL_CHECK("it was accepted");
        } catch (const std::invalid_argument& error) {
            CHECK(std::string(error.what()).find('"' + text + '"') != std::string::npos);
        }
    }
}

TEST_CASE("an IPv4 client of a socket for both is shown as what it is") {
    CHECK(to_string(tcp::endpoint(boost::asio::ip::make_address("::ffff:192.0.2.1"), 1234)) == "192.0.2.1:1234");
    CHECK(to_string(tcp::endpoint(boost::asio::ip::make_address("192.0.2.1"), 1234)) == "192.0.2.1:1234");
    CHECK(to_string(tcp::endpoint(boost::asio::ip::make_address("fe80::1"), 1)) == "[fe80::1]:1");
}
