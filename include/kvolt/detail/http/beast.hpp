#ifndef KVOLT_DETAIL_HTTP_BEAST_HPP
#define KVOLT_DETAIL_HTTP_BEAST_HPP

// All that KVolt takes of Boost.Beast. No other header includes any of it, so that what a new Boost changes is mended
// here.

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <boost/optional/optional.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kvolt::detail {

/// Bytes that have come and are not dealt with, in one piece.
using ReadBuffer = boost::beast::flat_buffer;

/// What HttpParser::put() finds wrong, among others `need_more` and `header_limit`.
using ParseError = boost::beast::http::error;

/// Lets no field of a trailer in: those must not be merged into the head.
///
/// Boost 1.90 made the function a pure virtual one. Older Boost does not have it and says on_field(), so `override`
/// would be wrong; and it is alone in its class, since compilers warn where others beside it have that.
///
/// @tparam Parser  Of Beast.
template <class Parser>
class DropTrailer : public Parser {
protected:
    using View = boost::beast::string_view;
    using Error = boost::system::error_code;

    void on_trailer_field_impl(boost::beast::http::field, View, View, Error&) {}
};

/// Beast's parser of HTTP/1. Feed it with the unconsumed bytes by put(), until it is done.
///
/// @tparam Parser  Derived from this; its functions of these names, which it may make private, are called for what is
///                 found: on_start(), on_field(), on_body() and on_chunk().
template <bool is_request, class Parser>
class HttpParser : private DropTrailer<boost::beast::http::basic_parser<is_request>> {
    using Base = boost::beast::http::basic_parser<is_request>;

public:
    using Error = boost::system::error_code;

    /// @returns  how many bytes were consumed.
    std::size_t put(boost::asio::const_buffer bytes, Error& error) { return Base::put(bytes, error); }

    using Base::chunked;
    using Base::is_done;
    using Base::is_header_done;
    using Base::keep_alive;

protected:
    /// @param head_size  The most bytes of a head.
    explicit HttpParser(std::size_t head_size) {
        Base::header_limit(static_cast<std::uint32_t>(head_size + 4));
        Base::body_limit(boost::none);
    }

    /// Go on after the head, and after each part of the body, for as long as there are bytes.
    void go_on() { Base::eager(true); }

    std::optional<std::uint64_t> content_length() const {
        auto length = Base::content_length();
        return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
    }

private:
    using View = boost::beast::string_view;

    static std::string_view std_view(View text) noexcept { return {text.data(), text.size()}; }

    Parser& parser() noexcept { return static_cast<Parser&>(*this); }

    void on_request_impl(boost::beast::http::verb, View method, View target, int version, Error& error) final {
        if constexpr (is_request) parser().on_start(std_view(method), std_view(target), version, error);
    }
    void on_response_impl(int status, View reason, int version, Error& error) final {
        if constexpr (!is_request) parser().on_start(status, std_view(reason), version, error);
    }
    void on_field_impl(boost::beast::http::field, View name, View value, Error& error) final {
        // Before Boost 1.90, also those of a trailer.
        if (!is_header_done()) parser().on_field(std_view(name), std_view(value), error);
    }
    std::size_t on_body_impl(View body, Error& error) final { return parser().on_body(std_view(body), error); }
    void on_chunk_header_impl(std::uint64_t size, View extensions, Error& error) final {
        parser().on_chunk(size, std_view(extensions), error);
    }
    std::size_t on_chunk_body_impl(std::uint64_t, View body, Error& error) final { return on_body_impl(body, error); }

    void on_header_impl(Error&) final {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, Error&) final {}
    void on_finish_impl(Error&) final {}
};

}  // namespace kvolt::detail

#endif
