#ifndef KVOLT_TLS_SRC_HPP
#define KVOLT_TLS_SRC_HPP

// What kvolt/src.hpp is for all else, for TLS: with KVOLT_COMPILED_TLS, or the CMake target kvolt::compiled_tls.

#include <kvolt/app.hpp>
#include <kvolt/src/tls.hpp>
#include <kvolt/src/tls_client.hpp>
#include <kvolt/tls.hpp>

#include <memory>
#include <string_view>

#ifdef KVOLT_COMPILED_TLS

namespace kvolt {

template unsigned short App::listen_tls<detail::TlsStream>(std::string_view, const Tls&, const ListenOptions&);

template std::shared_ptr<const detail::TlsConnector> detail::make_tls_connector<detail::TlsStream>(
    const TlsClientSettings&);

}  // namespace kvolt

#endif

#endif
