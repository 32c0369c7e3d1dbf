#ifndef KVOLT_TESTS_SERVER_START_HPP
#define KVOLT_TESTS_SERVER_START_HPP

// App::listen(), start() and run(), compiled once for all tests: the transport behind them takes half a minute.

#include <kvolt/listen_options.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace kvolt {
class App;
class Tls;
}  // namespace kvolt

namespace test {

void start(kvolt::App& app, std::string_view address = "127.0.0.1:0");
void start_listening(kvolt::App& app);  // on what listen() was called for
unsigned short listen(kvolt::App& app, std::string_view address = "127.0.0.1:0",
                      const kvolt::ListenOptions& options = {});
void run(kvolt::App& app, std::string_view address = "127.0.0.1:0", std::function<void(std::string_view)> ready = {});
void run_listening(kvolt::App& app, std::function<void(std::string_view)> ready = {});

unsigned short listen_tls(kvolt::App& app, const kvolt::Tls& tls, std::string_view address = "127.0.0.1:0",
                          const kvolt::ListenOptions& options = {});
void start_tls(kvolt::App& app, const std::string& certificate_file, const std::string& key_file);
void run_tls(kvolt::App& app, std::string_view address, const std::string& certificate_file,
             const std::string& key_file, std::function<void(std::string_view)> ready = {});

}  // namespace test

#endif
