#include "catch.hpp"
#include <kvolt/detail/core/undo.hpp>

#include <stdexcept>

using kvolt::detail::Undo;

TEST_CASE("half of something is undone unless the other half was done") {
    int undone = 0;
    auto half = [&](bool fails) {
        Undo undo([&] { ++undone; });
        if (fails) throw std::runtime_error("the other half");
        undo.done();
    };
    half(false);
    CHECK(undone == 0);
    CHECK_THROWS(half(true));
    CHECK(undone == 1);
}
