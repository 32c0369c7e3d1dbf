#include "catch.hpp"
#include <kvolt/member_key.hpp>

#include <string>
#include <variant>

namespace {

struct ByField {
    std::string key;
};
struct ByFunction {
    std::string key() const { return name + '!'; }
    std::string name;
};
struct Keyless {
    int key = 0;
};

static_assert(kvolt::Keyed<std::string> && kvolt::Keyed<ByField> && kvolt::Keyed<ByFunction>);
static_assert(!kvolt::Keyed<Keyless> && !kvolt::Keyed<std::variant<std::monostate>>);

TEST_CASE("a member's key is a field, a function, or the member itself") {
    CHECK(kvolt::detail::key_of(std::string("ann")) == "ann");
    CHECK(kvolt::detail::key_of(ByField{"ann"}) == "ann");
    CHECK(kvolt::detail::key_of(ByFunction{"ann"}) == "ann!");
    CHECK(kvolt::detail::key_of(Keyless{}) == "");
}

}  // namespace
