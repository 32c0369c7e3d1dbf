#ifndef GREETER_HPP
#define GREETER_HPP

// A shared library with a server in it.

#include <memory>
#include <string>

#define GREETER_EXPORT __attribute__((visibility("default")))

class GREETER_EXPORT Greeter {
public:
    Greeter();
    ~Greeter();

    unsigned short port() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// @throws kvolt::ConnectError
GREETER_EXPORT void connect(const std::string& url);

/// @throws std::runtime_error  that names the file.
GREETER_EXPORT void load_certificate(const std::string& file);

#endif
