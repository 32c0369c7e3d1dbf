#include "catch.hpp"
#include "certificate.hpp"
#include <kvolt/detail/tls/context.hpp>
#include <kvolt/detail/tls/stream.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fcntl.h>
#include <memory>
#include <openssl/ssl.h>
#include <string>
#include <string_view>

using kvolt::detail::PlainStream;
using kvolt::detail::TlsContext;
using kvolt::detail::TlsStream;

namespace {

// A server's stream, which reads all the time, and OpenSSL's client. Between them is a socket that hands out one piece
// at a time, however much there is.
class TlsConnection {
public:
    TlsConnection(boost::asio::io_context& io, const TlsContext& server) : io_(io), bytes_(20000, '\0') {
        int pair[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
        socket_ = pair[0];
        ::fcntl(socket_, F_SETFL, O_NONBLOCK);
        PlainStream plain(io);
        plain.assign(boost::asio::generic::stream_protocol(AF_UNIX, 0), pair[1]);
        stream_ = std::make_unique<TlsStream>(std::move(plain), server.connection({}));
        context_ = SSL_CTX_new(TLS_client_method());
        ssl_ = SSL_new(context_);
        SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_);
        read();
        for (int i = 0; i < 10 && SSL_do_handshake(ssl_) != 1; ++i) exchange();
        exchange();
        REQUIRE(SSL_is_init_finished(ssl_));
    }

    ~TlsConnection() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
        ::close(socket_);
    }

    TlsConnection(const TlsConnection&) = delete;
    TlsConnection& operator=(const TlsConnection&) = delete;

    /// Send one record, in so many bytes at a time.
    void send(const std::string& record, std::size_t piece) {
        SSL_write(ssl_, record.data(), static_cast<int>(record.size()));
        push(piece);
    }

    const std::string& received() const { return received_; }
    boost::system::error_code error() const { return error_; }

private:
    void read() {
        stream_->async_read_some(boost::asio::buffer(bytes_),
                                 [this](boost::system::error_code error, std::size_t size) {
                                     received_.append(bytes_, 0, size);
                                     error_ = error;
                                     if (!error) read();
                                 });
    }

    void exchange() {
        push(16000);
        io_.poll();
        char bytes[16000];
        for (ssize_t size; (size = ::recv(socket_, bytes, sizeof bytes, 0)) > 0;)
            BIO_write(SSL_get_rbio(ssl_), bytes, static_cast<int>(size));
    }

    void push(std::size_t piece) {
        std::string out(100000, '\0');
        int size = BIO_read(SSL_get_wbio(ssl_), out.data(), static_cast<int>(out.size()));
        out.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        for (std::string_view rest = out; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
            auto sent = rest.substr(0, piece);
            REQUIRE(::send(socket_, sent.data(), sent.size(), 0) == static_cast<ssize_t>(sent.size()));
        }
    }

    boost::asio::io_context& io_;
    int socket_ = -1;
    std::string bytes_, received_;
    std::unique_ptr<TlsStream> stream_;
    SSL_CTX* context_ = nullptr;
    SSL* ssl_ = nullptr;
    boost::system::error_code error_;
};

}  // namespace

TEST_CASE("TLS stream: a record in many pieces is whole, whatever comes for others meanwhile") {
    test::Certificate certificate;
    TlsContext server({certificate.file, certificate.key_file});
    boost::asio::io_context io(1);
    TlsConnection dripping(io, server), other(io, server);
    const std::string first(10000, 'a'), second(15000, 'b');
    dripping.send(first, 500);
    for (int i = 0; i < 5; ++i) other.send(second, 16000);
    io.poll();
    CHECK(dripping.received() == first);
    CHECK(other.received().size() == 5 * second.size());
    CHECK_FALSE(dripping.error());
    CHECK_FALSE(other.error());
}
