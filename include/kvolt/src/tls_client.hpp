#ifndef KVOLT_SRC_TLS_CLIENT_HPP
#define KVOLT_SRC_TLS_CLIENT_HPP

#include <kvolt/detail/client/connection.hpp>
#include <kvolt/detail/tls/client_settings.hpp>
#include <kvolt/detail/tls/connector.hpp>
#include <kvolt/detail/tls/stream.hpp>

#include <memory>

namespace kvolt::detail {

template <class Stream>
std::shared_ptr<const TlsConnector> make_tls_connector(const TlsClientSettings& settings) {
    return std::make_shared<OpenSslConnector<Stream>>(settings);
}

}  // namespace kvolt::detail

#endif
