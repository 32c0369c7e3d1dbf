// How long a connection lives, and what it costs: RFC 9112, section 9; RFC 9110, section 6.6.1.

#include "crowd.hpp"
#include "rfc.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

using test::Client;
using namespace test::rfc;
using namespace std::string_literals;

TEST_CASE("rfc: a connection is kept as its version and its Connection field say") {
    auto request = [](const std::string& target, const std::string& version, const std::string& field = {}) {
        return "GET " + target + " HTTP/" + version + "\r\n" + host + field + end;
    };
    std::vector<Case> cases;
    for (std::string target : {"/", "/later/"}) {
        for (auto [what, field] : std::map<std::string, std::string>{{"HTTP/1.1", ""},
                                                                     {"keep-alive", "Connection: keep-alive\r\n"},
                                                                     {"something", "Connection: x, y\r\n"},
                                                                     {"like close", "Connection: closed\r\n"},
                                                                     {"nothing", "Connection:\r\n"}})
            cases.push_back({what, request(target, "1.1", field), 200, kept});
        for (auto [what, field] :
             std::map<std::string, std::string>{{"close", "Connection: close\r\n"},
                                                {"any case", "connection:CLOSE\r\n"},
                                                {"a list", "Connection: x, close\r\n"},
                                                {"two lines", "Connection: x\r\nConnection: close\r\n"},
                                                {"both", "Connection: keep-alive, close\r\n"}})
            cases.push_back({what, request(target, "1.1", field), 200, closed});
        cases.push_back({"HTTP/1.0", request(target, "1.0"), 200, closed});
        cases.push_back({"HTTP/1.0, close", request(target, "1.0", "Connection: close\r\n"), 200, closed});
        cases.push_back({"HTTP/1.0, keep-alive", request(target, "1.0", "Connection: keep-alive\r\n"), 200, kept});
        cases.push_back({"HTTP/1.0, Keep-Alive", request(target, "1.0", "Connection: x, Keep-Alive\r\n"), 200, kept});
    }
    run(cases);
    RfcServer server;
    CHECK(server.open().request(request("/", "1.0", "Connection: keep-alive\r\n")).field("connection") == "keep-alive");
    CHECK(server.open().request(request("/", "1.1", "Connection: keep-alive\r\n")).field("connection") == "");
}

TEST_CASE("rfc: 50 requests in one segment are answered in order, also to a client that has said all it wants") {
    on_every_server([](RfcServer& server) {
        for (bool half_closed : {false, true}) {
            Client client = server.open();
            std::string requests;
            auto target = [](int i) { return (i % 3 == 0 ? "/later/" : "/echo/") + std::to_string(i); };
            for (int i = 0; i < 50; ++i)
                requests += "POST " + target(i) + " HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\n!";
            client.send(requests);
            if (half_closed) client.half_close();
            for (int i = 0; i < 50; ++i) CHECK(client.read_response().body == "POST " + target(i) + " !");
            CHECK((half_closed ? client.ended() : client.request(good).status == 200));
        }
    });
}

TEST_CASE("rfc: who has said all it wants still gets its answer, and half a request is none") {
    on_every_server([](RfcServer& server) {
        for (std::string target : {"/echo/", "/later/"}) {
            Client client = server.open();
            client.send("GET " + target + " HTTP/1.1\r\n" + host + end);
            client.half_close();
            CHECK(client.read_response().body == "GET " + target);
            CHECK(client.ended());
        }
        for (std::string half : {""s, "\r\n"s, get + host, post + host + "Content-Length: 9\r\n\r\nhell",
                                 post + host + "Transfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n"}) {
            Client client = server.open();
            client.send(half);
            client.half_close();
            CHECK(client.ended());
        }
    });
}

TEST_CASE("rfc: an answer to HEAD says what one to GET would") {
    on_every_server([](RfcServer& server) {
        for (std::string target : {"/get", "/echo/a", "/nowhere"}) {
            Client client = server.open();
            auto body = client.get(target);
            auto head = client.request("HEAD " + target + " HTTP/1.1\r\n" + host + end);
            for (auto* answer : {&body, &head}) {
                answer->fields["date"].clear();
                if (target == "/echo/a") answer->fields["content-length"].clear();  // it says "HEAD" instead of "GET"
            }
            CHECK(head.status == body.status);
            CHECK((target == "/get" || head.fields == body.fields));
            CHECK(client.request(good).status == 200);
        }
    });
}

