#ifndef KVOLT_MIDDLEWARE_HPP
#define KVOLT_MIDDLEWARE_HPP

// All middleware but compress, which needs zlib. Not a part of kvolt.hpp, since it costs a file more than a second:
// include single headers to pay less.

#include <kvolt/middleware/allowed_hosts.hpp>
#include <kvolt/middleware/basic_auth.hpp>
#include <kvolt/middleware/bearer_auth.hpp>
#include <kvolt/middleware/body_limit.hpp>
#include <kvolt/middleware/cors.hpp>
#include <kvolt/middleware/logger.hpp>
#include <kvolt/middleware/metrics.hpp>
#include <kvolt/middleware/rate_limit.hpp>
#include <kvolt/middleware/recovery.hpp>
#include <kvolt/middleware/request_id.hpp>
#include <kvolt/middleware/secure_headers.hpp>
#include <kvolt/middleware/timeout.hpp>

#endif
