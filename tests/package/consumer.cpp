#include <kvolt.hpp>

int main() {
    kvolt::App app;
    app.get("/", [](kvolt::Context& c) { c.text("Hello, World!"); });
    app.start("127.0.0.1:0");
    bool listens = app.port() != 0;
    app.stop();
    return listens ? 0 : 1;
}
