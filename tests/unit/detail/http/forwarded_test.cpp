#include "catch.hpp"
#include <kvolt/detail/http/forwarded.hpp>
#include <kvolt/detail/net/ip.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/request.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using kvolt::ProxyHeaders;
using kvolt::detail::find_client;
using kvolt::detail::IpEndpoint;
using kvolt::detail::parse_forwarded;
using kvolt::detail::Sender;
using kvolt::detail::TrustedPeers;

namespace {

using FieldViews = std::vector<std::pair<std::string_view, std::string_view>>;

const TrustedPeers trusted({"10.0.0.0/8", "::1", "unix"});

// Such as "https example.com 192.0.2.1:0".
std::string find(std::string_view peer, const FieldViews& fields, ProxyHeaders headers) {
    kvolt::Request request;
    request.start("GET", "/");
    request.add_field("Host", "own");
    for (const auto& [name, value] : fields) request.add_field(name, value);
    Sender sender{IpEndpoint::parse(peer)};
    auto client = find_client(request, sender, trusted, headers);
    sender.forwards = false;
    auto alone = find_client(request, sender, trusted, headers);
    CHECK((alone.address == sender.address && alone.host == "own" && !alone.secure));
    return std::string(client.secure ? "https " : "http ") + client.host + ' ' +
           (client.address ? client.address->to_string() : "unix");
}

}  // namespace

