#include "catch.hpp"
#include <kvolt/detail/core/waiter.hpp>

#include <array>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

using kvolt::detail::Waiter;

TEST_CASE("a waiter is called once, with what it was told, and is empty before that") {
    std::string told;
    Waiter<int, std::string> waiter;
    CHECK_FALSE(waiter);
    waiter = Waiter<int, std::string>([&](int number, const std::string& text) {
        told = std::to_string(number) + text;
        CHECK_FALSE(waiter);
    });
    CHECK(waiter);
    waiter(7, "!");
    CHECK(told == "7!");
    CHECK_FALSE(waiter);
}

TEST_CASE("a waiter can be armed again by what it calls") {
    int calls = 0;
    Waiter<> waiter;
    waiter = Waiter<>([&] {
        ++calls;
        waiter = Waiter<>([&] { ++calls; });
    });
    waiter();
    REQUIRE(waiter);
    waiter();
    CHECK(calls == 2);
}

TEST_CASE("a waiter holds what can only be moved, and lets go of it when it was called or is dropped") {
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Waiter<>>);
    auto held = std::make_shared<int>(1);
    {
        Waiter<> first([owned = std::make_unique<std::shared_ptr<int>>(held)] {});
        Waiter<> moved = std::move(first);
        CHECK_FALSE(first);
        CHECK(held.use_count() == 2);
        moved();
        CHECK(held.use_count() == 1);
        moved = Waiter<>([held] {});
        CHECK(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
}

TEST_CASE("a small handler lies in the waiter itself, and moves with it") {
    auto held = std::make_shared<int>(1);
    auto small = [held] {};
    STATIC_REQUIRE(Waiter<>::fits<decltype(small)>);
    auto large = [held, more = std::array<char, 100>()] { static_cast<void>(more); };
    STATIC_REQUIRE_FALSE(Waiter<>::fits<decltype(large)>);
    const auto before = held.use_count();
    {
        Waiter<> first(small), second(large);
        CHECK(held.use_count() == before + 2);
        std::swap(first, second);
        Waiter<> third = std::move(second);
        CHECK(first);
        CHECK_FALSE(second);
        CHECK(third);
        CHECK(held.use_count() == before + 2);
        first = std::move(third);
        CHECK(held.use_count() == before + 1);
        first();
        CHECK(held.use_count() == before);
    }
    CHECK(held.use_count() == before);
}
