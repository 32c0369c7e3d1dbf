#include "catch.hpp"
#include "certificate.hpp"
#include <kvolt/detail/tls/context.hpp>
#include <kvolt/detail/tls/session.hpp>

#include <chrono>
#include <cstddef>
#include <malloc.h>
#include <memory>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string>
#include <string_view>
#include <vector>

using kvolt::detail::TicketKeys;
using kvolt::detail::TlsContext;
using kvolt::detail::TlsSession;
using Result = TlsSession::Result;

namespace {

// OpenSSL's client between two memory buffers.
struct TlsPeer {
    TlsPeer() : context(SSL_CTX_new(TLS_client_method())), ssl(SSL_new(context)) {
        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl);
    }
    ~TlsPeer() {
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // or its session would be good for nothing
        SSL_free(ssl);
        SSL_CTX_free(context);
    }

    // What it has to say.
    std::string output() {
        std::string bytes(100000, '\0');
        int size = BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
        bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return bytes;
    }

    void feed(std::string_view bytes) { BIO_write(SSL_get_rbio(ssl), bytes.data(), static_cast<int>(bytes.size())); }

    std::string read() {
        std::string bytes(100000, '\0');
        ERR_clear_error();
        std::size_t all = 0, size = 0;
        while (SSL_read_ex(ssl, bytes.data() + all, bytes.size() - all, &size) == 1) all += size;
        bytes.resize(all);
        return bytes;
    }

    SSL_CTX* context;
    SSL* ssl;
};

TicketKeys::Clock::time_point ticket_time{};

struct TlsFixture {
    TlsFixture()
        : context({certificate.file, certificate.key_file}, [] { return ticket_time; }),
          session(context.connection({})) {}

    // What the server has to say.
    std::string output() {
        std::string bytes(session->output());
        session->sent(bytes.size());
        return bytes;
    }

    Result read(std::string_view ciphertext = {}, std::size_t room = 100000) {
        session->feed(ciphertext);
        plaintext.assign(room, '\0');
        std::size_t size = 0;
        Result result = session->read(plaintext.data(), room, size);
        plaintext.resize(size);
        return result;
    }

    // `cut`: how many bytes come at once.
    bool handshake(std::size_t cut = 100000) {
        for (int turn = 0; turn < 5 && !(SSL_is_init_finished(peer.ssl) && session->established()); ++turn) {
            SSL_do_handshake(peer.ssl);
            std::string bytes = peer.output();
            for (std::size_t at = 0; at < bytes.size(); at += cut)
                if (read(std::string_view(bytes).substr(at, cut)) == Result::failed) return false;
            peer.feed(output());
        }
        return SSL_is_init_finished(peer.ssl) && session->established();
    }

    test::Certificate certificate;
    TlsContext context;
    std::unique_ptr<TlsSession> session;
    TlsPeer peer;
    std::string plaintext;
};

}  // namespace

TEST_CASE("bytes go both ways, however they are cut") {
    auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    auto cut = GENERATE(std::size_t(1), std::size_t(100), std::size_t(100000));
    TlsFixture f;
    SSL_set_max_proto_version(f.peer.ssl, version);
    REQUIRE(f.handshake(cut));
    CHECK(SSL_version(f.peer.ssl) == version);

    std::string sent(40000, 'x');
    SSL_write(f.peer.ssl, sent.data(), static_cast<int>(sent.size()));
    std::string ciphertext = f.peer.output(), received;
    for (std::size_t at = 0; at < ciphertext.size(); at += cut) {
        f.read(std::string_view(ciphertext).substr(at, cut));
        received += f.plaintext;
    }
    CHECK(received == sent);
    CHECK(f.read() == Result::want_input);

    CHECK(f.session->write(sent.data(), sent.size()) == TlsSession::record_size);
    f.peer.feed(f.output());
    CHECK(f.peer.read() == sent.substr(0, TlsSession::record_size));
}

TEST_CASE("what does not fit is there for the next read") {
    TlsFixture f;
    REQUIRE(f.handshake());
    std::string sent = std::string(20000, 'a') + std::string(20000, 'b');
    SSL_write(f.peer.ssl, sent.data(), static_cast<int>(sent.size()));
    std::string received;
    Result result = f.read(f.peer.output(), 777);
    while (result == Result::done) {
        received += f.plaintext;
        result = f.read({}, 777);
    }
    CHECK(result == Result::want_input);
    CHECK(received == sent);
}

TEST_CASE("bytes that came before the session are read first") {
    TlsFixture f;
    SSL_do_handshake(f.peer.ssl);
    std::string hello = f.peer.output();
    f.session = f.context.connection(hello.substr(0, 50));
    CHECK(f.read(std::string_view(hello).substr(50)) == Result::want_input);
    f.peer.feed(f.output());
    CHECK(f.handshake());
}

