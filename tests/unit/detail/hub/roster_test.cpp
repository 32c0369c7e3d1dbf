#include "catch.hpp"
#include <kvolt/detail/hub/roster.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace kvolt::detail;
using kvolt::SeatId;

namespace {

std::shared_ptr<HubMember> seat(unsigned number) {
    return std::make_shared<HubMember>(SeatId{number}, nullptr, kvolt::Backlog(), kvolt::SlowPolicy::disconnect, false);
}

using Seats = std::vector<HubMember*>;

}  // namespace

TEST_CASE("a roster knows its seats by number and key until they are removed, whatever rooms they leave") {
    HubRoster roster;
    auto ann = seat(1), bob = seat(2), also_ann = seat(3);
    for (const auto& member : {ann, bob, also_ann}) {
        roster.change(*member, nullptr, member == bob ? "bob" : "ann");
        roster.enter(member, "red");
        roster.enter(member, "blue");
    }
    const std::string red = "red";  // as a hub's entry has it
    roster.leave(*ann, red);
    CHECK(roster.in("red") == std::vector{also_ann.get(), bob.get()});
    CHECK(roster.in("") == std::vector{ann.get(), bob.get(), also_ann.get()});
    CHECK(roster.find(SeatId{1}) == ann);
    CHECK(roster.find("ann") == Seats{ann.get(), also_ann.get()});
    roster.change(*also_ann, nullptr, "bob");
    CHECK(roster.find("ann") == Seats{ann.get()});
    CHECK(roster.find("bob") == Seats{bob.get(), also_ann.get()});
    std::string left;
    roster.remove(*ann, [&](const HubRoom& room) { left += '[' + room.name + ']'; });
    CHECK(left == "[blue][]");
    CHECK(roster.find(SeatId{1}) == nullptr);
    CHECK(roster.find("ann").empty());
    CHECK(roster.in("blue") == std::vector{also_ann.get(), bob.get()});
    for (const auto& member : {bob, also_ann}) roster.remove(*member, [](const HubRoom&) {});
    CHECK(roster.find("bob").empty());
    CHECK(roster.in("").empty());
}
