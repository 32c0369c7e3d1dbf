#ifndef KVOLT_SRC_HPP
#define KVOLT_SRC_HPP

// What takes long to compile, for a program all of whose files are compiled with KVOLT_COMPILED: one file of it, which
// holds nothing else, includes this. The others then know kvolt/*.hpp alone, and nothing of kvolt/src/. The CMake
// target kvolt::compiled does all of that.

#include <kvolt/app.hpp>
#include <kvolt/src/app.hpp>
#include <kvolt/src/app_core.hpp>
#include <kvolt/src/context.hpp>
#include <kvolt/src/events.hpp>
#include <kvolt/src/files.hpp>
#include <kvolt/src/handling.hpp>
#include <kvolt/src/hub.hpp>
#include <kvolt/src/hub_seat.hpp>
#include <kvolt/src/log_writer.hpp>
#include <kvolt/src/loop.hpp>
#include <kvolt/src/peer.hpp>
#include <kvolt/src/places.hpp>
#include <kvolt/src/request.hpp>
#include <kvolt/src/response.hpp>
#include <kvolt/src/router.hpp>
#include <kvolt/src/routes.hpp>
#include <kvolt/src/server.hpp>
#include <kvolt/src/url.hpp>
#include <kvolt/src/websocket.hpp>
#include <kvolt/src/websocket_client.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#ifdef KVOLT_COMPILED

namespace kvolt {

template unsigned short App::listen<App>(std::string_view, const ListenOptions&);
template void App::run<App>(std::function<void(std::string_view)>);
template void App::start<App>();

template void Group::files<void>(std::string_view, const std::string&) const;
template void Group::files<void>(std::string_view, const std::string&, const FilesOptions&) const;
template void Context::file<void>(const std::string&);
template void Context::attachment<void>(const std::string&, std::string_view);

template std::shared_ptr<detail::HubCore> detail::make_hub<detail::HubStrand<void>>(App&, const HubOptions&);

template Task<WebSocket> WebSocketClient::connect<WebSocketClient>() const;
template Task<WebSocket> WebSocketClient::reconnect<WebSocketClient>();

}  // namespace kvolt

#endif

#endif
