#ifndef KVOLT_TESTS_SERVER_START_HPP
#define KVOLT_TESTS_SERVER_START_HPP

// App::start() and App::run(), compiled once for all tests: the transport behind them takes half a minute.

#include <functional>
#include <string_view>

namespace kvolt {
class App;
}

namespace test {

void start(kvolt::App& app, std::string_view address = "127.0.0.1:0");
void run(kvolt::App& app, std::string_view address = "127.0.0.1:0", std::function<void(std::string_view)> ready = {});

}  // namespace test

#endif
