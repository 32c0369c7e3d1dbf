#ifndef KVOLT_TESTING_HPP
#define KVOLT_TESTING_HPP

// The test kit: an app is driven in the test's own thread, without sockets, by any test framework. Start at
// kvolt/testing/client.hpp.

#include <kvolt/testing/client.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/handshake.hpp>
#include <kvolt/testing/request.hpp>
#include <kvolt/testing/response.hpp>
#include <kvolt/testing/response_stream.hpp>
#include <kvolt/testing/websocket.hpp>

#endif
