#include "catch.hpp"
#include "deflate_peer.hpp"
#include <kvolt/deflate.hpp>
#include <kvolt/detail/websocket/frame_reader.hpp>
#include <kvolt/error.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using kvolt::DeflateOptions;
using namespace kvolt::detail;
using namespace std::string_literals;
using test::DeflatePeer;
using test::noise;
using test::words;

namespace {

// A client's frame, masked with zeros.
std::string masked(int first, std::string_view payload) {
    std::string out;
    append_frame(out, Opcode::text, payload);
    std::size_t head = out.size() - payload.size();
    out[0] = static_cast<char>(first);
    out[1] = static_cast<char>(out[1] | '\x80');
    return out.insert(head, 4, '\0');
}

// A message that is cut into frames of this size.
std::string frames(int first, std::string_view payload, std::size_t size) {
    std::string out;
    for (std::size_t at = 0;; at += size, first = 0) {
        bool last = payload.size() - at <= size;
        out += masked(first | (last ? 0x80 : 0), payload.substr(at, size));
        if (last) return out;
    }
}

constexpr int text = 0x41, binary = 0x42;  // compressed

// What a server reads of one client.
class Reader {
public:
    explicit Reader(std::string_view offer = "permessage-deflate", const DeflateOptions& options = {},
                    std::size_t most_bytes = 1 << 24, std::size_t most_frames = 1 << 20)
        : reader_(most_bytes, most_frames, Role::server, kvolt::deflate(options)->agree(offer).inflater) {}

    // What it tells of bytes that come in steps: messages, as they are, or a fault.
    std::vector<std::string> read(std::string_view bytes, std::size_t step = 1 << 30) {
        using Result = FrameReader::Result;
        std::vector<std::string> told;
        for (; !bytes.empty(); bytes.remove_prefix(std::min(step, bytes.size()))) {
            unread_ += bytes.substr(0, step);
            std::span<char> input(unread_);
            for (bool more = true; more;) {
                switch (reader_.read(input)) {
                    case Result::more: more = false; break;
                    case Result::message: told.push_back(reader_.take_message().payload); break;
                    case Result::ping: told.push_back("ping"); break;
                    case Result::fault: told.push_back("fault " + std::to_string(reader_.code())); return told;
                    default: told.push_back("unexpected"); return told;
                }
            }
            unread_ = std::string(input.begin(), input.end());
        }
        return told;
    }

private:
    FrameReader reader_;
    std::string unread_;
};

using Told = std::vector<std::string>;

std::unique_ptr<Deflater> deflater(std::string_view offer, const DeflateOptions& options) {
    return kvolt::deflate(options)->agree(offer).deflater;
}

}  // namespace

TEST_CASE("deflate: options that make no sense are refused") {
    DeflateOptions options;
    for (int level : {-1, 0, 10}) CHECK_THROWS_AS(options.level(level), std::invalid_argument);
    for (int bits : {7, 8, 16, -15}) CHECK_THROWS_AS(options.window_bits(bits), std::invalid_argument);
    CHECK(options.level() == 4);
    CHECK(options.min_size() == 1024);
    CHECK(options.window_bits() == 15);
    CHECK_FALSE(options.keeps_context());
}

