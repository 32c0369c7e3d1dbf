#include "start.hpp"

#include <kvolt.hpp>

namespace test {

void start(kvolt::App& app, std::string_view address) { app.start(address); }
void run(kvolt::App& app, std::string_view address) { app.run(address); }

}  // namespace test
