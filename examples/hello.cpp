#include <kvolt.hpp>

#include <string>

int main() {
    kvolt::App app;

    app.get("/", [](kvolt::Context& c) { c.text("Hello, World!"); });
    app.get("/hello/:name", [](kvolt::Context& c) { c.text("Hello, " + std::string(c.param("name")) + "!"); });
    app.get("/health", [](kvolt::Context& c) { c.json(R"({"status":"ok"})"); });

    app.run(":8080");
}