TEST_CASE("deflate: without an agreement there is nothing to inflate or deflate with") {
    auto declined = kvolt::deflate()->agree("permessage-deflate; unknown");
    CHECK(declined.answer.empty());
    CHECK(declined.inflater == nullptr);
    CHECK(declined.deflater == nullptr);
    auto agreed = kvolt::deflate()->agree("permessage-deflate");
    CHECK(agreed.answer == "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
    CHECK(agreed.inflater != nullptr);
    CHECK(agreed.deflater != nullptr);
    CHECK_THROWS_AS(kvolt::deflate()->agree("permessage-deflate;"), kvolt::HttpError);
}

TEST_CASE("deflate: what is read, however it arrives") {
    // RFC 7692, section 7.2.3: one block, two blocks, no compression, a final block, two frames
    const std::string hello = "\xF2\x48\xCD\xC9\xC9\x07\x00"s;
    struct Case {
        std::string bytes;
        Told expected;
    };
    const std::vector<Case> cases = {
        {masked(0x80 | text, hello), {"Hello"}},
        {masked(0x80 | text, "\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00"s), {"Hello"}},
        {masked(0x80 | text, "\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00"s), {"Hello"}},
        {masked(0x80 | text, "\xF3\x48\xCD\xC9\xC9\x07\x00\x00"s), {"Hello"}},
        {masked(0x80 | text, "\xF3\x48\xCD\xC9\xC9\x07\x00"s), {"Hello"}},  // a final block, and no more
        {masked(text, "\xF2\x48\xCD"s) + masked(0x80, "\xC9\xC9\x07\x00"s), {"Hello"}},
        {masked(text, "") + masked(0, "\xF2\x48\xCD\xC9\xC9\x07"s) + masked(0, "") + masked(0x80, "\0"s), {"Hello"}},
        {masked(0x80 | text, "\xF3\x48\xCD\xC9\xC9\x07\x00"s + hello), {"HelloHello"}},
        {masked(0x80 | text, "\0"s), {""}},  // empty messages
        {masked(0x80 | text, ""), {""}},
        {masked(text, "") + masked(0x80, ""), {""}},
        {masked(0x80 | text, "\x03\x00\x00"s), {""}},
        {masked(0x80 | text, hello) + masked(0x81, "plain") + masked(0x80 | binary, hello),
         {"Hello", "plain", "Hello"}},
        {masked(text, hello.substr(0, 3)) + masked(0x89, "") + masked(0x80, hello.substr(3)), {"ping", "Hello"}},
        {masked(1, "pl") + masked(0x80, "ain"), {"plain"}},
    };
    for (const Case& c : cases)
        for (std::size_t step : {1, 2, 3, 7, 1000}) {
            CAPTURE(&c - cases.data(), step);
            CHECK(Reader().read(c.bytes, step) == c.expected);
            CHECK(Reader("permessage-deflate", DeflateOptions().context_takeover()).read(c.bytes, step) == c.expected);
        }
}

TEST_CASE("deflate: what breaks the protocol or a limit, however it arrives") {
    DeflatePeer peer;
    const std::string hello = peer.deflate("Hello"), one_mib = peer.deflate(std::string(1 << 20, 'a'));
    const std::string half_a_character = peer.deflate("\xE2\x82"), wrong = peer.deflate("abc\xFF" + words(900)),
                      character = peer.deflate("\xE2\x82\xAC"), thousand = peer.deflate(words(1000)),
                      more = peer.deflate(words(1001)), incompressible = peer.deflate(noise(1000));
    struct Case {
        const char* name;
        std::string bytes;
        std::string expected;
    };
    const std::vector<Case> cases = {
        {"RSV1 on a continuation", masked(text, hello.substr(0, 2)) + masked(0xC0, hello.substr(2)), "fault 1002"},
        {"RSV1 on the continuation of a plain message", masked(1, "a") + masked(0xC0, hello), "fault 1002"},
        {"RSV1 on a ping", masked(0xC9, ""), "fault 1002"},
        {"RSV1 on a close", masked(0xC8, ""), "fault 1002"},
        {"RSV2", masked(0xE1, hello), "fault 1002"},
        {"RSV3 alone", masked(0x91, "a"), "fault 1002"},
        {"a block of an unknown type", masked(0xC1, "\xFF\xFF\xFF"), "fault 1007"},
        {"a stored block of a wrong length", masked(0xC1, "\x00\x05\x00\x05\x00Hello\x00"s), "fault 1007"},
        {"back to before the beginning", masked(0xC1, "\x02\x06\x00\x00"s), "fault 1007"},
        {"cut off", masked(0xC1, thousand.substr(0, thousand.size() / 2)), "fault 1007"},
        {"cut off at its last byte", masked(0xC1, hello.substr(0, hello.size() - 1)), "fault 1007"},
        {"the tail was sent", masked(0xC1, hello + "\0\0\xFF\xFF"s), "fault 1007"},
        {"half of a second message", masked(0xC1, hello + "\xF2\x48\xCD"), "fault 1007"},
        {"a wrong byte", masked(text, wrong.substr(0, wrong.size() - 10)), "fault 1007"},
        {"half a character", masked(0xC1, half_a_character), "fault 1007"},
        {"a bomb", masked(0xC1, one_mib), "fault 1009"},
        {"a bomb in a part of a message", masked(text, one_mib), "fault 1009"},
        {"a bomb in many frames", frames(text, one_mib, 10), "fault 1009"},
        {"1001 bytes", masked(0xC1, more), "fault 1009"},
        {"a wrong byte, and then too many", masked(text, peer.deflate("abc\xFF" + words(1000))), "fault 1007"},
        {"too many bytes, the last of which is wrong", masked(text, peer.deflate(words(1000) + "\xFF")), "fault 1009"},
        {"a frame that is much too long", "\xC1\xFF\0\0\0\0\0\1\0\0mask"s, "fault 1009"},
    };
    for (const Case& c : cases)
        for (bool takeover : {false, true})
            for (std::size_t step : {1, 2, 3, 64, 100000}) {
                CAPTURE(c.name, step, takeover);
                Reader reader("permessage-deflate", DeflateOptions().context_takeover(takeover), 1000);
                CHECK(reader.read(c.bytes, step) == Told{c.expected});
            }
    for (const std::string& good : {thousand, incompressible}) {
        Reader reader("permessage-deflate", {}, 1000);
        CHECK(reader.read(masked(0x80 | binary, good)).front().size() == 1000);
    }
    CHECK(Reader().read(masked(text, character.substr(0, 2)) + masked(0x80, character.substr(2))) ==
          Told{"\xE2\x82\xAC"});
    Reader few("permessage-deflate", {}, 1000, 3);
    CHECK(few.read(frames(text, hello, hello.size() / 3 + 1) + frames(text, hello, 1)) == Told{"Hello", "fault 1008"});
}

TEST_CASE("deflate: a bomb costs no more than the limit and a step") {
    struct Endless : Inflater {
        explicit Endless(std::size_t& counter) : steps(counter) {}
        Result inflate(std::string_view&, std::string& out) override {
            ++steps;
            out.append(1000, 'a');
            return Result::more;
        }
        bool end_message() override { return true; }
        std::size_t& steps;
    };
    std::size_t steps = 0;
    FrameReader reader(5000, 10, Role::server, std::make_unique<Endless>(steps));
    std::string bytes = masked(0xC2, "bomb");
    std::span<char> input(bytes);
    CHECK(reader.read(input) == FrameReader::Result::fault);
    CHECK(reader.code() == 1009);
    CHECK(steps == 6);
}

TEST_CASE("deflate: nothing is kept from one message to the next unless it was agreed on") {
    const std::string message = words(1000);
    DeflatePeer peer(true);
    const std::string first = masked(0xC1, peer.deflate(message)), second = masked(0xC1, peer.deflate(message));
    CHECK(second.size() < 30);
    CHECK(Reader("permessage-deflate", DeflateOptions().context_takeover()).read(first + second) ==
          Told{message, message});
    CHECK(Reader().read(first + second) == Told{message, "fault 1007"});
    CHECK(Reader("permessage-deflate; client_no_context_takeover", DeflateOptions().context_takeover())
              .read(first + second) == Told{message, "fault 1007"});
    // A final block ends it all: what follows begins anew.
    DeflatePeer other(true);
    Told told;
    Reader reader("permessage-deflate", DeflateOptions().context_takeover());
    for (bool finally : {false, true, false, false, true, true, false}) {
        std::string payload = finally ? other.deflate_finally(message) : other.deflate(message);
        for (const std::string& one : reader.read(masked(0xC1, payload))) told.push_back(one);
    }
    CHECK(told == Told(7, message));
}

TEST_CASE("deflate: zlib understands what is sent, with every window") {
    const std::vector<std::string> messages = {words(1),         words(2),      words(32768),
                                               words(32768),     words(100, 7), words(257, 3),
                                               words(65536, 9),  words(100, 7), std::string(1 << 20, 'a'),
                                               words(300000, 4), noise(40000),  words(32767)};
    for (bool takeover : {false, true})
        for (int bits = 8; bits <= 15; ++bits)
            for (int level : {1, 4, 9}) {
                auto sent = deflater("permessage-deflate; server_max_window_bits=" + std::to_string(bits),
                                     DeflateOptions().min_size(1).level(level).context_takeover(takeover));
                DeflatePeer peer(takeover, 15, bits);
                for (const std::string& message : messages) {
                    std::string out = "before";
                    bool done = sent->deflate(message, out);
                    CAPTURE(takeover, bits, level, message.size(), done);
                    REQUIRE(out.starts_with("before"));
                    CHECK(out.size() - 6 <= (done ? message.size() - 1 : 0));
                    CHECK(done == (message.size() > 99 && !message.starts_with(noise(9))));
                    if (done) CHECK((peer.inflate(out.substr(6)) == message));
                }
            }
}

TEST_CASE("deflate: what is small, or would not get smaller, goes as it is") {
    auto sent = deflater("permessage-deflate", {});
    std::string out;
    CHECK_FALSE(sent->deflate("", out));
    CHECK_FALSE(sent->deflate(words(1023), out));
    CHECK(sent->deflate(words(1024), out));
    out.clear();
    CHECK_FALSE(sent->deflate(noise(100000), out));
    CHECK_FALSE(sent->deflate_for_all(words(1023), out));
    CHECK_FALSE(sent->deflate_for_all(noise(100000), out));
    CHECK(out.empty());
    CHECK_FALSE(deflater("permessage-deflate", DeflateOptions().min_size(0))->deflate("", out));
}

TEST_CASE("deflate: with context takeover, what was not sent is not referred to") {
    const std::string message = words(5000);
    auto sent = deflater("permessage-deflate", DeflateOptions().context_takeover());
    DeflatePeer peer(true);
    std::string first, second, third, lost, fourth;
    REQUIRE(sent->deflate(message, first));
    CHECK((peer.inflate(first) == message));
    REQUIRE(sent->deflate(message, second));
    CHECK(second.size() < first.size() / 4);
    CHECK((peer.inflate(second) == message));
    std::string nothing;
    REQUIRE_FALSE(sent->deflate(noise(5000), nothing));  // sent as it is
    REQUIRE(sent->deflate(message, third));
    CHECK((peer.inflate(third) == message));
    REQUIRE(sent->deflate(words(6000, 5), lost));
    sent->forget();
    REQUIRE(sent->deflate(words(6000, 5), fourth));
    CHECK((peer.inflate(fourth) == words(6000, 5)));
}

TEST_CASE("deflate: for all, a message refers to nothing before, and needs no larger window than it says") {
    for (int own : {9, 12, 15})
        for (std::size_t size : {1024, 1786, 1787, 3834, 3835, 20000, 32768, 100000}) {
            auto sent = deflater("permessage-deflate; server_max_window_bits=9",
                                 DeflateOptions().window_bits(own).context_takeover());
            std::string out, again;
            auto window = sent->deflate_for_all(words(size), out);
            CAPTURE(own, size, window.value_or(0));
            REQUIRE(window);
            CHECK(*window <= own);
            CHECK((own < 15 || size > 32000 || size < (std::size_t{1} << *window)));
            CHECK((DeflatePeer(false, 15, *window).inflate(out) == words(size)));
            // A connection with context takeover gets one in between.
            DeflatePeer peer(true, 15, std::max(9, *window));
            std::string before, after;
            REQUIRE(sent->deflate(words(size), before));
            CHECK((peer.inflate(before) == words(size)));
            CHECK(sent->deflate_for_all(words(size, 2), again) == window);
            CHECK((peer.inflate(again) == words(size, 2)));
            sent->forget();
            REQUIRE(sent->deflate(words(size), after));
            CHECK((peer.inflate(after) == words(size)));
        }
}

TEST_CASE("deflate: random messages of many clients at once, in random pieces, as zlib has them") {
    std::mt19937 random(GENERATE(1u, 2u, 3u));
    auto seed = [&] { return static_cast<unsigned>(random()); };
    auto below = [&](std::size_t end) { return seed() % end; };
    struct Client {
        explicit Client(int bits, bool with_takeover)
            : peer(with_takeover, bits, 15, 1 + bits % 9),
              reader("permessage-deflate; client_max_window_bits=" + std::to_string(bits),
                     DeflateOptions().context_takeover(with_takeover)) {}
        DeflatePeer peer;
        Reader reader;
        std::string bytes;
        Told expected, told;
    };
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 14; ++i) clients.push_back(std::make_unique<Client>(9 + i / 2, i % 2 == 0));
    for (auto& client : clients)
        for (int i = 0; i < 20; ++i) {
            std::size_t size = below(4) == 0 ? below(70000) : below(300);
            std::string message = below(3) == 0 ? noise(size, seed()) : words(size, seed());
            if (below(5) == 0) message = std::string(below(100000), 'a');
            std::string payload;
            int first = binary;
            switch (below(4)) {
                case 0:
                    first = 2;
                    payload = message;
                    break;
                case 1: payload = client->peer.deflate_finally(message); break;
                case 2: {
                    std::string_view rest = message;
                    while (below(3) > 0) {
                        std::size_t part = below(rest.size() + 1);
                        const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH, Z_BLOCK};
                        payload += client->peer.deflate_part(rest.substr(0, part), flushes[below(4)]);
                        rest.remove_prefix(part);
                    }
                    payload += client->peer.deflate_part(rest, Z_BLOCK);
                    payload += client->peer.deflate({}, Z_SYNC_FLUSH);
                    break;
                }
                default: payload = client->peer.deflate(message);
            }
            client->bytes += frames(first, payload, 1 + below(payload.size() + 2));
            client->expected.push_back(std::move(message));
        }
    for (bool left = true; left;) {
        left = false;
        for (auto& client : clients) {
            std::size_t size = std::min(client->bytes.size(), 1 + below(below(2) == 0 ? 10 : 20000));
            for (std::string& one : client->reader.read(client->bytes.substr(0, size)))
                client->told.push_back(std::move(one));
            client->bytes.erase(0, size);
            left |= !client->bytes.empty();
        }
    }
    for (auto& client : clients) CHECK((client->told == client->expected));
}

