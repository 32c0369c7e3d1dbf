#include "catch.hpp"
#include <kvolt/detail/websocket/deflate_agreement.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using kvolt::ConnectError;
using kvolt::DeflateOptions;
using kvolt::HttpError;
using namespace kvolt::detail;

namespace {

// The answer to a client; "none" if there is nothing to agree on, "400" if it cannot be understood.
std::string answer(std::string_view offers, const DeflateOptions& options = {}) {
    try {
        auto agreed = agree_on_deflate(offers, options);
        return agreed ? agreed->answer : "none";
    } catch (const HttpError& error) {
        return std::to_string(error.status());
    }
}

struct OfferCase {
    std::string_view offers, answer;
};

constexpr std::string_view alone = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

}  // namespace

TEST_CASE("deflate agreement: without context takeover") {
    const std::string each(alone);
    const std::string window = each + "; server_max_window_bits=";
    const std::vector<OfferCase> cases = {
        {"permessage-deflate", each},
        {"permessage-deflate; client_max_window_bits", each},  // of browsers
        {"permessage-deflate; client_max_window_bits=8", each},
        {"permessage-deflate; server_no_context_takeover", each},
        {"permessage-deflate; client_no_context_takeover", each},
        {"permessage-deflate; client_no_context_takeover; server_no_context_takeover", each},
        {"permessage-deflate;server_no_context_takeover;client_max_window_bits", each},
        {" \t permessage-deflate \t;\t client_max_window_bits \t= \t 10 ", each},
        {"permessage-deflate; client_max_window_bits=\"10\"", each},
    };
    for (const OfferCase& c : cases) {
        CAPTURE(c.offers);
        CHECK(answer(c.offers) == c.answer);
    }
    for (int bits = 8; bits <= 15; ++bits) {
        const std::string offer = "permessage-deflate; server_max_window_bits=";
        CAPTURE(bits);
        CHECK(answer(offer + std::to_string(bits)) == window + std::to_string(bits));
        CHECK(answer(offer + '"' + std::to_string(bits) + '"') == window + std::to_string(bits));
        auto agreed = agree_on_deflate(offer + std::to_string(bits), {});
        CHECK(agreed->server_window_bits == bits);
        CHECK(agreed->client_window_bits == 15);
        CHECK_FALSE(agreed->server_context_takeover);
        CHECK_FALSE(agreed->client_context_takeover);
    }
    CHECK(answer("permessage-deflate; server_max_window_bits=\"1\\0\"") == window + "10");
}

TEST_CASE("deflate agreement: with context takeover, for all combinations") {
    for (int own : {9, 12, 15})
        for (bool server_alone : {false, true})
            for (bool client_alone : {false, true})
                for (int server_bits : {0, 8, 9, 12, 15})         // 0: not offered
                    for (int client_bits : {0, 1, 8, 9, 12, 15})  // 1: without a number
                    {
                        std::string offer = "permessage-deflate";
                        if (server_alone) offer += "; server_no_context_takeover";
                        if (client_bits == 1) offer += "; client_max_window_bits";
                        if (client_bits > 1) offer += "; client_max_window_bits=" + std::to_string(client_bits);
                        if (client_alone) offer += "; client_no_context_takeover";
                        if (server_bits > 0) offer += "; server_max_window_bits=" + std::to_string(server_bits);
                        CAPTURE(offer, own);
                        auto agreed = agree_on_deflate(offer, DeflateOptions().context_takeover().window_bits(own));
                        REQUIRE(agreed);
                        CHECK(agreed->server_context_takeover == !server_alone);
                        CHECK(agreed->server_window_bits == std::min(server_bits == 0 ? 15 : server_bits, own));
                        bool limits = client_bits > 0 || own == 15;
                        CHECK(agreed->client_context_takeover == (!client_alone && limits));
                        int client_window = std::min(client_bits <= 1 ? 15 : client_bits, own);
                        if (agreed->client_context_takeover) CHECK(agreed->client_window_bits == client_window);
                        auto says = [&](std::string_view what) {
                            return agreed->answer.find(what) != std::string::npos;
                        };
                        CHECK(agreed->answer.starts_with("permessage-deflate"));
                        CHECK(says("; server_no_context_takeover") == server_alone);
                        CHECK(says("; client_no_context_takeover") == !agreed->client_context_takeover);
                        CHECK(says("; server_max_window_bits=" + std::to_string(agreed->server_window_bits)) ==
                              (server_bits > 0 || own < 15));
                        CHECK(says("; client_max_window_bits=" + std::to_string(client_window)) ==
                              (agreed->client_context_takeover && client_window < 15));
                        CHECK((client_bits > 0 || !says("client_max_window_bits")));  // RFC 7692, section 7.1.2.2
                    }
    CHECK(answer("permessage-deflate", DeflateOptions().context_takeover()) == "permessage-deflate");
}

