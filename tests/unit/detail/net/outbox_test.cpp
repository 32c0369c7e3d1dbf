#include "catch.hpp"
#include <kvolt/detail/net/outbox.hpp>

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using kvolt::Backlog;
using kvolt::SlowPolicy;
using namespace kvolt::detail;
using Added = Outbox::Added;

namespace {

// A peer that takes so many bytes at once.
struct OutboxSocket {
    std::string got;
    std::size_t room = 1 << 30;
    int calls = 0;

    std::size_t operator()(const boost::asio::const_buffer& bytes) {
        ++calls;
        std::size_t size = std::min(bytes.size(), room);
        got.append(static_cast<const char*>(bytes.data()), size);
        return size;
    }

    std::size_t operator()(const Pieces& pieces) {
        ++calls;
        std::size_t before = got.size();
        for (const auto& piece : pieces) {
            std::size_t size = std::min(piece.size(), room - (got.size() - before));
            got.append(static_cast<const char*>(piece.data()), size);
        }
        return got.size() - before;
    }
};

std::string frame(std::string_view payload) {
    std::string out;
    append_frame(out, Opcode::text, payload);
    return out;
}

// One loop's outgoing buffer and one connection.
struct OutboxFixture {
    std::string outgoing;
    Outbox outbox;
    OutboxSocket socket;
    std::shared_ptr<SenderCounts> counts = std::make_shared<SenderCounts>();
    SenderId sender = outbox.join(counts);

    Added send(std::string_view bytes, Unit unit = Unit::droppable, const Backlog& limit = Outbox::no_limit.limit,
               SlowPolicy policy = SlowPolicy::disconnect) {
        return send(bytes, unit, Terms{limit, policy, sender});
    }

    Added send(std::string_view bytes, Unit unit, const Terms& terms) {
        std::size_t begin = outgoing.size();
        outgoing += bytes;
        return outbox.add(outgoing, begin, outgoing.size(), unit, terms);
    }

    // The turn ends; the socket takes at most `room` bytes.
    void flush(std::size_t room = 1 << 30) {
        socket.room = room;
        outbox.flush(outgoing, socket);
        outgoing.clear();
    }

    std::size_t drain(std::size_t room = 1 << 30) {
        socket.room = room;
        return outbox.drain(socket);
    }
};

}  // namespace

TEST_CASE("what was sent in a turn leaves in one call, in order") {
    OutboxFixture f;
    CHECK(f.outbox.empty());
    CHECK(f.send(frame("one")) == Added::queued);
    f.outgoing += "for another connection";
    CHECK(f.send(frame("two"), Unit::frame) == Added::queued);
    CHECK(f.send(frame("three")) == Added::queued);
    CHECK_FALSE(f.outbox.empty());
    CHECK(f.outbox.pending() == frame("one").size() + frame("two").size() + frame("three").size());
    f.flush();
    CHECK(f.socket.got == frame("one") + frame("two") + frame("three"));
    CHECK(f.socket.calls == 1);
    CHECK(f.outbox.empty());
    CHECK(f.outbox.pending() == 0);
}

TEST_CASE("a turn in which nothing was sent calls nobody") {
    OutboxFixture f;
    f.flush();
    CHECK(f.socket.calls == 0);
    CHECK(f.drain() == 0);
    CHECK(f.socket.calls == 0);
}

TEST_CASE("one message may be sent to a connection twice in a turn") {
    OutboxFixture f;
    f.outgoing = frame("again");
    f.outbox.add(f.outgoing, 0, f.outgoing.size(), Unit::droppable);
    f.outbox.add(f.outgoing, 0, f.outgoing.size(), Unit::droppable);
    f.flush();
    CHECK(f.socket.got == frame("again") + frame("again"));
}

