#include <kvolt.hpp>
#include <kvolt/tls.hpp>

#include <stdexcept>
#include <string>

int main() {
    kvolt::App app;
    app.get("/", [](kvolt::Context& c) { c.text("Hello, World!"); });
    try {
        app.run_tls("127.0.0.1:0", "/nowhere/certificate.pem", "/nowhere/key.pem");
    } catch (const std::runtime_error& error) {
        bool named = std::string(error.what()).find("/nowhere/certificate.pem") != std::string::npos;
        return named ? 0 : 1;
    }
    return 1;
}
