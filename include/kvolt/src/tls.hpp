#ifndef KVOLT_SRC_TLS_HPP
#define KVOLT_SRC_TLS_HPP

#include <kvolt/app.hpp>
#include <kvolt/detail/net/stream.hpp>
#include <kvolt/detail/server/listener.hpp>
#include <kvolt/detail/tls/context.hpp>
#include <kvolt/detail/tls/stream.hpp>
#include <kvolt/tls.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt {

template <class Stream, class>
unsigned short App::listen_tls(std::string_view address, const Tls& tls, const ListenOptions& options) {
    auto encrypt = [context = tls.context()](detail::PlainStream stream, std::string& early) {
        return Stream(std::move(stream), context->connection(std::exchange(early, {})));
    };
    return lifecycle_->listen(
        [&] { return std::make_shared<detail::Listener<Stream>>(core_, address, options, std::move(encrypt)); });
}

}  // namespace kvolt

#endif
