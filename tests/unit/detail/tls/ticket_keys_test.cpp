#include "catch.hpp"
#include <kvolt/detail/tls/ticket_keys.hpp>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

using kvolt::detail::TicketKey;
using kvolt::detail::TicketKeys;
using namespace std::chrono_literals;

namespace {

TicketKeys::Clock::time_point ticket_now{};

struct SteppedKeys : TicketKeys {
    SteppedKeys() : TicketKeys([] { return ticket_now; }) {}

    // What becomes of a ticket that was sealed with this key: opened, opened and replaced, or nothing.
    std::string open(const TicketKey& key) {
        auto found = find(key.name.data());
        if (!found) return "nothing";
        bool same = found->key.cipher == key.cipher && found->key.mac == key.mac;
        return !same ? "another" : found->former ? "replaced" : "opened";
    }
};

}  // namespace

TEST_CASE("a key seals for one period and opens for another one") {
    ticket_now = {};
    SteppedKeys keys;
    TicketKey first = *keys.current();
    CHECK(keys.open(first) == "opened");
    ticket_now += TicketKeys::period - 1s;
    CHECK(keys.current()->name == first.name);
    ticket_now += 1s;
    CHECK(keys.open(first) == "replaced");
    TicketKey second = *keys.current();
    CHECK(second.name != first.name);
    CHECK(second.cipher != first.cipher);
    CHECK(second.mac != first.mac);
    CHECK(keys.open(second) == "opened");
    CHECK(keys.open(first) == "replaced");
    ticket_now += TicketKeys::period - 1s;
    CHECK(keys.open(first) == "replaced");
    CHECK(keys.open(second) == "opened");
    ticket_now += 1s;
    CHECK(keys.open(first) == "nothing");
    CHECK(keys.open(second) == "replaced");
    CHECK(keys.current()->name != second.name);
}

TEST_CASE("keys go with time, also when nobody comes for long") {
    for (auto pause : {2 * TicketKeys::period, 3 * TicketKeys::period, 10000 * TicketKeys::period}) {
        ticket_now = {};
        SteppedKeys keys;
        TicketKey first = *keys.current();
        ticket_now += TicketKeys::period;
        TicketKey second = *keys.current();
        ticket_now += pause;
        CHECK(keys.open(first) == "nothing");
        CHECK(keys.open(second) == "nothing");
        TicketKey third = *keys.current();
        CHECK(third.name != second.name);
        CHECK(keys.open(third) == "opened");
        ticket_now += TicketKeys::period - 1s;
        CHECK(keys.current()->name == third.name);
    }
}

TEST_CASE("a key that was made late in its period goes with it") {
    ticket_now = {};
    SteppedKeys keys;
    TicketKey first = *keys.current();
    ticket_now += TicketKeys::period + 1h;
    TicketKey second = *keys.current();
    CHECK(keys.open(first) == "replaced");
    ticket_now += TicketKeys::period - 1h;
    CHECK(keys.open(first) == "nothing");
    CHECK(keys.open(second) == "replaced");
}

TEST_CASE("a ticket that nobody has sealed is not opened") {
    ticket_now = {};
    SteppedKeys keys;
    CHECK(keys.open(TicketKey()) == "nothing");
    keys.current();
    CHECK(keys.open(TicketKey()) == "nothing");
    ticket_now += TicketKeys::period;
    CHECK(keys.open(TicketKey()) == "nothing");
}

TEST_CASE("loops share the keys") {
    TicketKeys keys;
    std::vector<std::thread> threads;
    std::vector<TicketKey> made(8);
    for (TicketKey& key : made) threads.emplace_back([&] { key = *keys.current(); });
    for (std::thread& thread : threads) thread.join();
    for (const TicketKey& key : made) CHECK(key.name == made.front().name);
}
