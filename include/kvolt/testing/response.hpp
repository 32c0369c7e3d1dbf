#ifndef KVOLT_TESTING_RESPONSE_HPP
#define KVOLT_TESTING_RESPONSE_HPP

#include <kvolt/detail/http/response_parser.hpp>
#include <kvolt/url.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kvolt::testing {

/// A response as the client got it: a plain value.
class Response {
public:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    Response() = default;
    Response(int status, Fields fields, std::string body)
        : status_(status), fields_(std::move(fields)), body_(std::move(body)) {}

    int status() const noexcept { return status_; }

    /// The value of the first field of this name, which is compared without case; empty if there is none.
    std::string_view header(std::string_view name) const noexcept {
        for (const auto& [other, value] : fields_)
            if (detail::iequals(other, name)) return value;
        return {};
    }

    /// All fields, names and values, in their order.
    const Fields& fields() const noexcept { return fields_; }

    /// The body, without its framing; of a streamed response all of it.
    const std::string& body() const noexcept { return body_; }

private:
    int status_ = 0;
    Fields fields_;
    std::string body_;
};

}  // namespace kvolt::testing

#endif
