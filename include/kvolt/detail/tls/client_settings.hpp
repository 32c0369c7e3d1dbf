#ifndef KVOLT_DETAIL_TLS_CLIENT_SETTINGS_HPP
#define KVOLT_DETAIL_TLS_CLIENT_SETTINGS_HPP

#include <functional>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <vector>

namespace kvolt::detail {

class TlsConnector;
class TlsStream;

struct TlsClientSettings {
    std::vector<std::string> ca_files;  // the system's, if none
    std::string server_name;            // the URL's host, if empty
    bool trust_anyone = false;
    std::function<void(SSL_CTX*)> configure;
};

/// @throws std::runtime_error  that names a CA file and says what is wrong with it.
template <class Stream = TlsStream>
std::shared_ptr<const TlsConnector> make_tls_connector(const TlsClientSettings& settings);

}  // namespace kvolt::detail

#endif
