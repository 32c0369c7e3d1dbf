#include "catch.hpp"
#include <kvolt/detail/net/budget.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

using kvolt::detail::Budget;
using kvolt::detail::BudgetShare;
using kvolt::detail::Burden;

namespace {

struct Loaded final : Burden {
    Loaded(BudgetShare& of, std::string& log, char who) : share(of), shed_ones(log), name(who) {}
    ~Loaded() { share.update(*this, 0); }

    void wait(std::size_t bytes) { share.update(*this, bytes); }

    void shed() override {
        shed_ones += name;
        if (meanwhile) std::exchange(meanwhile, {})();
        wait(rest);
        rest = 0;
    }

    BudgetShare& share;
    std::string& shed_ones;
    char name;
    std::size_t rest = 0;             // what it cannot let go of at once
    std::function<void()> meanwhile;  // on another loop
};

// Some loops, whose threads are this one.
struct FewLoops {
    FewLoops(std::size_t limit, std::size_t count) : budget(std::make_shared<Budget>(limit)), shares(count) {
        for (auto& share : shares)
            share.join(budget, [&] {
                if (std::exchange(no_memory, false)) throw std::bad_alloc();
                calls.push_back(&share);
            });
    }

    void run() {
        for (; !calls.empty(); calls.erase(calls.begin())) calls.front()->relieve();
    }

    std::string shed;
    std::vector<BudgetShare*> calls;
    bool no_memory = false;  // for one call
    std::shared_ptr<Budget> budget;
    std::vector<BudgetShare> shares;
};

}  // namespace

TEST_CASE("budget: past it the heaviest connection goes, and the others stay") {
    FewLoops loops(100, 1);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[0], loops.shed, 'b'),
        c(loops.shares[0], loops.shed, 'c');
    a.wait(30);
    b.wait(40);
    c.wait(30);
    CHECK(loops.budget->used() == 100);
    CHECK(loops.shed.empty());
    a.wait(31);
    CHECK(loops.shed == "b");
    CHECK(loops.budget->used() == 61);
    c.wait(80);
    CHECK(loops.shed == "bc");
    a.wait(101);  // alone
    CHECK(loops.shed == "bca");
    CHECK(loops.budget->used() == 0);
    CHECK(loops.calls.empty());
}

TEST_CASE("budget: as many go as have to, and what cannot go at once is asked for again") {
    FewLoops loops(100, 1);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[0], loops.shed, 'b'),
        c(loops.shares[0], loops.shed, 'c');
    b.wait(40);
    c.wait(35);
    b.rest = 39;
    c.rest = 1;
    a.wait(26);
    CHECK(loops.shed == "b");
    CHECK(loops.budget->used() == 100);
    a.wait(36);
    CHECK(loops.shed == "bb");
    CHECK(loops.budget->used() == 71);
    a.wait(90);
    CHECK(loops.shed == "bba");
    CHECK(loops.budget->used() == 35);
    CHECK(loops.shares[0].shed() == 2);
}

TEST_CASE("budget: what has been taken counts no more, nor does a connection that is gone") {
    FewLoops loops(100, 1);
    Loaded a(loops.shares[0], loops.shed, 'a');
    {
        Loaded b(loops.shares[0], loops.shed, 'b');
        b.wait(90);
        b.wait(10);
        a.wait(90);
        CHECK(loops.budget->used() == 100);
    }
    CHECK(loops.budget->used() == 90);
    a.wait(100);
    CHECK(loops.shed.empty());
}

TEST_CASE("budget: the heaviest connection goes on whatever loop it lives") {
    FewLoops loops(100, 3);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[1], loops.shed, 'b'),
        c(loops.shares[2], loops.shed, 'c');
    b.wait(50);
    c.wait(40);
    a.wait(11);
    a.wait(12);
    CHECK(loops.shed.empty());  // by its own thread
    CHECK(loops.calls == std::vector<BudgetShare*>{&loops.shares[1]});
    loops.run();
    CHECK(loops.shed == "b");
    CHECK(loops.budget->used() == 52);
    c.wait(89);
    CHECK(loops.shed == "bc");
}

TEST_CASE("budget: a loop that there is no memory to call is called again, and nobody else answers for it") {
    FewLoops loops(100, 2);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[1], loops.shed, 'b');
    a.wait(80);
    loops.no_memory = true;
    b.wait(21);
    CHECK(loops.calls.empty());
    b.wait(22);
    loops.run();
    CHECK(loops.shed == "a");
}

TEST_CASE("budget: a loop that was the heaviest once passes the call on") {
    FewLoops loops(100, 3);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[1], loops.shed, 'b'),
        c(loops.shares[2], loops.shed, 'c');
    b.wait(90);
    b.wait(20);
    c.wait(60);
    a.wait(25);
    loops.run();
    CHECK(loops.shed == "c");
    CHECK(loops.budget->used() == 45);
    a.wait(50);
    b.wait(0);
    c.wait(51);
    CHECK(loops.shed == "cc");
}

TEST_CASE("budget: a loop that has no time is not waited for without end") {
    FewLoops loops(800, 2);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[0], loops.shed, 'b'),
        c(loops.shares[1], loops.shed, 'c');
    c.wait(500);
    a.wait(150);
    b.wait(250);
    CHECK(loops.budget->used() == 900);
    CHECK(loops.shed.empty());
    a.wait(151);
    CHECK(loops.shed == "b");
    CHECK(loops.calls.size() == 1);
}

TEST_CASE("budget: what one loop lets go of is not let go of by another one, too") {
    FewLoops loops(1000, 2);
    Loaded a(loops.shares[0], loops.shed, 'a'), b(loops.shares[1], loops.shed, 'b');
    b.wait(500);
    a.meanwhile = [&] {
        loops.shares[1].relieve();
        b.wait(501);
    };
    a.wait(700);
    loops.run();
    CHECK(loops.shed == "a");
    CHECK(loops.budget->used() == 501);
    a.meanwhile = [&] { b.wait(1100); };  // for that is too much, whatever the other one lets go of
    a.wait(600);
    loops.run();
    CHECK(loops.shed == "aab");
    CHECK(loops.budget->used() == 0);
}

TEST_CASE("budget: without one everything may wait") {
    BudgetShare share;
    std::string shed;
    Loaded a(share, shed, 'a');
    a.wait(static_cast<std::size_t>(-1));
    CHECK(shed.empty());
}
