#include "start.hpp"
#include <kvolt/tls.hpp>

#include <utility>

namespace test {

unsigned short listen_tls(kvolt::App& app, const kvolt::Tls& tls, std::string_view address,
                          const kvolt::ListenOptions& options) {
    return app.listen_tls(address, tls, options);
}

void start_tls(kvolt::App& app, const std::string& certificate_file, const std::string& key_file) {
    app.listen_tls("127.0.0.1:0", kvolt::Tls(certificate_file, key_file));
    app.start();
}

void run_tls(kvolt::App& app, std::string_view address, const std::string& certificate_file,
             const std::string& key_file, std::function<void(std::string_view)> ready) {
    app.run_tls(address, certificate_file, key_file, std::move(ready));
}

}  // namespace test
