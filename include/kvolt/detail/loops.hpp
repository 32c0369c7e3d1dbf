#ifndef KVOLT_DETAIL_LOOPS_HPP
#define KVOLT_DETAIL_LOOPS_HPP

#include <memory>
#include <vector>

namespace kvolt::detail {

class Loop;

/// The loops of an app. The first one is there from the beginning, the others when the server starts.
using Loops = std::vector<std::unique_ptr<Loop>>;

}  // namespace kvolt::detail

#endif