TEST_CASE("deflate agreement: a window of our own is told also where none was asked for") {
    const std::string each(alone);
    CHECK(answer("permessage-deflate", DeflateOptions().window_bits(10)) == each + "; server_max_window_bits=10");
    CHECK(answer("permessage-deflate; server_max_window_bits=9", DeflateOptions().window_bits(10)) ==
          each + "; server_max_window_bits=9");
}

TEST_CASE("deflate agreement: offers that must be declined") {
    for (std::string_view parameter : {
             "x",
             "x=1",
             "server_no_context_takeover=1",
             "client_no_context_takeover=\"true\"",
             "server_no_context_takeover; server_no_context_takeover",
             "client_no_context_takeover; client_no_context_takeover",
             "server_max_window_bits",
             "server_max_window_bits=7",
             "server_max_window_bits=16",
             "server_max_window_bits=08",
             "server_max_window_bits=+9",
             "server_max_window_bits=1",
             "server_max_window_bits=100",
             "server_max_window_bits=x",
             "server_max_window_bits=\"16\"",
             "server_max_window_bits=10; server_max_window_bits=10",
             "client_max_window_bits=7",
             "client_max_window_bits=16",
             "client_max_window_bits=1e1",
             "client_max_window_bits; client_max_window_bits",
             "client_max_window_bits=10; client_max_window_bits",
             "Server_no_context_takeover",
         }) {
        CAPTURE(parameter);
        std::string offer = "permessage-deflate; " + std::string(parameter);
        CHECK(answer(offer) == "none");
        CHECK(answer(offer + "; server_no_context_takeover; client_no_context_takeover") == "none");
        CHECK(answer(offer + ", permessage-deflate") == alone);  // the next offer is taken
    }
    CHECK(answer("") == "none");
    CHECK(answer("  ") == "none");
    CHECK(answer("x-webkit-deflate-frame") == "none");
    CHECK(answer("permessage-bzip2; a; a; b=\"c\"") == "none");
}

TEST_CASE("deflate agreement: the first offer that will do is taken") {
    const std::string each(alone);
    CHECK(answer("permessage-deflate; server_max_window_bits=10, permessage-deflate") ==
          each + "; server_max_window_bits=10");
    CHECK(answer("permessage-deflate, permessage-deflate; server_max_window_bits=10") == each);
    CHECK(answer("foo; bar=\"baz\", permessage-deflate; server_max_window_bits=16, , permessage-deflate;"
                 "server_max_window_bits=9,permessage-deflate,") == each + "; server_max_window_bits=9");
}

TEST_CASE("deflate agreement: what is no list of extensions is refused") {
    for (std::string_view offers : {
             "permessage-deflate;",
             "permessage-deflate;;x",
             ";",
             "=",
             "permessage deflate",
             "permessage-deflate x",
             "permessage-deflate; =10",
             "permessage-deflate; server_max_window_bits=",
             "permessage-deflate; server_max_window_bits=\"10",
             "permessage-deflate; server_max_window_bits=\"10\\",
             "permessage-deflate; server_max_window_bits=\"\"",
             "permessage-deflate; server_max_window_bits=\"1 0\"",
             "permessage-deflate; server_max_window_bits=\"10\"x",
             "permessage-deflate; server_max_window_bits=10=10",
             "permessage-deflate; x, permessage-deflate; \xC3\xA9",
             "permessage-deflate, \"x\"",
             "(permessage-deflate)",
             "permessage-deflate/1",
         }) {
        CAPTURE(offers);
        CHECK(answer(offers) == "400");
    }
}