namespace {

// What a message's payload means to this side of a connection.
std::string inflated(Inflater& inflater, std::string_view payload) {
    std::string message;
    auto result = Inflater::Result::more;
    while (result == Inflater::Result::more) result = inflater.inflate(payload, message);
    return result == Inflater::Result::done && inflater.end_message() ? message : "not deflated data";
}

}  // namespace

TEST_CASE("deflate: a client's windows and contexts are those that the server has answered") {
    for (auto [parameters, server_bits, client_bits] :
         {std::tuple("", 15, 15), std::tuple("; server_max_window_bits=12; client_max_window_bits=8", 12, 8),
          std::tuple("; client_max_window_bits=15; server_max_window_bits=8", 8, 15)})
        for (bool client_takeover : {false, true})
            for (bool server_takeover : {false, true}) {
                CAPTURE(parameters, client_takeover, server_takeover);
                auto client = kvolt::deflate(DeflateOptions().context_takeover().min_size(1))
                                  ->accept("permessage-deflate"s + parameters +
                                           (client_takeover ? "" : "; client_no_context_takeover") +
                                           (server_takeover ? "" : "; server_no_context_takeover"));
                DeflatePeer sends(server_takeover, std::max(9, server_bits)),
                    receives(client_takeover, 15, client_bits);
                for (std::size_t size : {3000, 3000, 40000, 40000}) {
                    std::string sent;
                    CHECK((inflated(*client.inflater, sends.deflate(words(size))) == words(size)));
                    REQUIRE(client.deflater->deflate(words(size), sent));
                    CHECK((receives.inflate(sent) == words(size)));
                }
            }
}

TEST_CASE("deflate: what a client sends the server can read, and the other way round, with any options") {
    auto pass = [](Deflater& from, Inflater& to, std::string_view message) {
        std::string sent;
        return from.deflate(message, sent) ? inflated(to, sent) : std::string(message);
    };
    for (int client_bits : {9, 12, 15})
        for (int server_bits : {9, 12, 15})
            for (bool client_keeps : {false, true})
                for (bool server_keeps : {false, true}) {
                    CAPTURE(client_bits, server_bits, client_keeps, server_keeps);
                    auto by_client = kvolt::deflate(
                        DeflateOptions().window_bits(client_bits).context_takeover(client_keeps).min_size(1));
                    auto by_server = kvolt::deflate(
                        DeflateOptions().window_bits(server_bits).context_takeover(server_keeps).min_size(1));
                    auto server = by_server->agree(by_client->offer());
                    auto client = by_client->accept(server.answer);
                    for (std::size_t size : {500, 500, 5000, 40000, 40000, 100000}) {
                        CHECK((pass(*client.deflater, *server.inflater, words(size)) == words(size)));
                        CHECK((pass(*server.deflater, *client.inflater, words(size, 2)) == words(size, 2)));
                    }
                }
}