TEST_CASE("what the socket does not take follows in order, wherever it was cut") {
    const std::string all = frame("one") + frame(std::string(300, 'x')) + frame("three") + frame("later");
    for (std::size_t cut = 0; cut < all.size(); ++cut) {
        CAPTURE(cut);
        OutboxFixture f;
        f.send(frame("one"));
        f.outgoing += "for another connection";
        f.send(frame(std::string(300, 'x')), Unit::frame);
        f.send(frame("three"));
        std::size_t turn = f.outbox.pending();
        f.flush(cut);
        CHECK(f.outbox.pending() == 0);
        CHECK(f.outbox.backlog() == turn - std::min(turn, cut));
        bool waits = cut < turn;
        CHECK(f.send(frame("later")) == (waits ? Added::backpressure : Added::queued));
        f.flush();
        CHECK(f.drain() == (waits ? all.size() - cut : 0));
        CHECK(f.socket.got == all);
        CHECK(f.outbox.empty());
    }
}

TEST_CASE("more ranges than fit into one write are all sent") {
    OutboxFixture f;
    std::string all;
    for (int i = 0; i < 200; ++i) {
        std::string bytes = frame(std::to_string(i));
        f.send(bytes);
        f.outgoing += "-";
        all += bytes;
    }
    f.flush();
    while (f.outbox.backlog() > 0) f.drain();
    CHECK(f.socket.got == all);
}

TEST_CASE("HTTP is kept whole whatever its bytes look like") {
    OutboxFixture f;
    const std::string bytes = "HTTP/1.1 200 OK\r\n\r\n" + std::string(1000, '\x7F');
    f.send(bytes, Unit::raw);
    f.flush(5);
    CHECK(f.outbox.backlog() == bytes.size() - 5);
    f.outbox.shed();
    f.drain();
    CHECK(f.socket.got == bytes);
}

TEST_CASE("limits and policy decide once there is a backlog, not before") {
    const Backlog two{1000, 2};
    for (SlowPolicy policy : {SlowPolicy::disconnect, SlowPolicy::drop_newest, SlowPolicy::drop_oldest}) {
        OutboxFixture f;
        for (int i = 0; i < 5; ++i) CHECK(f.send(frame("turn"), Unit::droppable, two, policy) == Added::queued);
        f.flush(5 * frame("turn").size() - 1);  // a peer that takes all but one byte
        CHECK(f.send(frame("a"), Unit::droppable, two, policy) == Added::backpressure);
        Added third = f.send(frame("b"), Unit::droppable, two, policy);
        f.drain();
        std::string got = f.socket.got.substr(5 * frame("turn").size());
        if (policy == SlowPolicy::disconnect) {
            CHECK(third == Added::overflow);
            CHECK(got == frame("a"));
        } else if (policy == SlowPolicy::drop_newest) {
            CHECK(third == Added::dropped);
            CHECK(got == frame("a"));
        } else {
            CHECK(third == Added::backpressure);
            CHECK(got == frame("b"));
            CHECK(f.counts->dropped == 1);
        }
        CHECK(f.outbox.empty());
    }
}

TEST_CASE("the number of dropped messages outlives the backlog") {
    OutboxFixture f;
    for (std::uint64_t round = 1; round <= 3; ++round) {
        f.send(frame("x"), Unit::frame);
        f.flush(0);
        f.send(frame("a"), Unit::droppable, {1000, 2}, SlowPolicy::drop_oldest);
        f.send(frame("b"), Unit::droppable, {1000, 2}, SlowPolicy::drop_oldest);
        CHECK(f.counts->dropped == round);
        if (round < 3)
            f.drain();
        else
            f.outbox.clear();
        CHECK(f.counts->dropped == round);
    }
}

TEST_CASE("frames with keys replace each other in the backlog, and keys are never sent") {
    OutboxFixture f;
    auto send = [&](std::string_view payload, std::string_view key) {
        std::size_t begin = f.outgoing.size();
        f.outgoing += frame(payload);
        std::size_t end = f.outgoing.size();
        f.outgoing += key;
        return f.outbox.add(f.outgoing, begin, end, Unit::droppable, Terms{.sender = f.sender}, key.size());
    };
    for (const char* payload : {"a1", "a2", "a3"}) CHECK(send(payload, "a") == Added::queued);
    CHECK(send("x", "") == Added::queued);
    CHECK(send("y", "") == Added::queued);
    f.flush(frame("a1").size() + 1);  // the turn's own frames are kept
    CHECK(f.outbox.messages() == 4);
    CHECK(send("a4", "a") == Added::backpressure);
    CHECK(send("b1", "b") == Added::backpressure);
    CHECK(send("a5", "a") == Added::backpressure);
    CHECK(f.counts->coalesced == 2);
    f.drain();
    CHECK(f.socket.got == frame("a1") + frame("a2") + frame("x") + frame("y") + frame("b1") + frame("a5"));
    CHECK(f.counts->coalesced == 2);
    CHECK(f.counts->dropped == 0);
    CHECK(f.outbox.messages() == 0);
    CHECK(send("a6", "a") == Added::queued);
    f.flush();
    CHECK(f.socket.got.ends_with(frame("a5") + frame("a6")));
}

