#ifndef KVOLT_ERROR_HPP
#define KVOLT_ERROR_HPP

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace kvolt {

/// Thrown by a handler or middleware to answer with an error status.
///
/// The answer is JSON, `{"error":"no such user"}`. Any other exception that leaves a handler is logged and
/// answered as a plain 500 that tells the client nothing of what went wrong.
class HttpError : public std::runtime_error {
public:
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// @param status   The HTTP status code, 400 to 599.
    /// @param message  Shown to the client: no internals.
    /// @throws std::invalid_argument  for another status.
    HttpError(int status, const std::string& message) : std::runtime_error(message), status_(status) {
        if (status < 400 || status > 599)
            throw std::invalid_argument("kvolt: the status of an HttpError is 400 to 599, not " +
                                        std::to_string(status));
    }

    int status() const noexcept { return status_; }

    /// Add a header field to the answer, such as `Retry-After`.
    HttpError& header(std::string name, std::string value) {
        headers_.emplace_back(std::move(name), std::move(value));
        return *this;
    }

    const Fields& headers() const noexcept { return headers_; }

private:
    int status_;
    Fields headers_;
};

}  // namespace kvolt

#endif
