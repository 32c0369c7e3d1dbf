#ifndef KVOLT_SRC_CONTEXT_HPP
#define KVOLT_SRC_CONTEXT_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/detail/http/path_match.hpp>
#include <kvolt/detail/server/exchange.hpp>
#include <kvolt/events.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>
#include <kvolt/response_stream.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/url.hpp>
#include <kvolt/websocket.hpp>

#include <cstddef>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

KVOLT_INLINE Context::Context(const Request& request, Response& response, detail::Exchange& exchange)
    : request_(request), response_(response), exchange_(exchange) {
    if (!request.has_plain_path() && request.raw_path().find('%') != std::string_view::npos)
        decoded_path_ = percent_decode(request.raw_path());
}

KVOLT_INLINE std::string_view Context::query(std::string_view name, std::string_view fallback) const {
    if (!query_) query_ = parse_query(request_.raw_query());
    for (const auto& [key, value] : *query_)
        if (key == name) return value;
    return fallback;
}

KVOLT_INLINE void Context::redirect(std::string_view location, int status) {
    check_head();
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        throw std::invalid_argument("kvolt: not a redirect: " + std::to_string(status));
    Response::Answer answer;
    answer.status = status;
    answer.fields.emplace_back("Location", detail::escaped_reference(location));
    response_.answer(std::move(answer));
    answered_ = true;
}

KVOLT_INLINE ResponseStream Context::stream(std::string_view content_type) {
    Response::Answer answer;
    answer.content_type = content_type;
    begin_stream(detail::Exchange::Streaming::bytes, std::move(answer));
    return ResponseStream(exchange_);
}

KVOLT_INLINE EventStream Context::events() {
    Response::Answer answer;
    if (!response_.has_set("Cache-Control")) answer.fields.emplace_back("Cache-Control", "no-cache");
    answer.fields.emplace_back("X-Accel-Buffering", "no");  // nginx would wait for more
    answer.content_type = "text/event-stream";
    begin_stream(detail::Exchange::Streaming::events, std::move(answer));
    return EventStream(exchange_, header("Last-Event-ID"));
}

KVOLT_INLINE void Context::follow(std::function<void(Context&, Phase)> follower) {
    followers_.push_front(std::move(follower));
}

KVOLT_INLINE void Context::on_failure(std::function<bool(Context&, const std::exception_ptr&)> rescuer) {
    rescuers_.push_front(std::move(rescuer));
}

KVOLT_INLINE void Context::announce(Phase phase) {
    std::exception_ptr first;
    announce(phase, [&](std::exception_ptr failure) {
        if (!first) first = std::move(failure);
    });
    if (first) std::rethrow_exception(first);
}

KVOLT_INLINE bool Context::rescue(std::exception_ptr& failure) {
    for (auto& rescuer : rescuers_) try {
            if (rescuer(*this, failure)) return true;
        } catch (...) {
            failure = std::current_exception();
        }
    return false;
}

KVOLT_INLINE void Context::match(const detail::PathMatch& match) {
    match_ = &match;
    if (!decoded_path_) return;
    for (std::size_t i = 0; i < match.size; ++i)
        decoded_params_.push_back(percent_decode(match.values[i]).value_or(std::string(match.values[i])));
}

KVOLT_INLINE Task<std::string_view> Context::read_body() {
    Task<> whole = exchange_.read_body();
    co_await std::move(whole);
    co_return request_.body();
}

KVOLT_INLINE void Context::fail_without_body() const {
    throw std::logic_error(
        "kvolt: body() in middleware, which runs before the body has come: co_await context.read_body() in a "
        "coroutine");
}

KVOLT_INLINE void Context::on_disconnect(std::function<void()> call) {
    if (!connected()) return call();
    on_disconnect_.push_front(std::move(call));
}

KVOLT_INLINE void Context::check_head() const {
    if (streamed_) throw std::logic_error("kvolt: a response is changed after stream() or events() has begun it");
    if (upgraded_) throw std::logic_error("kvolt: a response is changed after upgrade() has sent it");
}

KVOLT_INLINE void Context::begin_stream(detail::Exchange::Streaming kind, Response::Answer answer) {
    if (upgraded_ || streamed_)
        throw std::logic_error("kvolt: stream() or events() of a request that was streamed or upgraded already");
    response_.answer(std::move(answer));
    announce(Phase::streaming);
    exchange_.begin_stream(kind);
    answered_ = streamed_ = true;
}

KVOLT_INLINE void Context::blob(std::string body, std::string_view content_type) {
    check_head();
    response_.body(std::move(body), content_type);
    answered_ = true;
}

KVOLT_INLINE void Context::answer(std::string&& body, std::string_view known_type) {
    check_head();
    response_.body_of_known_type(std::move(body), known_type);
    answered_ = true;
}

KVOLT_INLINE Task<WebSocket> Context::upgrade() {
    static const UpgradeOptions same_origin;
    return upgrade(same_origin);
}

KVOLT_INLINE Task<WebSocket> Context::upgrade(UpgradeOptions options) {
    if (answered_) throw std::logic_error("kvolt: upgrade() of a request that was answered already");
    WebSocket socket(exchange_.upgrade(request_, options));
    answered_ = upgraded_ = true;
    socket_ = socket;
    announce(Phase::upgraded);
    co_return socket;
}

namespace detail {

inline Task<> run_steps(const Chain& chain, std::size_t first, Context& context) {
    for (std::size_t i = first; i < chain.steps().size(); ++i) {
        const Step& step = chain.steps()[i];
        if (chain.wants_body(i) && context.body_to_come()) co_await context.read_body();
        if (step.around) {
            Task<> task = step.around(context, Next(chain, i + 1, context));
            co_await std::move(task);
            co_return;
        }
        if (step.plain) {
            step.plain(context);
        } else {
            Task<> task = step.coroutine(context);
            co_await std::move(task);
        }
        if (context.answered()) co_return;
    }
}

KVOLT_INLINE Task<> run(const Chain& chain, std::size_t first, Context& context) {
    bool last = first + 1 == chain.steps().size();  // then no coroutine is needed around it
    bool waits = chain.wants_body(first) && context.body_to_come();
    if (last && !waits && chain.steps()[first].coroutine) return chain.steps()[first].coroutine(context);
    return run_steps(chain, first, context);
}

}  // namespace detail

}  // namespace kvolt

#endif
