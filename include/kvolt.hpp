#ifndef KVOLT_HPP
#define KVOLT_HPP

// All of KVolt but its middleware, which has kvolt/middleware.hpp. In a file that only defines handlers,
// kvolt/context.hpp and kvolt/hub.hpp are enough and compile faster.

#include <kvolt/app.hpp>
#include <kvolt/broadcast_options.hpp>
#include <kvolt/config.hpp>
#include <kvolt/constant_time.hpp>
#include <kvolt/context.hpp>
#include <kvolt/error.hpp>
#include <kvolt/events.hpp>
#include <kvolt/files.hpp>
#include <kvolt/files_options.hpp>
#include <kvolt/group.hpp>
#include <kvolt/handler.hpp>
#include <kvolt/hub.hpp>
#include <kvolt/hub_options.hpp>
#include <kvolt/hub_results.hpp>
#include <kvolt/limits.hpp>
#include <kvolt/listen_options.hpp>
#include <kvolt/log_writer.hpp>
#include <kvolt/member_key.hpp>
#include <kvolt/message.hpp>
#include <kvolt/proxy_headers.hpp>
#include <kvolt/request.hpp>
#include <kvolt/response.hpp>
#include <kvolt/response_stream.hpp>
#include <kvolt/router.hpp>
#include <kvolt/server.hpp>
#include <kvolt/upgrade_options.hpp>
#include <kvolt/url.hpp>
#include <kvolt/websocket.hpp>
#include <kvolt/websocket_handlers.hpp>

#endif
