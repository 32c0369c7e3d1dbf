#include "catch.hpp"
#include "folder.hpp"
#include <kvolt/detail/files/open_file.hpp>

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

using namespace kvolt::detail;

namespace {

std::string content(const Opened& opened) {
    if (!opened.file) return opened.is_folder ? "a folder" : opened.error == 0 ? "something" : "nothing";
    std::string bytes(100, '\0');
    ssize_t size = ::pread(opened.file->descriptor.number(), bytes.data(), bytes.size(), 0);
    bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return bytes;
}

}  // namespace

TEST_CASE("nothing outside of a folder can be opened") {
    test::Folder outer;
    outer.write("secret", "secret");
    outer.write("site2/file", "secret");
    outer.write("site/file", "inside");
    outer.write("site/sub/deep/file", "deep");
    outer.link("site/to_file", "file");
    outer.link("site/sub/up", "../file");
    outer.link("site/to_sub", "sub/deep");
    outer.link("site/absolute", outer.path("site/file"));
    outer.link("site/absolute_sub", outer.path("site/sub"));
    outer.link("site/in_and_out", "../site/file");
    outer.link("site/out", "../secret");
    outer.link("site/out_absolute", outer.path("secret"));
    outer.link("site/out_folder", "..");
    outer.link("site/out_neighbour", "../site2");
    outer.link("site/root", "/");
    outer.link("site/itself", ".");
    outer.link("site/loop", "loop");
    outer.link("site/dangling", "nowhere");
    outer.link("site/proc", "/proc/self/root");
    outer.link("site/null", "/dev/null");
    REQUIRE(::mkfifo(outer.path("site/pipe").c_str(), 0644) == 0);
    int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, outer.path("site/socket").c_str(), sizeof address.sun_path - 1);
    REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::close(socket);

    struct Case {
        std::string path, content;
    };
    const std::vector<Case> cases = {
        {"file", "inside"},
        {"sub/deep/file", "deep"},
        {"to_file", "inside"},
        {"sub/up", "inside"},
        {"to_sub/file", "deep"},
        {"absolute", "inside"},
        {"absolute_sub/deep/file", "deep"},
        {"in_and_out", "inside"},  // where it lies counts
        {"sub", "a folder"},
        {"to_sub", "a folder"},
        {"itself/file", "inside"},
        {"out", "nothing"},
        {"out_absolute", "nothing"},
        {"out_folder/secret", "nothing"},
        {"out_folder/site/file", "inside"},
        {"out_neighbour/file", "nothing"},
        {"out_folder", "nothing"},
        {"out_neighbour", "nothing"},
        {"root/etc/passwd", "nothing"},
        {"proc/etc/passwd", "nothing"},
        {"null", "nothing"},
        {"loop", "nothing"},
        {"dangling", "nothing"},
        {"absent", "nothing"},
        {"file/", "nothing"},
        {"file/x", "nothing"},
        {"../secret", "nothing"},
        {"../site2/file", "nothing"},
        {outer.path("secret"), "nothing"},
        {"/etc/passwd", "nothing"},
        {std::string(300, 'a'), "nothing"},
        {std::string(5000, 'a'), "nothing"},
        {"sub/" + std::string(300, 'a'), "nothing"},
    };
    Descriptor folder = open_folder(outer.path("site"), "test");
    for (const Case& expected : cases) {
        INFO(expected.path.substr(0, 100));
        Opened beneath = open_beneath(folder.number(), expected.path),
               located = open_located(folder.number(), expected.path);
        CHECK(content(beneath) == expected.content);
        CHECK(content(located) == expected.content);
        if (expected.content == "nothing") {
            CHECK(means_absent(beneath.error));
            CHECK(means_absent(located.error));
        }
    }
    for (std::string path : {"pipe", "socket"}) {  // and without waiting for their other end
        INFO(path);
        for (const Opened& opened : {open_beneath(folder.number(), path), open_located(folder.number(), path)}) {
            CHECK(opened.file == nullptr);
            CHECK_FALSE(opened.is_folder);
            CHECK(means_absent(opened.error));
        }
    }
}

TEST_CASE("a file as it was when it was opened") {
    test::Folder folder;
    auto opened = open_file(folder.write("a", "12345"));
    REQUIRE(opened.file);
    CHECK(opened.file->size == 5);
    CHECK_FALSE(opened.file->made_up);
    CHECK(opened.file->modified > 1600000000);
    CHECK(open_file(folder.path("b")).error == ENOENT);
    CHECK(open_file(folder.path()).is_folder);
}

TEST_CASE("what is no regular file is not even opened, or a pipe's writer would go on") {
    test::Folder folder;
    std::string pipe = folder.path("pipe");
    REQUIRE(::mkfifo(pipe.c_str(), 0644) == 0);
    Descriptor watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), opened_folder = open_folder(folder.path(), "test");
    REQUIRE(::inotify_add_watch(watch.number(), pipe.c_str(), IN_OPEN) >= 0);
    for (const Opened& opened : {open_file(pipe), open_beneath(opened_folder.number(), "pipe"),
                                 open_located(opened_folder.number(), "pipe")}) {
        CHECK(opened.file == nullptr);
        CHECK(means_absent(opened.error));
    }
    char events[4096];
    CHECK(::read(watch.number(), events, sizeof events) < 0);
    Descriptor seen(::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // which the watch tells
    CHECK(::read(watch.number(), events, sizeof events) > 0);
}

TEST_CASE("what the system makes up is read at once, whatever size it says") {
    for (std::string path : {"/proc/self/stat", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"}) {
        std::ifstream stream(path, std::ios::binary);
        if (!stream) continue;
        INFO(path);
        Opened opened = open_file(path);
        REQUIRE(opened.file);
        REQUIRE(opened.file->made_up);
        CHECK(opened.file->made_up->size() > 5);
        if (path == "/proc/version") CHECK(*opened.file->made_up == std::string(std::istreambuf_iterator(stream), {}));
    }
    Descriptor proc = open_folder("/proc/self", "test");
    CHECK(open_beneath(proc.number(), "stat").file->made_up);
    CHECK(open_file("/proc/self/mem").error != 0);
    test::Folder folder;
    CHECK_FALSE(open_file(folder.write("empty", "")).file->made_up);
    CHECK_FALSE(open_file(folder.write("full", std::string(4096, 'x'))).file->made_up);
    std::string hole = folder.write("hole", "");
    REQUIRE(::truncate(hole.c_str(), 4096) == 0);
    CHECK_FALSE(open_file(hole).file->made_up);
}

TEST_CASE("a folder that cannot be opened is named, with the reason") {
    test::Folder folder;
    folder.write("file", "");
    for (std::string name : {"absent", "file"}) {
        std::string message;
        try {
            open_folder(folder.path(name), "files(\"/a\")");
        } catch (const std::system_error& error) {
            message = error.what();
        }
        CHECK(message == "kvolt: files(\"/a\"): the folder \"" + folder.path(name) +
                             "\": " + (name == "file" ? "Not a directory" : "No such file or directory"));
    }
}
