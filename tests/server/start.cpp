#include "start.hpp"

#include <kvolt.hpp>

#include <utility>

namespace test {

void start(kvolt::App& app, std::string_view address) { app.start(address); }

void start_listening(kvolt::App& app) { app.start(); }

unsigned short listen(kvolt::App& app, std::string_view address, const kvolt::ListenOptions& options) {
    return app.listen(address, options);
}

void run(kvolt::App& app, std::string_view address, std::function<void(std::string_view)> ready) {
    app.run(address, std::move(ready));
}

void run_listening(kvolt::App& app, std::function<void(std::string_view)> ready) { app.run(std::move(ready)); }

}  // namespace test
