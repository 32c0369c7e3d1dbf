#include "catch.hpp"
#include <kvolt/detail/net/rest.hpp>

#include <memory>
#include <string>
#include <vector>

using kvolt::detail::Rest;
using kvolt::detail::Resting;
using kvolt::detail::RestList;

namespace {

struct One final : Resting {
    explicit One(char of) : name(of) {}
    Rest rest() override { return how; }

    char name;
    Rest how = Rest::none;
};

struct Row {
    RestList list{1000};
    std::vector<std::unique_ptr<One>> all;

    One& add(char name, Rest how, kvolt::detail::Tick since) {
        all.push_back(std::make_unique<One>(name));
        rest(*all.back(), how, since);
        return *all.back();
    }

    void rest(One& one, Rest how, kvolt::detail::Tick since) {
        one.how = how;
        list.add(one, how, since);
    }

    // Whom it finds when each makes way in turn.
    std::string order(kvolt::detail::Tick now = 100) {
        std::string names;
        while (auto one = static_cast<One*>(list.first(now))) {
            names += one->name;
            one->how = Rest::none;
        }
        return names;
    }
};

}  // namespace

TEST_CASE("rest: who is idle for longest comes first, then who is unfinished for longest") {
    Row row;
    CHECK(row.list.first(100) == nullptr);
    row.add('a', Rest::unfinished, 1);
    row.add('b', Rest::idle, 2);
    row.add('c', Rest::unfinished, 3);
    row.add('d', Rest::idle, 4);
    CHECK(row.order() == "bdac");
    CHECK(row.order().empty());
}

TEST_CASE("rest: who comes to rest again is the last, who goes on resting is not") {
    Row row;
    auto& a = row.add('a', Rest::idle, 1);
    auto& b = row.add('b', Rest::idle, 1);
    row.add('c', Rest::idle, 2);
    row.rest(b, Rest::idle, 1);
    row.rest(a, Rest::idle, 3);
    CHECK(row.order() == "bca");
    auto& d = row.add('d', Rest::unfinished, 4);
    row.add('e', Rest::unfinished, 5);
    row.rest(d, Rest::unfinished, 4);  // another byte of the head
    row.rest(a, Rest::idle, 6);
    row.rest(a, Rest::unfinished, 6);  // the first byte of another request, in the same tick
    CHECK(row.order() == "dea");
}

TEST_CASE("rest: who rests no more, or otherwise, is found out when it matters") {
    Row row;
    auto& a = row.add('a', Rest::idle, 1);
    auto& b = row.add('b', Rest::idle, 2);
    row.add('c', Rest::idle, 3);
    auto& d = row.add('d', Rest::unfinished, 1);
    a.how = Rest::none;
    b.how = Rest::unfinished;
    d.how = Rest::none;
    CHECK(row.order() == "cb");
    row.rest(a, Rest::idle, 4);
    CHECK(row.order() == "a");
}

TEST_CASE("rest: who is destroyed has left") {
    Row row;
    row.add('a', Rest::idle, 1);
    row.add('b', Rest::idle, 2);
    row.all.erase(row.all.begin());
    CHECK(row.order() == "b");
    row.all.clear();
    CHECK(row.list.first(100) == nullptr);
}

TEST_CASE("rest: who has had no time for its first head does not make way") {
    Row row;
    row.add('a', Rest::unfinished, 10);
    CHECK(row.list.first(10) == nullptr);
    CHECK(row.list.first(11) == nullptr);
    CHECK(row.list.first(12) != nullptr);
    row.add('b', Rest::idle, 12);
    CHECK(row.order(12) == "ba");
}

TEST_CASE("rest: the rank compares the first of several lists") {
    Row row, other;
    CHECK(row.list.rank() == RestList::nobody);
    auto& a = row.add('a', Rest::unfinished, 1);
    CHECK(row.list.rank() < RestList::nobody);
    auto unfinished = row.list.rank();
    row.add('b', Rest::idle, 50);
    CHECK(row.list.rank() < unfinished);  // whoever is idle comes first, everywhere
    CHECK(row.list.rank() == 1050);
    other.add('c', Rest::idle, 49);
    CHECK(other.list.rank() < row.list.rank());
    CHECK(row.list.first(100) != nullptr);
    row.all[1]->how = Rest::none;
    CHECK(row.list.rank() == 1050);  // not known yet
    CHECK(row.list.first(100) == &a);
    CHECK(row.list.rank() == unfinished);
    row.all.clear();
    CHECK(row.list.rank() == unfinished);
    row.list.publish();
    CHECK(row.list.rank() == RestList::nobody);
}
