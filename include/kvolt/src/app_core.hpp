#ifndef KVOLT_SRC_APP_CORE_HPP
#define KVOLT_SRC_APP_CORE_HPP

#include <kvolt/config.hpp>
#include <kvolt/detail/net/budget.hpp>
#include <kvolt/detail/net/loop.hpp>
#include <kvolt/detail/net/loops.hpp>
#include <kvolt/detail/server/app_core.hpp>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace kvolt::detail {

KVOLT_INLINE AppCore::AppCore() : loops(std::make_shared<Loops>()) { loops->push_back(std::make_unique<Loop>()); }

KVOLT_INLINE void AppCore::freeze() {
    auto backlogs = std::make_shared<Budget>(limits.all_backlogs);
    auto bodies = std::make_shared<Budget>(limits.all_bodies);
    for (auto& loop : *loops) loop->join(backlogs, bodies);
    routes.freeze();
}

KVOLT_INLINE void AppCore::log(std::string_view line) const noexcept try {
    if (logger) return logger(line);
    std::clog << std::string(line) + '\n' << std::flush;
} catch (...) {
}

KVOLT_INLINE void AppCore::log(std::string_view what, std::string_view why) const noexcept try {
    log(std::string(what) + ": " + std::string(why));
} catch (...) {
}

}  // namespace kvolt::detail

#endif
