#ifndef KVOLT_SRC_CONTEXT_HPP
#define KVOLT_SRC_CONTEXT_HPP

#include <kvolt/config.hpp>
#include <kvolt/context.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/websocket.hpp>

#include <cstddef>
#include <stdexcept>
#include <utility>

namespace kvolt {

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
    if (last && chain.steps()[first].coroutine) return chain.steps()[first].coroutine(context);
    return run_steps(chain, first, context);
}

}  // namespace detail

}  // namespace kvolt

#endif