TEST_CASE("behind a close frame nothing is taken, and the close frame is the last that leaves") {
    OutboxFixture f;
    f.send(frame("message"));
    std::string close;
    append_close(close, 1000, "bye");
    f.send(close, Unit::frame);
    f.outbox.finish();
    CHECK(f.outbox.finished());
    CHECK(f.send(frame("late")) == Added::dropped);
    f.flush(3);
    CHECK(f.send(frame("later")) == Added::dropped);
    f.drain();
    CHECK(f.socket.got == frame("message") + close);
    CHECK(f.send(frame("latest")) == Added::dropped);
}

TEST_CASE("a slow member that is shed gets the frame that was begun and the close frame") {
    OutboxFixture f;
    f.send(frame("begun"));
    f.send(frame("waits"));
    f.flush(3);
    f.send(frame("waits, too"), Unit::frame);
    f.outbox.shed();
    std::string close;
    append_close(close, 1013, "too slow");
    f.send(close, Unit::frame);
    f.drain();
    CHECK(f.socket.got == frame("begun") + close);
}

TEST_CASE("shedding all that waits leaves no backlog") {
    OutboxFixture f;
    f.send(frame("waits"));
    f.flush(0);
    f.outbox.shed();
    CHECK(f.outbox.backlog() == 0);
    CHECK(f.outbox.empty());
    CHECK(f.send(frame("next")) == Added::queued);
    f.flush();
    CHECK(f.socket.got == frame("next"));
}

TEST_CASE("what is shed is counted to those whose it is, also what was begun and never finished") {
    OutboxFixture f;
    auto others = std::make_shared<SenderCounts>(), gone = std::make_shared<SenderCounts>();
    const SenderId other = f.outbox.join(others), left = f.outbox.join(gone);
    CHECK(f.outbox.join(others) == other);
    CHECK(std::set{no_sender, f.sender, other, left}.size() == 4);
    f.send(frame("begun"));
    f.send(frame("second"), Unit::droppable, Terms{.sender = other});
    f.send(frame("third"), Unit::droppable, Terms{.sender = left});
    f.send(frame("nobody's"), Unit::droppable, Terms{});
    f.send(frame("direct"), Unit::frame, Terms{});
    f.outbox.leave(left);
    f.flush(3);
    for (int i = 0; i < 2; ++i) {
        f.send(frame("more"), Unit::droppable, Terms{.sender = other});
        f.outbox.shed();
        CHECK(f.counts->dropped == 0);
        CHECK(f.counts->disconnected == 1);
        CHECK(others->dropped == static_cast<std::uint64_t>(2 + i));
        CHECK(others->disconnected == 1);  // by two seats, one connection
        CHECK(gone->dropped == 1);
        CHECK(gone->disconnected == 0);
    }
    f.outbox.clear();
    CHECK(f.counts->dropped == 1);
}

TEST_CASE("what a connection loses that was not slow is not counted") {
    OutboxFixture f;
    f.send(frame("begun"));
    f.send(frame("second"));
    f.flush(3);
    f.outbox.clear();
    CHECK(f.counts->dropped == 0);
    CHECK(f.counts->disconnected == 0);
}

TEST_CASE("a connection that is closing already is shed, but not disconnected") {
    OutboxFixture f;
    f.send(frame("waits"));
    f.flush(0);
    f.outbox.finish();
    f.outbox.shed();
    CHECK(f.counts->dropped == 1);
    CHECK(f.counts->disconnected == 0);
}

