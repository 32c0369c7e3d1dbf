#include "catch.hpp"
#include <kvolt/detail/testing/memory_stream.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/socket_base.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace error = boost::asio::error;
using boost::asio::buffer;
using Error = boost::system::error_code;
using kvolt::detail::MemoryConnection;
using kvolt::detail::MemoryPipe;
using kvolt::detail::MemoryStream;

struct StreamFixture {
    explicit StreamFixture(std::size_t room = 10)
        : client(std::make_shared<MemoryConnection>(io.get_executor(), room)), stream(client) {}

    /// Read into 4 bytes; what comes of it is in `got`.
    void read() {
        stream.async_read_some(buffer(bytes), [this](Error error, std::size_t size) {
            got.push_back(error ? error.message() : std::string(bytes.data(), size));
        });
    }
    void wait() {
        stream.async_wait(boost::asio::socket_base::wait_write,
                          [this](Error error) { got.push_back(error ? error.message() : "room"); });
    }
    std::vector<std::string> run() {
        io.restart();
        io.poll();
        return std::exchange(got, {});
    }
    using Got = std::vector<std::string>;

    boost::asio::io_context io;
    std::shared_ptr<MemoryConnection> client;
    MemoryStream stream;
    std::array<char, 4> bytes{};
    Got got;
};

using Got = StreamFixture::Got;

std::string message(error::basic_errors code) { return Error(code).message(); }

}  // namespace

TEST_CASE("a pipe gives its bytes in order, in any pieces") {
    MemoryPipe pipe;
    std::string in, out;
    std::array<char, 7> piece;
    for (int i = 0; i < 100; ++i) {
        std::string part(static_cast<std::size_t>(i % 13), static_cast<char>('a' + i % 26));
        in += part;
        pipe.push(part);
        out.append(piece.data(), pipe.pop(buffer(piece)));
        CHECK(pipe.size() == in.size() - out.size());
    }
    out += pipe.pop_all();
    CHECK(out == in);
    CHECK(pipe.size() == 0);
    CHECK(pipe.pop(buffer(piece)) == 0);
    CHECK(pipe.pop_all() == "");
}

TEST_CASE("what the client sends is read, before or behind the read, and never from within a call") {
    StreamFixture f;
    f.client->send("hello");
    f.read();
    CHECK(f.got.empty());
    CHECK(f.run() == Got{"hell"});
    f.read();
    CHECK(f.run() == Got{"o"});
    f.read();
    CHECK(f.run().empty());
    CHECK(f.io.stopped());  // who waits for the client keeps nothing running
    f.client->send("a");
    f.client->send("b");
    CHECK(f.got.empty());
    CHECK(f.run() == Got{"ab"});
    Error failure;
    CHECK(f.stream.read_some(buffer(f.bytes), failure) == 0);
    CHECK(failure == error::would_block);
    f.client->send("now");
    CHECK(f.stream.read_some(buffer(f.bytes), failure) == 3);
    CHECK_FALSE(failure);
    std::array<char, 1> one;
    f.client->send("xyz");
    std::array<boost::asio::mutable_buffer, 3> several{buffer(one), boost::asio::mutable_buffer(), buffer(f.bytes)};
    CHECK(f.stream.read_some(several, failure) == 3);
    CHECK(one[0] == 'x');
    CHECK(f.bytes[1] == 'z');
}

TEST_CASE("how the client ends, as the server sees it") {
    StreamFixture f;
    Error failure;
    f.read();
    SECTION("it sends nothing more") {
        f.client->send("x");
        f.client->end();
        CHECK(f.run() == Got{"x"});
        f.read();
        CHECK(f.run() == Got{Error(error::eof).message()});
        CHECK(f.stream.write_some(buffer("answer", 6), failure) == 6);
        CHECK(f.client->take() == "answer");
        CHECK_FALSE(f.client->send("more"));
    }
    SECTION("it closes") {
        f.client->close();
        CHECK(f.run() == Got{Error(error::eof).message()});
        CHECK(f.stream.write_some(buffer("answer", 6), failure) == 0);
        CHECK(failure == error::broken_pipe);
    }
    SECTION("it vanishes") {
        f.client->send("lost");
        f.client->reset();
        CHECK(f.run() == Got{message(error::connection_reset)});
        CHECK(f.stream.write_some(buffer("answer", 6), failure) == 0);
        CHECK(failure == error::connection_reset);
    }
}

TEST_CASE("a server that sends more than there is room for waits until the client takes some") {
    StreamFixture f(10);
    Error failure;
    f.wait();
    CHECK(f.run() == Got{"room"});
    std::array<boost::asio::const_buffer, 2> parts{buffer("0123456", 7), buffer("789abcd", 7)};
    CHECK(f.stream.write_some(parts, failure) == 10);
    CHECK_FALSE(failure);
    CHECK(f.stream.write_some(parts, failure) == 0);
    CHECK(failure == error::would_block);
    f.wait();
    CHECK(f.run().empty());
    CHECK(f.client->take() == "0123456789");
    CHECK(f.run() == Got{"room"});
    SECTION("or closes") {
        f.stream.write_some(parts, failure);
        f.wait();
        f.client->close();
        CHECK(f.run() == Got{"room"});
    }
    SECTION("which a listening client does at once") {
        std::string all;
        f.client->on_change = [&] { all += f.client->take(); };
        CHECK(f.stream.write_some(parts, failure) == 14);
        CHECK(all == "0123456789abcd");
        f.client->on_change = nullptr;
    }
}

TEST_CASE("how the server ends, as the client sees it") {
    StreamFixture f;
    Error failure;
    int changes = 0;
    f.client->on_change = [&] { ++changes; };
    f.stream.write_some(buffer("last", 4), failure);
    SECTION("it sends nothing more, and may read") {
        f.stream.shutdown(boost::asio::socket_base::shutdown_send, failure);
        CHECK(changes == 2);
        CHECK_FALSE(f.client->ended());
        CHECK(f.client->take() == "last");
        CHECK(f.client->ended());
        CHECK(f.client->send("more"));
        f.read();
        CHECK(f.run() == Got{"more"});
        CHECK(f.stream.write_some(buffer("x", 1), failure) == 0);
        CHECK(failure == error::broken_pipe);
    }
    SECTION("it closes, and whatever waits ends") {
        f.read();
        f.stream.close(failure);
        CHECK(f.run() == Got{message(error::operation_aborted)});
        CHECK(f.client->take() == "last");
        CHECK(f.client->ended());
        CHECK_FALSE(f.client->send("more"));
    }
    SECTION("it resets: what was not taken is lost") {
        f.stream.write_some(buffer("123456", 6), failure);
        f.wait();
        f.stream.lowest_layer().set_option(boost::asio::socket_base::linger(true, 0), failure);
        f.stream.close(failure);
        CHECK(f.run() == Got{message(error::operation_aborted)});
        CHECK(f.client->take() == "");
        CHECK(f.client->ended());
    }
    SECTION("its stream is destroyed") {
        { MemoryStream gone = std::move(f.stream); }
        CHECK(f.client->take() == "last");
        CHECK(f.client->ended());
    }
}
