#ifndef KVOLT_DETAIL_HTTP_BODY_INTAKE_HPP
#define KVOLT_DETAIL_HTTP_BODY_INTAKE_HPP

#include <kvolt/detail/core/deadline_wheel.hpp>
#include <kvolt/detail/http/request_check.hpp>
#include <kvolt/detail/http/request_reader.hpp>
#include <kvolt/detail/net/budget.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/request.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace kvolt::detail {

/// The body of a request on its way in: how long it may take, and what it takes of the budget of all bodies.
class BodyIntake final : public Burden {
public:
    /// @param reader, request  Of the connection.
    /// @param owner            Woken when the budget has no room for this body.
    BodyIntake(Loop& loop, const Limits& limits, RequestReader& reader, Request& request, Deadline& owner) noexcept
        : loop_(loop), limits_(limits), reader_(reader), request_(request), owner_(owner) {}
    ~BodyIntake() { weigh(0); }

    /// A head is there: its body comes now.
    ///
    /// @param in_parts  The handler takes it as it comes; of any size, since it is not kept.
    void begin(bool in_parts) {
        in_parts_ = in_parts;
        failure_ = reader_.begin_body(in_parts ? RequestReader::unlimited : limits_.body_size);
        waited_ = 0;
        waiting_ = false;
        if (reader_.stage() == RequestReader::Stage::body) begun_ = paused_ = loop_.now();
    }

    /// True if the handler has to wait for it, or it will never be whole.
    bool to_come() const noexcept { return !in_parts_ && (failure_ || reader_.stage() == RequestReader::Stage::body); }

    bool in_parts() const noexcept { return in_parts_; }

    /// Parse what has come of it, into the request's. False if it has failed.
    bool parse() {
        if (!failure_) failure_ = reader_.parse_body();
        if (failure_) return false;
        if (in_parts_) return true;
        std::size_t size = request_.body_buffer().capacity();
        weigh(size > small_size ? size : 0);
        if (!failure_ && reader_.stage() == RequestReader::Stage::done) loop_.bodies().keep(*this);
        return !failure_;
    }

    /// Why it will not come.
    const std::optional<Refusal>& failure() const noexcept { return failure_; }
    void fail(const Refusal& refusal) noexcept {
        if (!failure_) failure_ = refusal;
    }

    /// From now on the client is waited for, until pause(): the time in between is the handler's own.
    void resume() noexcept {
        begun_ += loop_.now() - paused_;
        paused_ = loop_.now();
        waiting_ = true;
    }
    void pause() noexcept {
        waited_ = waited();
        paused_ = loop_.now();
        waiting_ = false;
    }

    /// How long the client was waited for so far.
    Tick waited() const noexcept { return waited_ + (waiting_ ? loop_.now() - paused_ : 0); }

    /// More must have come by then: a body has to come within `body_grace`, and at `body_rate` from then on.
    Tick due() const noexcept {
        auto earned = (Limits::Duration::max)();
        if (limits_.body_rate > 0)
            earned = std::chrono::milliseconds(reader_.body_received() * 1000 / limits_.body_rate);
        return begun_ + Loop::ticks(limits_.body_grace) + Loop::ticks(earned);
    }

    /// The request was dealt with.
    void end() noexcept { weigh(0); }

    // Burden

    /// The slowest and largest goes first.
    std::size_t weight(std::size_t bytes) const noexcept override { return bytes * (1 + (loop_.now() - begun_)); }

    void shed() override {
        fail({503, "Service Unavailable"});
        std::string().swap(request_.body_buffer());
        weigh(0);
        loop_.wake(owner_);
    }

private:
    static constexpr std::size_t small_size = 4096;  // bytes that no account is kept of: connections are limited, too

    void weigh(std::size_t bytes) {
        if (!loop_.cleared()) loop_.bodies().update(*this, bytes);
    }

    Loop& loop_;
    const Limits& limits_;
    RequestReader& reader_;
    Request& request_;
    Deadline& owner_;
    std::optional<Refusal> failure_;
    Tick begun_ = 0;
    Tick paused_ = 0;  // or resumed
    Tick waited_ = 0;  // before that
    bool waiting_ = false;
    bool in_parts_ = false;
};

}  // namespace kvolt::detail

#endif
