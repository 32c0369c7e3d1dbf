#ifndef KVOLT_TESTS_UNIT_CLIENT_OF_HPP
#define KVOLT_TESTS_UNIT_CLIENT_OF_HPP

#include <kvolt/testing.hpp>

namespace test {

/// A Client, compiled once for all tests: the transport behind it takes long.
kvolt::testing::Client client_of(kvolt::App& app);

}  // namespace test

#endif