namespace {

// What a client makes of the server's answer; or what is wrong with it, without that answer.
std::string accepted(const std::string& list, const DeflateOptions& options = {}) {
    try {
        auto agreed = accept_deflate(list, options);
        auto side = [](bool takeover, int bits) { return std::to_string(bits) + (takeover ? "" : " alone"); };
        return "server " + side(agreed.server_context_takeover, agreed.server_window_bits) + ", client " +
               side(agreed.client_context_takeover, agreed.client_window_bits);
    } catch (const ConnectError& error) {
        std::string what = error.what(), begin = "the server ", end = ": " + list;
        CHECK(error.reason() == ConnectError::Reason::handshake);
        REQUIRE(what.starts_with(begin));
        REQUIRE(what.ends_with(end));
        return what.substr(begin.size(), what.size() - begin.size() - end.size());
    }
}

}  // namespace

TEST_CASE("deflate agreement: what a client offers") {
    const std::string offer = "permessage-deflate; client_max_window_bits";
    const std::string both_alone = "; server_no_context_takeover; client_no_context_takeover";
    auto takeover = [] { return DeflateOptions().context_takeover(); };
    CHECK(deflate_offer({}) == offer + both_alone);
    CHECK(deflate_offer(DeflateOptions().window_bits(9)) == offer + "=9" + both_alone);
    CHECK(deflate_offer(takeover()) == offer);
    CHECK(deflate_offer(takeover().window_bits(12)) ==
          offer + "=12; server_max_window_bits=12, " + offer + "=12; server_no_context_takeover");
}

TEST_CASE("deflate agreement: answers that a client accepts") {
    const auto alone_9 = DeflateOptions().window_bits(9), takeover = DeflateOptions().context_takeover(),
               takeover_12 = DeflateOptions().context_takeover().window_bits(12);
    const std::string each(alone), plain = "permessage-deflate";
    struct Accepted {
        std::string answer;
        DeflateOptions options;
        std::string expected;
    };
    const std::vector<Accepted> cases = {
        {each, {}, "server 15 alone, client 15 alone"},
        {each, alone_9, "server 15 alone, client 9 alone"},
        {each, takeover, "server 15 alone, client 15 alone"},
        {plain + "; server_no_context_takeover", {}, "server 15 alone, client 15 alone"},
        {plain + ";server_no_context_takeover;client_max_window_bits=8", alone_9, "server 15 alone, client 8 alone"},
        {plain + "; server_no_context_takeover; server_max_window_bits=8", {}, "server 8 alone, client 15 alone"},
        {plain, takeover, "server 15, client 15"},
        {plain + "; client_no_context_takeover", takeover, "server 15, client 15 alone"},
        {plain + "; server_no_context_takeover", takeover, "server 15 alone, client 15"},
        {plain + "; server_max_window_bits=10; client_max_window_bits=\"9\"", takeover, "server 10, client 9"},
        {plain + "; server_max_window_bits=15; client_max_window_bits=15", takeover, "server 15, client 15"},
        {plain + "; server_max_window_bits=12", takeover_12, "server 12, client 12"},
        {plain + "; server_max_window_bits=8; client_max_window_bits=12", takeover_12, "server 8, client 12"},
        {plain + "; server_no_context_takeover", takeover_12, "server 15 alone, client 12"},  // of the second offer
        {plain + "; server_no_context_takeover; server_max_window_bits=15", takeover_12, "server 15 alone, client 12"},
    };
    for (const Accepted& c : cases) {
        CAPTURE(c.answer);
        CHECK(accepted(c.answer, c.options) == c.expected);
    }
}

