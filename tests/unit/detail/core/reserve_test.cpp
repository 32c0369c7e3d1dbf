#include "catch.hpp"
#include <kvolt/detail/core/reserve.hpp>

#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstddef>
#include <functional>
#include <memory>

using kvolt::detail::Reserve;

TEST_CASE("a reserve has room for one operation at a time, and memory like any other for more") {
    Reserve<64> reserve;
    auto handler = reserve.bind([] {});
    auto bytes = std::allocator_traits<decltype(boost::asio::get_associated_allocator(handler))>::rebind_alloc<char>(
        boost::asio::get_associated_allocator(handler));
    auto inside = [&](const char* memory) {
        auto begin = reinterpret_cast<const char*>(&reserve);
        return !std::less<>()(memory, begin) && std::less<>()(memory, begin + sizeof reserve);
    };
    char* first = bytes.allocate(64);
    char* second = bytes.allocate(1);
    CHECK(inside(first));
    CHECK_FALSE(inside(second));
    bytes.deallocate(first, 64);
    char* large = bytes.allocate(65);
    CHECK_FALSE(inside(large));
    char* third = bytes.allocate(1);
    CHECK(third == first);
    bytes.deallocate(third, 1);
    bytes.deallocate(large, 65);
    bytes.deallocate(second, 1);
}

TEST_CASE("what is posted by way of a reserve is run, and may post again") {
    boost::asio::io_context io;
    Reserve<> reserve;
    int runs = 0;
    std::function<void()> again = [&] {
        if (++runs < 3) boost::asio::post(io, reserve.bind([&] { again(); }));
    };
    again();
    io.run();
    CHECK(runs == 3);
}
