#include "greeter.hpp"
#include <kvolt.hpp>
#include <kvolt/tls.hpp>
#include <kvolt/tls_client.hpp>

void load_certificate(const std::string& file) {
    kvolt::App app;
    app.listen_tls("127.0.0.1:0", kvolt::Tls(file, file));
}