TEST_CASE("nothing can be written before the handshake is over, or after it has failed") {
    TlsFixture f;
    CHECK(f.session->write("x", 1) == 0);
    CHECK(f.read({"\x16\x03\x01\x00\x05hello", 10}) == Result::failed);
    CHECK(f.session->write("x", 1) == 0);
    CHECK(f.read() == Result::failed);
    CHECK(f.session->output().size() == 7);  // an alert
    f.session->close();
    CHECK(f.session->output().size() == 7);
}

TEST_CASE("what is no TLS at all is not answered") {
    TlsFixture f;
    CHECK(f.read("this is no TLS, whatever it is") == Result::failed);
    CHECK(f.session->output().empty());
}

TEST_CASE("plain HTTP is told so in plain text") {
    for (std::string method : {"GET", "POST", "HEAD", "PUT"}) {
        TlsFixture f;
        CHECK(f.read(method + " / HTTP/1.1\r\nHost: localhost\r\n\r\n") == Result::failed);
        CHECK(f.output().starts_with("HTTP/1.1 400 Bad Request\r\n"));
    }
}

TEST_CASE("both sides say when they have said all, and may go on reading") {
    auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    TlsFixture f;
    SSL_set_max_proto_version(f.peer.ssl, version);
    REQUIRE(f.handshake());
    SECTION("the server first") {
        f.session->close();
        f.session->close();
        CHECK(f.session->write("x", 1) == 0);
        f.peer.feed(f.output());
        CHECK(f.peer.read().empty());
        CHECK((SSL_get_shutdown(f.peer.ssl) & SSL_RECEIVED_SHUTDOWN) != 0);
        SSL_write(f.peer.ssl, "late", 4);
        CHECK(f.read(f.peer.output()) == Result::done);
        CHECK(f.plaintext == "late");
        SSL_shutdown(f.peer.ssl);
        CHECK(f.read(f.peer.output()) == Result::closed);
    }
    SECTION("the client first") {
        SSL_write(f.peer.ssl, "last", 4);
        SSL_shutdown(f.peer.ssl);
        CHECK(f.read(f.peer.output()) == Result::done);
        CHECK(f.plaintext == "last");
        CHECK(f.read() == Result::closed);
        CHECK(f.session->write("answer", 6) == 6);
        f.session->close();
        f.peer.feed(f.output());
        CHECK(f.peer.read() == "answer");
    }
}

TEST_CASE("a record that was changed on its way ends the connection with an alert") {
    TlsFixture f;
    REQUIRE(f.handshake());
    SSL_write(f.peer.ssl, "hello", 5);
    std::string ciphertext = f.peer.output();
    ciphertext[10] = static_cast<char>(ciphertext[10] ^ 1);
    CHECK(f.read(ciphertext) == Result::failed);
    CHECK_FALSE(f.session->output().empty());
    CHECK(f.session->write("x", 1) == 0);
    CHECK(f.session->established());
}

TEST_CASE("TLS 1.1 and weak ciphers are refused") {
    TlsFixture f;
    SECTION("TLS 1.1") {
        SSL_CTX_set_security_level(f.peer.context, 0);
        SSL_set_security_level(f.peer.ssl, 0);
        SSL_set_min_proto_version(f.peer.ssl, TLS1_VERSION);
        SSL_set_max_proto_version(f.peer.ssl, TLS1_1_VERSION);
    }
    SECTION("no forward secrecy, or no authenticated encryption") {
        SSL_set_max_proto_version(f.peer.ssl, TLS1_2_VERSION);
        SSL_set_cipher_list(f.peer.ssl, "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384");
    }
    CHECK_FALSE(f.handshake());
    CHECK_FALSE(f.session->established());
}

TEST_CASE("ALPN agrees on HTTP/1.1, on HTTP/1.0 or on nothing") {
    struct {
        std::string offer, agreed;
        bool succeeds;
    } cases[] = {
        {"", "", true},
        {"\x08http/1.1", "http/1.1", true},
        {"\x02h2\x08http/1.1", "http/1.1", true},
        {"\x02h2", "", false},
        {"\x08http/1.0", "http/1.0", true},
        {"\x08http/1.0\x08http/1.1", "http/1.1", true},
        {"\x06spdy/3\x08http/1.0", "http/1.0", true},
        {"\x08http/2.0\x06spdy/3", "", false},
        {"\x07http/1.", "", false},
    };
    for (const auto& [offer, agreed, succeeds] : cases) {
        INFO(offer);
        TlsFixture f;
        SSL_set_alpn_protos(f.peer.ssl, reinterpret_cast<const unsigned char*>(offer.data()),
                            static_cast<unsigned>(offer.size()));
        CHECK(f.handshake() == succeeds);
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(f.peer.ssl, &name, &size);
        CHECK(std::string(reinterpret_cast<const char*>(name), size) == agreed);
    }
}

