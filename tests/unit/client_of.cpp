#include "client_of.hpp"

namespace test {

kvolt::testing::Client client_of(kvolt::App& app) { return kvolt::testing::Client(app); }

}  // namespace test
