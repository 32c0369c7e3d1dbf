#ifndef KVOLT_SRC_HUB_HPP
#define KVOLT_SRC_HUB_HPP

#include <kvolt/detail/hub_core.hpp>
#include <kvolt/detail/hub_strand.hpp>
#include <kvolt/detail/loop.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/limits.hpp>

#include <memory>
#include <utility>

namespace kvolt::detail {

template <class Strand>
std::shared_ptr<HubCore> make_hub(std::shared_ptr<Loops> loops, const Limits& limits, const HubOptions& options) {
    auto hub = std::make_shared<Strand>(std::move(loops), limits, options);
    hub->start();
    return hub;
}

}  // namespace kvolt::detail

#endif
