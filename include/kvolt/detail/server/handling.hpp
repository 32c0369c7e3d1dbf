#ifndef KVOLT_DETAIL_SERVER_HANDLING_HPP
#define KVOLT_DETAIL_SERVER_HANDLING_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>

#include <boost/asio/cancellation_signal.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace kvolt::detail {

/// One request on its way through its chain, to an answer. It decides what comes next; the connection performs it.
class Handling {
public:
    Handling(const Request& request, Response& response, Exchange& exchange) noexcept
        : request_(request), response_(response), exchange_(exchange) {}

    /// What it takes to go on.
    enum class Need {
        body,       ///< The handler is next, and wants the body whole: call go_on() when it is.
        coroutine,  ///< Spawn take_coroutine(), and call end() when it has ended.
        nothing,    ///< The handler has ended: call conclude().
    };

    /// A request's head is there: run what needs no more than that.
    ///
    /// @param chain, match  Must outlive the request.
    Need begin(const Chain& chain, const PathMatch& match);

    /// A request is refused before it has a route: run only what observes such, too.
    void begin_refused(const Chain& chain, const HttpError& refusal);

    /// The body is whole.
    Need go_on();

    /// The body will not come.
    void fail(std::exception_ptr failure) noexcept { failure_ = std::move(failure); }

    Task<> take_coroutine() { return *std::exchange(coroutine_, std::nullopt); }

    /// By which the coroutine is cancelled.
    boost::asio::cancellation_slot slot() noexcept { return cancelled_.slot(); }

    /// The coroutine has ended.
    void end(std::exception_ptr failure) noexcept { failure_ = std::move(failure); }

    /// The client has gone while the coroutine waits: tell it, and cancel it unless it has asked not to be.
    ///
    /// @returns  what is to be logged; empty if nothing.
    std::string disconnect();

    /// What the handler has ended with, if that was an exception.
    const std::exception_ptr& failure() const noexcept { return failure_; }

    /// The exception, if any, becomes an answer, and middleware has its last word. Then the answer can be sent.
    ///
    /// @param begun  A part of the answer, a stream, has been sent: it cannot be another one any more.
    /// @returns  what is to be logged; empty if nothing.
    std::string conclude(bool begun);

    /// Forget the request.
    void clear() noexcept {
        context_.reset();
        failure_ = nullptr;
    }

private:
    Need run();

    const Request& request_;
    Response& response_;
    Exchange& exchange_;
    const Chain* chain_ = nullptr;
    std::size_t step_ = 0;  // the next one
    std::optional<Context> context_;
    std::optional<Task<>> coroutine_;
    std::exception_ptr failure_;
    boost::asio::cancellation_signal cancelled_;
};

}  // namespace kvolt::detail

#ifndef KVOLT_COMPILED
#include <kvolt/src/handling.hpp>
#endif

#endif