TEST_CASE("deflate agreement: answers that a client refuses, each told by what is wrong with it") {
    const auto takeover = DeflateOptions().context_takeover(),
               takeover_12 = DeflateOptions().context_takeover().window_bits(12);
    const std::string malformed = "sends malformed Sec-WebSocket-Extensions",
                      other = "uses an extension that was not offered",
                      larger = "answers permessage-deflate with a larger ";
    for (const char* list : {"", ",", "permessage-deflate;", "permessage-deflate; =1", "permessage deflate"})
        CHECK(accepted(list, takeover) == malformed);
    for (const char* list : {"x-webkit-deflate-frame", "permessage-deflate, foo", "foo, permessage-deflate", "foo; bar",
                             "Permessage-Deflate"})
        CHECK(accepted(list, takeover) == other);
    CHECK(accepted("permessage-deflate, permessage-deflate", takeover) == "uses permessage-deflate twice");
    struct Refused {
        std::string parameters, fault;
    };
    const std::string unknown = "an unknown parameter", twice = "a parameter twice",
                      value = "a value where none belongs", window = "a window that is not 8 to 15 bits";
    const std::vector<Refused> cases = {
        {"x", unknown},
        {"x=1", unknown},
        {"Client_no_context_takeover", unknown},
        {"server_no_context_takeover=1", value},
        {"client_no_context_takeover=true", value},
        {"server_no_context_takeover; server_no_context_takeover", twice},
        {"client_no_context_takeover; client_no_context_takeover", twice},
        {"server_max_window_bits=10; server_max_window_bits=10", twice},
        {"client_max_window_bits=10; client_max_window_bits=11", twice},
        {"server_max_window_bits", window},
        {"server_max_window_bits=7", window},
        {"server_max_window_bits=16", window},
        {"server_max_window_bits=09", window},
        {"client_max_window_bits", window},  // only an offer may be without a number
        {"client_max_window_bits=7", window},
        {"client_max_window_bits=16", window},
        {"client_max_window_bits=x", window},
    };
    for (const Refused& c : cases) {
        CAPTURE(c.parameters);
        CHECK(accepted("permessage-deflate; " + c.parameters, takeover) ==
              "answers permessage-deflate with " + c.fault);
    }
    CHECK(accepted("permessage-deflate") == "answers permessage-deflate with a context takeover that was not offered");
    CHECK(accepted("permessage-deflate; client_no_context_takeover; server_max_window_bits=9") ==
          "answers permessage-deflate with a context takeover that was not offered");
    CHECK(accepted("permessage-deflate", takeover_12) == larger + "server window than was offered");
    CHECK(accepted("permessage-deflate; server_max_window_bits=13", takeover_12) ==
          larger + "server window than was offered");
    CHECK(accepted(std::string(alone) + "; client_max_window_bits=13", takeover_12) ==
          larger + "client window than was offered");
}

TEST_CASE("deflate agreement: client and server of any options understand each other alike") {
    for (int client_bits : {9, 12, 15})
        for (int server_bits : {9, 12, 15})
            for (bool client_keeps : {false, true})
                for (bool server_keeps : {false, true}) {
                    CAPTURE(client_bits, server_bits, client_keeps, server_keeps);
                    auto client = DeflateOptions().window_bits(client_bits).context_takeover(client_keeps);
                    auto server = DeflateOptions().window_bits(server_bits).context_takeover(server_keeps);
                    auto answered = agree_on_deflate(deflate_offer(client), server);
                    REQUIRE(answered);
                    auto agreed = accept_deflate(answered->answer, client);
                    CHECK(agreed.server_context_takeover == (client_keeps && server_keeps));
                    CHECK(agreed.client_context_takeover == (client_keeps && server_keeps));
                    CHECK(answered->server_context_takeover == agreed.server_context_takeover);
                    CHECK(answered->client_context_takeover == agreed.client_context_takeover);
                    CHECK(agreed.server_window_bits == answered->server_window_bits);
                    CHECK(agreed.client_window_bits <= client_bits);
                    if (agreed.client_context_takeover)
                        CHECK(agreed.client_window_bits == answered->client_window_bits);
                }
}
