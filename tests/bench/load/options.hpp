#ifndef KVOLT_TESTS_BENCH_LOAD_OPTIONS_HPP
#define KVOLT_TESTS_BENCH_LOAD_OPTIONS_HPP

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct Options {
    std::string mode;
    unsigned short port = 0;
    std::string path = "/";
    std::string body;  // of every response
    std::size_t connections = 50;
    std::size_t senders = 1;
    std::size_t depth = 1;  // messages of a sender under way, or pipelined requests
    std::size_t size = 64;  // of a message
    std::size_t rooms = 1;
    std::size_t threads = 1;
    double rate = 0;  // messages a second in all; 0 for as many as are answered
    double warmup = 0.5, seconds = 2;
    std::vector<pid_t> server;
    bool tls = false, deflate = false;
};

inline constexpr const char* usage_text =
    "usage: kvolt_load MODE PORT [--OPTION VALUE]... [--tls] [--deflate]\n"
    "modes: http, echo, broadcast, churn, idle, idle_http; broadcast and echo are of WebSocket messages\n"
    "options: path, body, connections, senders, depth, size, rooms, threads, rate, warmup, seconds, server (its pids)\n"
    "A `{}` in the path is the number of the connection's room. See options.hpp.\n";

inline Options parse_options(const std::vector<std::string>& arguments) {
    if (arguments.size() < 2) throw std::invalid_argument(usage_text);
    Options options;
    auto number = [](std::size_t& to) { return [&to](const std::string& value) { to = std::stoul(value); }; };
    auto real = [](double& to) { return [&to](const std::string& value) { to = std::stod(value); }; };
    auto text = [](std::string& to) { return [&to](const std::string& value) { to = value; }; };
    const std::map<std::string, std::function<void(const std::string&)>> setters = {
        {"--path", text(options.path)},
        {"--body", text(options.body)},
        {"--connections", number(options.connections)},
        {"--senders", number(options.senders)},
        {"--depth", number(options.depth)},
        {"--size", number(options.size)},
        {"--rooms", number(options.rooms)},
        {"--threads", number(options.threads)},
        {"--rate", real(options.rate)},
        {"--warmup", real(options.warmup)},
        {"--seconds", real(options.seconds)},
        {"--server",
         [&](const std::string& value) {
             std::istringstream pids(value);
             for (std::string pid; std::getline(pids, pid, ',');) options.server.push_back(std::stoi(pid));
         }},
    };
    options.mode = arguments[0];
    options.port = static_cast<unsigned short>(std::stoul(arguments[1]));
    for (std::size_t i = 2; i < arguments.size(); ++i) {
        if (arguments[i] == "--tls") {
            options.tls = true;
        } else if (arguments[i] == "--deflate") {
            options.deflate = true;
        } else {
            auto setter = setters.find(arguments[i]);
            if (setter == setters.end() || ++i == arguments.size()) throw std::invalid_argument(usage_text);
            setter->second(arguments[i]);
        }
    }
    return options;
}

}  // namespace bench

#endif
