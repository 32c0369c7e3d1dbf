#include "catch.hpp"
#include <kvolt/detail/client/connector.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <string>
#include <vector>

using boost::asio::ip::tcp;
using kvolt::detail::interleave;

TEST_CASE("connector: addresses are tried by turns of their families, the first one's first") {
    auto mixed = [](const std::string& families) {
        std::vector<tcp::endpoint> list;
        unsigned short port = 1;
        for (char family : families) list.emplace_back(family == '6' ? tcp::v6() : tcp::v4(), port++);
        std::string order;
        for (const auto& endpoint : interleave(list)) order += std::to_string(endpoint.port());
        return order;
    };
    CHECK(mixed("").empty());
    CHECK(mixed("6") == "1");
    CHECK(mixed("444") == "123");
    CHECK(mixed("6644") == "1324");
    CHECK(mixed("4466") == "1324");
    CHECK(mixed("66664") == "15234");
    CHECK(mixed("64444") == "12345");
    CHECK(mixed("464646") == "123456");
}
