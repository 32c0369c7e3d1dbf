#include "catch.hpp"
#include <kvolt/detail/hub/member.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace kvolt::detail;

namespace {

std::unique_ptr<HubMember> member() {
    return std::make_unique<HubMember>(kvolt::SeatId{1}, nullptr, kvolt::Backlog(), kvolt::SlowPolicy::disconnect,
                                       false);
}

}  // namespace

TEST_CASE("members enter and leave rooms, which are there while somebody is in them") {
    HubRooms rooms(&HubMember::places);
    auto a = member(), b = member();
    CHECK(rooms.in("red").empty());
    CHECK(rooms.enter(*a, ""));
    CHECK(rooms.enter(*a, "red"));
    CHECK_FALSE(rooms.enter(*a, "red"));
    CHECK(rooms.enter(*b, "red"));
    CHECK(rooms.in("red") == std::vector{a.get(), b.get()});
    CHECK(rooms.in("") == std::vector{a.get()});
    CHECK(rooms.everyone() == rooms.in(""));
    CHECK(rooms.leave(*a, "red"));
    CHECK_FALSE(rooms.leave(*a, "red"));
    CHECK_FALSE(rooms.leave(*a, "blue"));
    CHECK(rooms.in("red") == std::vector{b.get()});
    rooms.leave(*b);
    rooms.leave(*b);
    CHECK(rooms.in("red").empty());
    CHECK(a->listed.empty());
}

TEST_CASE("two tables keep their places apart") {
    HubRooms here(&HubMember::places), listed(&HubMember::listed);
    auto a = member(), b = member();
    here.enter(*a, "red");
    listed.enter(*b, "red");
    listed.enter(*a, "red");
    here.leave(*a);
    CHECK(here.in("red").empty());
    CHECK(listed.in("red") == std::vector{b.get(), a.get()});
}

TEST_CASE("rooms do the same as sets") {
    const std::vector<std::string> names{"", "a", "b", "c", "d"};
    for (unsigned seed = 0; seed < 50; ++seed) {
        std::mt19937 random(seed);
        auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
        HubRooms rooms(&HubMember::places);
        std::vector<std::unique_ptr<HubMember>> members;
        for (int i = 0; i < 10; ++i) members.push_back(member());
        std::vector<std::set<HubMember*>> model(names.size());
        for (int step = 0; step < 500; ++step) {
            HubMember* m = members[below(members.size())].get();
            std::size_t room = below(names.size());
            switch (below(5)) {
                case 0:
                    rooms.leave(*m);
                    for (auto& set : model) set.erase(m);
                    break;
                case 1: REQUIRE(rooms.leave(*m, names[room]) == (model[room].erase(m) == 1)); break;
                default: REQUIRE(rooms.enter(*m, names[room]) == model[room].insert(m).second);
            }
            for (std::size_t i = 0; i < names.size(); ++i) {
                auto in = rooms.in(names[i]);
                REQUIRE(in.size() == model[i].size());
                REQUIRE((std::set<HubMember*>(in.begin(), in.end()) == model[i]));
            }
        }
    }
}