TEST_CASE("frames of two senders in a row stay apart") {
    OutboxFixture f;
    auto others = std::make_shared<SenderCounts>();
    const Terms mine{{1000, 3}, SlowPolicy::drop_oldest, f.sender},
        theirs{{1000, 3}, SlowPolicy::drop_oldest, f.outbox.join(others)};
    f.send(frame("m1"), Unit::droppable, mine);
    f.send(frame("t1"), Unit::droppable, theirs);
    f.send(frame("m2"), Unit::droppable, mine);
    f.flush(0);
    f.send(frame("t2"), Unit::droppable, theirs);
    CHECK(others->dropped == 1);
    CHECK(f.counts->dropped == 0);
    f.drain();
    CHECK(f.socket.got == frame("m1") + frame("m2") + frame("t2"));
}

TEST_CASE("clear forgets everything for good") {
    OutboxFixture f;
    f.send(frame("a"));
    f.flush(1);
    f.send(frame("b"));
    f.outbox.clear();
    CHECK(f.outbox.empty());
    CHECK(f.outbox.backlog() == 0);
    CHECK(f.outbox.pending() == 0);
    CHECK(f.send(frame("c")) == Added::dropped);
    f.flush();
    f.drain();
    CHECK(f.socket.got == frame("a").substr(0, 1));
}

// What must hold for every peer, whatever it takes and whatever the policies drop.
TEST_CASE("every peer gets whole frames, in order, each at most once, and all that may not be dropped") {
    std::uint64_t coalesced = 0;
    for (unsigned seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        auto below = [&](unsigned end) { return std::uniform_int_distribution<unsigned>(0, end - 1)(random); };
        std::string outgoing;
        struct Peer {
            Outbox outbox;
            OutboxSocket socket;
            std::deque<std::string> taken;  // frames that the outbox has taken
            std::uint64_t refused = 0;      // and those that it has not
            std::shared_ptr<SenderCounts> counts = std::make_shared<SenderCounts>();
            SenderId sender = outbox.join(counts);
        };
        std::vector<Peer> peers(3);
        unsigned number = 0;
        const Backlog limit{20 + below(3000), 1 + below(20)};
        for (int turn = 0; turn < 100; ++turn) {
            for (unsigned message = below(8); message > 0; --message) {
                std::size_t begin = outgoing.size();
                std::string bytes =
                    frame(std::to_string(++number) + ' ' + std::string(below(below(10) ? 50 : 400), 'x'));
                outgoing += bytes;
                std::size_t end = outgoing.size();
                Unit unit = below(4) ? Unit::droppable : Unit::frame;
                std::size_t key = unit == Unit::droppable ? below(3) : 0;
                outgoing.append(key, static_cast<char>('a' + below(3)));
                for (Peer& peer : peers) {
                    if (below(5) == 0) continue;
                    const Terms terms{limit, SlowPolicy::drop_oldest, peer.sender};
                    auto added = peer.outbox.add(outgoing, begin, end, unit,
                                                 unit == Unit::frame ? Outbox::no_limit : terms, key);
                    if (added == Added::queued || added == Added::backpressure)
                        peer.taken.push_back((unit == Unit::frame ? 'f' : 'd') + bytes);
                    else
                        ++peer.refused;
                }
            }
            for (Peer& peer : peers) {
                peer.socket.room = below(2) ? 1 << 30 : below(200);
                peer.outbox.flush(outgoing, peer.socket);
            }
            outgoing.clear();
            for (Peer& peer : peers) {
                peer.socket.room = below(400);
                if (below(2)) peer.outbox.drain(peer.socket);
            }
        }
        for (Peer& peer : peers) {
            peer.socket.room = 1 << 30;
            while (peer.outbox.backlog() > 0) peer.outbox.drain(peer.socket);
            std::string_view got = peer.socket.got;
            std::uint64_t missing = 0;
            for (const std::string& taken : peer.taken) {
                if (got.starts_with(std::string_view(taken).substr(1)))
                    got.remove_prefix(taken.size() - 1);
                else
                    REQUIRE((++missing, taken[0] == 'd'));
            }
            REQUIRE(got.empty());
            REQUIRE(missing + peer.refused == peer.counts->dropped + peer.counts->coalesced);
            coalesced += peer.counts->coalesced;
        }
    }
    CHECK(coalesced > 100);
}
