#include "catch.hpp"
#include <kvolt/detail/http/beast.hpp>

#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/field.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

using kvolt::detail::DropTrailer;
using kvolt::detail::HttpParser;
using kvolt::detail::ParseError;

namespace {

// What Beast has become with Boost 1.90, and its parser with all functions but that defined.
class NewerBeast {
public:
    virtual ~NewerBeast() = default;
    void trailer(boost::beast::string_view name, boost::beast::string_view value, boost::system::error_code& error) {
        on_trailer_field_impl(boost::beast::http::field::unknown, name, value, error);
    }

protected:
    virtual void on_trailer_field_impl(boost::beast::http::field, boost::beast::string_view, boost::beast::string_view,
                                       boost::system::error_code&) = 0;
};

struct Parser final : HttpParser<true, Parser> {
    Parser() : HttpParser(1000) {}

    using HttpParser::go_on;

    void on_start(std::string_view method, std::string_view target, int version, Error&) {
        found += std::string(method) + '|' + std::string(target) + '|' + std::to_string(version) + '\n';
    }
    void on_field(std::string_view name, std::string_view value, Error&) {
        found += std::string(name) + '|' + std::string(value) + '\n';
    }
    std::size_t on_body(std::string_view body, Error&) {
        found += std::string(body) + '\n';
        return body.size();
    }
    void on_chunk(std::uint64_t size, std::string_view extensions, Error&) {
        found += std::to_string(size) + '|' + std::string(extensions) + '\n';
    }

    std::string found;
};

}  // namespace

TEST_CASE("the parser's base compiles with Boost before and since 1.90") {
    STATIC_REQUIRE(std::is_abstract_v<NewerBeast>);
    STATIC_REQUIRE_FALSE(std::is_abstract_v<DropTrailer<NewerBeast>>);
    boost::system::error_code error;
    DropTrailer<NewerBeast>().trailer("Host", "evil", error);
    CHECK_FALSE(error);
}

TEST_CASE("the parser tells what it finds, and nothing of a trailer") {
    const std::string request =
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3;x=y\r\nabc\r\n0\r\nHost: evil\r\nX: y\r\n\r\n";
    Parser parser;
    parser.go_on();
    boost::system::error_code error;
    std::size_t used = parser.put(boost::asio::buffer(request), error);
    CHECK_FALSE(error);
    CHECK(used == request.size());
    CHECK(parser.is_done());
    CHECK(parser.found == "POST|/a|11\nHost|h\nTransfer-Encoding|chunked\n3|;x=y\nabc\n0|\n");
}

TEST_CASE("the parser has a limit for the head") {
    Parser parser;
    boost::system::error_code error;
    parser.put(boost::asio::buffer("GET / HTTP/1.1\r\nX: " + std::string(2000, 'x')), error);
    CHECK(error == ParseError::header_limit);
}
