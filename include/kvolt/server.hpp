#ifndef KVOLT_SERVER_HPP
#define KVOLT_SERVER_HPP

// App::listen(), run() and start(). What is behind them is compiled only in the file that calls one of them; with
// KVOLT_COMPILED, only in that which includes kvolt/src.hpp.

#include <kvolt/app.hpp>

#ifndef KVOLT_COMPILED

namespace kvolt::detail {
struct ServerHeader {};
}  // namespace kvolt::detail

#include <kvolt/src/server.hpp>

#endif

#endif
