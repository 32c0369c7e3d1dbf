#include "start.hpp"

#include <kvolt.hpp>

#include <utility>

namespace test {

void start(kvolt::App& app, std::string_view address) { app.start(address); }

void run(kvolt::App& app, std::string_view address, std::function<void(std::string_view)> ready) {
    app.run(address, std::move(ready));
}

}  // namespace test