TEST_CASE("X-Forwarded fields are walked from the right, up to the first hop that is not trusted") {
    struct {
        std::string_view peer;
        FieldViews fields;
        std::string_view client;
    } cases[] = {
        // Nothing is told, or not by somebody who is trusted
        {"10.0.0.1:99", {}, "http own 10.0.0.1:99"},
        {"192.0.2.9:99", {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}}, "http own 192.0.2.9:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1;proto=https"}}, "http own 10.0.0.1:99"},
        // One proxy
        {"10.0.0.1:99", {{"X-Forwarded-For", "192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "\", 192.0.2.1"}}, "http own 192.0.2.1:0"},  // a client's open quote
        {"10.0.0.1:99", {{"X-Forwarded-For", "\"\\, 192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"x-forwarded-for", "192.0.2.1:5678"}}, "http own 192.0.2.1:5678"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "2001:db8::1"}}, "http own [2001:db8::1]:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "[2001:db8::1]:80"}}, "http own [2001:db8::1]:80"},
        {"[::1]:99", {{"X-Forwarded-For", "192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"", {{"X-Forwarded-For", "192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99",
         {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "example.com"}},
         "https example.com 192.0.2.1:0"},
        {"10.0.0.1:99", {{"X-Forwarded-Proto", "HTTPS"}}, "https own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"X-Forwarded-Host", "example.com:8443"}}, "http example.com:8443 10.0.0.1:99"},
        {"10.0.0.1:99", {{"X-Forwarded-Proto", "wss"}}, "https own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"X-Forwarded-Proto", "gopher"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"X-Forwarded-Host", "a b/c"}}, "http own 10.0.0.1:99"},
        // The client makes something up
        {"10.0.0.1:99", {{"X-Forwarded-For", "203.0.113.1, 192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "10.0.0.7, 192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "203.0.113.1"}, {"X-Forwarded-For", "192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99",
         {{"X-Forwarded-For", "203.0.113.1, 192.0.2.1"}, {"X-Forwarded-Proto", "https, http"}},
         "http own 192.0.2.1:0"},
        // Two proxies
        {"10.0.0.1:99", {{"X-Forwarded-For", "192.0.2.1, 10.0.0.2"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", " 203.0.113.1 ,, 192.0.2.1,\t10.0.0.2 "}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99",
         {{"X-Forwarded-For", "192.0.2.1, 10.0.0.2"}, {"X-Forwarded-Proto", "https, http"}},
         "https own 192.0.2.1:0"},
        {"10.0.0.1:99",
         {{"X-Forwarded-For", "192.0.2.1, 10.0.0.2"}, {"X-Forwarded-Proto", "https"}},
         "https own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}}, "http own 10.0.0.3:0"},
        // What cannot be understood ends the walk
        {"10.0.0.1:99", {{"X-Forwarded-For", "192.0.2.1, unknown"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "192.0.2.1, 300.1.1.1, 10.0.0.2"}}, "http own 10.0.0.2:0"},
        {"10.0.0.1:99", {{"X-Forwarded-For", ""}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"X-Forwarded-For", ",,,"}}, "http own 10.0.0.1:99"},
    };
    for (const auto& [peer, fields, client] : cases) {
        INFO(peer << ' ' << (fields.empty() ? "" : fields[0].second));
        CHECK(find(peer, fields, ProxyHeaders().x_forwarded_host()) == client);
        bool host = false;
        for (const auto& field : fields) host = host || field.first == "X-Forwarded-Host";
        if (!host) CHECK(find(peer, fields, ProxyHeaders()) == client);
    }
}

TEST_CASE("Forwarded is walked from the right, up to the first hop that is not trusted") {
    struct {
        std::string_view peer;
        FieldViews fields;
        std::string_view client;
    } cases[] = {
        {"10.0.0.1:99", {}, "http own 10.0.0.1:99"},
        {"192.0.2.9:99", {{"Forwarded", "for=192.0.2.1"}}, "http own 192.0.2.9:99"},
        {"10.0.0.1:99", {{"X-Forwarded-For", "192.0.2.1"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99",
         {{"forwarded", "For=\"192.0.2.1:77\";Proto=https;HOST=example.com;by=10.0.0.1"}},
         "https example.com 192.0.2.1:77"},
        {"10.0.0.1:99", {{"Forwarded", "for=\"[2001:db8::1]:80\" ; proto=https"}}, "https own [2001:db8::1]:80"},
        {"10.0.0.1:99", {{"Forwarded", "host=\"example.com:8443\""}}, "http example.com:8443 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=203.0.113.1;proto=https, for=192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"Forwarded", "for=203.0.113.1"}, {"Forwarded", "for=192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http"}}, "https own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1, for=unknown"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1, for=_secret;proto=https"}}, "https own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=\"_a,b;c\\\"\", for=192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1;for=192.0.2.2"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=192.0.2.1;nonsense"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=\"192.0.2.1"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=\", for=192.0.2.1"}}, "http own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"Forwarded", "for=\"\\, for=192.0.2.1;proto=https"}}, "https own 192.0.2.1:0"},
        {"10.0.0.1:99", {{"Forwarded", "for=\"192.0.2.1\\"}}, "http own 10.0.0.1:99"},
        {"10.0.0.1:99", {{"Forwarded", "for=\"192.0.2.1\"x"}}, "http own 10.0.0.1:99"},
    };
    for (const auto& [peer, fields, client] : cases) {
        INFO(peer << ' ' << (fields.empty() ? "" : fields[0].second));
        CHECK(find(peer, fields, ProxyHeaders::forwarded) == client);
    }
}

TEST_CASE("X-Forwarded-Host counts only if that is asked for") {
    const FieldViews fields = {
        {"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "evil.example"}};
    CHECK(find("10.0.0.1:99", fields, {}) == "https own 192.0.2.1:0");
    CHECK(find("10.0.0.1:99", fields, ProxyHeaders::x_forwarded) == "https own 192.0.2.1:0");
    CHECK(find("10.0.0.1:99", fields, ProxyHeaders().x_forwarded_host()) == "https evil.example 192.0.2.1:0");
    CHECK(find("10.0.0.1:99", fields, ProxyHeaders().x_forwarded_host().x_forwarded_host(false)) ==
          "https own 192.0.2.1:0");
    CHECK(find("10.0.0.1:99", {{"X-Forwarded-Host", "evil.example"}}, {}) == "http own 10.0.0.1:99");
}

TEST_CASE("who speaks TLS with a proxy in front does so, unless another proxy knows better") {
    kvolt::Request request;
    request.start("GET", "/");
    request.add_field("X-Forwarded-Proto", "http");
    CHECK(find_client(request, {IpEndpoint::parse("192.0.2.1:1"), true}, trusted, {}).secure);
    CHECK_FALSE(find_client(request, {IpEndpoint::parse("10.0.0.1:1"), true}, trusted, {}).secure);
}

TEST_CASE("an element of Forwarded may hold what we do not know") {
    auto hop = parse_forwarded("by=203.0.113.43; ext=\"a;b\" ;for=192.0.2.60;;proto=http");
    CHECK(hop.address == "192.0.2.60");
    CHECK(hop.scheme == "http");
    CHECK(hop.host.empty());
}