TEST_CASE("a client cannot renegotiate") {
    TlsFixture f;
    SSL_set_max_proto_version(f.peer.ssl, TLS1_2_VERSION);
    REQUIRE(f.handshake());
    SSL_renegotiate(f.peer.ssl);
    SSL_do_handshake(f.peer.ssl);
    f.read(f.peer.output());
    f.peer.feed(f.output());
    CHECK(SSL_do_handshake(f.peer.ssl) != 1);
}

namespace {

/// The session of a first connection.
SSL_SESSION* ticket_of(TlsFixture& f, int version) {
    SSL_set_max_proto_version(f.peer.ssl, version);
    REQUIRE(f.handshake());
    f.peer.read();  // the tickets of TLS 1.3
    SSL_SESSION* ticket = SSL_get1_session(f.peer.ssl);
    REQUIRE(SSL_SESSION_is_resumable(ticket));
    return ticket;
}

/// Connect anew; true if the session was resumed.
bool resumes(TlsFixture& f, SSL_SESSION* ticket) {
    TlsPeer again;
    SSL_set_max_proto_version(again.ssl, SSL_SESSION_get_protocol_version(ticket));
    SSL_set_session(again.ssl, ticket);
    std::swap(again.ssl, f.peer.ssl);
    std::swap(again.context, f.peer.context);
    f.session = f.context.connection({});
    REQUIRE(f.handshake());
    f.peer.read();
    return SSL_session_reused(f.peer.ssl) == 1;
}

}  // namespace

TEST_CASE("a session is resumed by its ticket, until the certificates are read anew") {
    TlsFixture f;
    SSL_SESSION* ticket = ticket_of(f, GENERATE(TLS1_2_VERSION, TLS1_3_VERSION));
    CHECK(resumes(f, ticket));
    f.context.reload();
    CHECK_FALSE(resumes(f, ticket));
    SSL_SESSION_free(ticket);
}

TEST_CASE("the keys of tickets change, and the former one opens them for a while") {
    auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    TlsFixture f;
    CHECK(SSL_CTX_get_timeout(SSL_get_SSL_CTX(f.session->ssl())) <= std::chrono::seconds(TicketKeys::period).count());
    SSL_SESSION* ticket = ticket_of(f, version);
    ticket_time += TicketKeys::period;
    CHECK(resumes(f, ticket));
    SSL_SESSION* next = SSL_get1_session(f.peer.ssl);  // by the new key
    ticket_time += TicketKeys::period;
    CHECK_FALSE(resumes(f, ticket));
    CHECK(resumes(f, next));
    SSL_SESSION_free(ticket);
    SSL_SESSION_free(next);
}

TEST_CASE("who sets ticket keys, such as those of several machines, means them") {
    auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    TlsFixture one, other;
    auto share = [](SSL_CTX* context) {
        std::string keys(80, 'k');
        SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), static_cast<long>(keys.size()));
    };
    for (TlsFixture* f : {&one, &other}) {
        f->context.configure(share);
        f->session = f->context.connection({});
    }
    SSL_SESSION* ticket = ticket_of(one, version);
    CHECK(resumes(other, ticket));
    SSL_SESSION_free(ticket);
}

TEST_CASE("output that is taken only in part is kept only in part") {
    TlsFixture f;
    REQUIRE(f.handshake());
    auto in_use = [] {
        auto memory = ::mallinfo2();
        return memory.uordblks + memory.hblkhd;
    };
    const std::size_t before = in_use();
    const std::string bytes(TlsSession::record_size, 'x');
    for (int i = 0; i < 500; ++i) {
        REQUIRE(f.session->write(bytes.data(), bytes.size()) == bytes.size());
        f.session->sent(f.session->output().size() - 1);
    }
    CHECK(in_use() < before + 512 * 1024);
}

TEST_CASE("updates of the keys without end neither fail nor pile up") {
    TlsFixture f;
    REQUIRE(f.handshake());
    for (int i = 0; i < 1000; ++i) {
        SSL_key_update(f.peer.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(f.peer.ssl);
        SSL_write(f.peer.ssl, "x", 1);
        if (f.read(f.peer.output()) != Result::done) break;
    }
    CHECK(f.session->output().size() < 70000);
}