TEST_CASE("rfc: a request past a limit of size is refused") {
    kvolt::Limits limits;
    limits.header_size = 1024;
    limits.header_fields = 10;
    limits.target_size = 100;
    auto target = [](std::size_t size) {
        return "GET /echo/" + std::string(size - 6, 'a') + " HTTP/1.1\r\n" + host + end;
    };
    auto fields = [](int count) {
        std::string bytes = get + host;
        for (int i = 1; i < count; ++i) bytes += "N: y\r\n";
        return bytes + end;
    };
    auto head = [](std::size_t size) {
        std::string bytes = get + host + "N: ";
        return bytes + std::string(size - bytes.size() - 4, 'x') + "\r\n\r\n";
    };
    run(
        {
            {"a target as long as is allowed", target(100), 200, kept},
            {"a longer one", target(101), 414, closed},
            {"a far longer one", target(1000), 414, closed},
            {"one without end", "GET /" + std::string(5000, 'a'), 414, closed},
            {"one without end for HEAD", "HEAD /" + std::string(5000, 'a'), 414, closed},
            {"a method without end", std::string(5000, 'A'), 400, closed},
            {"as many fields as are allowed", fields(10), 200, kept},
            {"one more", fields(11), 431, closed},
            {"far more", fields(500), 431, closed},
            {"a head as large as is allowed", head(1024), 200, kept},
            {"a larger one", head(1025), 431, closed},
            {"a far larger one", head(5000), 431, closed},
            {"a field without end", get + host + "N: " + std::string(5000, 'x'), 431, closed},
            {"a name without end", get + host + std::string(5000, 'n'), 431, closed},
        },
        limits);
}

TEST_CASE("rfc: input without end takes no memory") {
    const std::string chunked = post + host + "Transfer-Encoding: chunked\r\n\r\n";
    struct Endless {
        std::string begin, again;
        int status;
    };
    on_every_server([&](RfcServer& server) {
        for (const Endless& input : {Endless{"", "AAAAAAAA", 400},
                                     {"GET /", "aaaaaaaa", 414},
                                     {get + host + "N: ", "xxxxxxxx", 431},
                                     {get + host, "nnnnnnnn", 431},
                                     {get + host, "N: y\r\n", 431},
                                     {chunked, "00000000", 400},
                                     {chunked + "1;a=", "xxxxxxxx", 400},
                                     {chunked + "0\r\nN: ", "xxxxxxxx", 400},
                                     {chunked + "0\r\n", "N: y\r\n", 400},
                                     {chunked, "1;a\r\nx\r\n", 400},
                                     {chunked, "8\r\nxxxxxxxx\r\n", 413},
                                     {post + host + "Content-Length: 99999999999\r\n\r\n", "xxxxxxxx", 413}}) {
            INFO(input.begin << input.again << "...");
            std::string block;
            while (block.size() < 65536) block += input.again;
            const std::size_t before = test::resident_bytes();
            std::size_t most = before;
            Client client = server.open();
            client.send(input.begin);
            for (int i = 0; i < 256 && client.send(block); ++i) most = std::max(most, test::resident_bytes());
            CHECK(client.read_response().status == input.status);
            if (!test::sanitized) CHECK(most - before < 6 * 1024 * 1024);
            CHECK(server.open().request(good).status == 200);
        }
        std::string empty_lines;
        while (empty_lines.size() < 1024 * 1024) empty_lines += end;
        Client client = server.open();
        client.send(empty_lines);
        CHECK(client.read_response().status == 400);
    });
}

TEST_CASE("rfc: hundreds of idle and unfinished connections keep nobody waiting") {
    on_every_server([](RfcServer& server) {
        std::vector<Client> crowd;
        for (int i = 0; i < 200; ++i)
            for (std::string bytes : {""s, "GET / HT"s, post + host + "Content-Length: 9\r\n\r\nhell"}) {
                crowd.push_back(server.open());
                crowd.back().send(bytes);
            }
        for (int i = 0; i < 20; ++i) CHECK(server.open().request(good).status == 200);
        for (std::size_t i = 0; i < crowd.size(); i += 99) {
            crowd[i].send(good);
            CHECK(crowd[i].read_response().status == 200);
        }
    });
}

TEST_CASE("rfc: thousands who send their heads slowly cost 4 KB each, and keep nobody waiting") {
    std::size_t count = std::min<std::size_t>(5000, (test::raise_descriptor_limit() - 200) / 2);
    kvolt::Limits limits;
    limits.header_timeout = std::chrono::minutes(5);
    RfcServer server(1, Transport::tcp, limits);
    CHECK(server.open().request(good).status == 200);
    std::vector<Client> crowd;
    crowd.reserve(count);
    const std::size_t before = test::resident_bytes();
    for (std::size_t i = 0; i < count; ++i) {
        crowd.push_back(server.open());
        crowd.back().send(get + host + "User-Agent: slow");
    }
    for (Client& slow : crowd) slow.send("l");
    CHECK(server.open().request(good).status == 200);  // by when it has read what the others sent
    if (!test::sanitized) CHECK((test::resident_bytes() - before) / count <= 4096);
    for (Client& slow : crowd) slow.send("y");
    for (int i = 0; i < 20; ++i) CHECK(server.open().request(good).status == 200);
    crowd.front().send("\r\n\r\n");
    CHECK(crowd.front().read_response().status == 200);
}
