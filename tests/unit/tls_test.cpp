#include "catch.hpp"
#include "certificate.hpp"
#include <kvolt/detail/tls/context.hpp>
#include <kvolt/tls.hpp>

#include <unistd.h>

#include <fstream>
#include <openssl/ssl.h>
#include <stdexcept>
#include <string>

using kvolt::Tls;
using test::Certificate;

namespace {

// What is wrong with these files.
std::string complaint(const std::string& certificate, const std::string& key) {
    try {
        Tls tls(certificate, key);
        return {};
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

bool tells(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a certificate or key that cannot be used is an error that names the file and the reason") {
    Certificate good, other;
    CHECK(complaint(good.file, good.key_file).empty());

    std::string text = complaint("/nowhere/cert.pem", good.key_file);
    INFO(text);
    CHECK(tells(text, "/nowhere/cert.pem"));
    CHECK(tells(text, "No such file"));

    text = complaint(good.file, "/nowhere/key.pem");
    CHECK(tells(text, "/nowhere/key.pem"));
    CHECK(tells(text, "No such file"));

    text = complaint("/tmp", good.key_file);
    CHECK(tells(text, "cannot read /tmp"));

    text = complaint(good.file, other.key_file);
    CHECK(tells(text, other.key_file));
    CHECK(tells(text, good.file));
    CHECK(tells(text, "key values mismatch"));

    text = complaint(good.key_file, good.key_file);  // no certificate in it
    CHECK(tells(text, good.key_file));
    CHECK(tells(text, "no start line"));

    text = complaint(good.file, good.file);
    CHECK(tells(text, good.file));

    std::ofstream(other.file) << "";
    CHECK(tells(complaint(other.file, other.key_file), other.file));
    std::ofstream(other.key_file) << "-----BEGIN ENCRYPTED PRIVATE "
                                     "KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI\n-----END ENCRYPTED "
                                     "PRIVATE KEY-----\n";
    CHECK(tells(complaint(good.file, other.key_file), other.key_file));
}

TEST_CASE("a change that fails changes nothing") {
    Certificate good, other;
    Tls tls(good.file, good.key_file);
    CHECK_THROWS_AS(tls.add(good.file, other.key_file), std::runtime_error);
    CHECK_THROWS_AS(tls.configure([](SSL_CTX*) { throw std::invalid_argument("no"); }), std::invalid_argument);
    tls.reload();
    good.write({"new.test"});
    tls.reload();
    std::ofstream(good.key_file) << "broken";
    CHECK_THROWS_AS(tls.reload(), std::runtime_error);
    CHECK(tls.context()->connection({}) != nullptr);
}

TEST_CASE("the hook is called for every certificate, also when they are read anew") {
    Certificate one, two;
    int calls = 0;
    Tls tls(one.file, one.key_file);
    tls.add(two.file, two.key_file).configure([&](SSL_CTX* context) {
        ++calls;
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    });
    CHECK(calls == 2);
    Tls copy = tls;
    copy.reload();
    CHECK(calls == 4);
}
