#ifndef KVOLT_TESTING_WEBSOCKET_HPP
#define KVOLT_TESTING_WEBSOCKET_HPP

#include <kvolt/detail/core/frame.hpp>
#include <kvolt/detail/testing/memory_server.hpp>
#include <kvolt/detail/testing/memory_stream.hpp>
#include <kvolt/detail/websocket/client_frame.hpp>
#include <kvolt/detail/websocket/frame_reader.hpp>
#include <kvolt/message.hpp>
#include <kvolt/testing/connection.hpp>
#include <kvolt/testing/response.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace kvolt::testing {

/// The client's end of a WebSocket, made by `client.websocket("/ws").connect()`.
///
/// It behaves like that of a browser whose page listens: messages are taken as they come and wait for read(), pings
/// and closes are answered, also while another one is read from. pause() makes it a slow one. It vanishes when this is
/// destroyed. Move-only.
class WebSocket {
public:
    /// The handshake is over.
    WebSocket(Connection connection, Response response)
        : state_(std::make_unique<State>(std::move(connection), std::move(response))) {}

    /// Send a message; the app sees it when something runs it. Does nothing once either side has closed.
    ///
    /// @param message  A string is text; `kvolt::MessageView::bytes(...)` makes a binary message.
    void send(MessageView message) { state_->send(message.binary ? Opcode::binary : Opcode::text, message.payload); }

    /// Run the app until a message is here.
    ///
    /// @returns  the next message; nothing if the connection is over instead, which close_code() explains.
    /// @throws std::runtime_error  that says why, if neither comes; also if this is paused.
    std::optional<Message> read() {
        State& state = *state_;
        if (state.paused && state.messages.empty()) throw std::runtime_error("kvolt: read() of a paused WebSocket");
        auto why = state.server->run_until([&] { return !state.messages.empty() || state.over(); });
        if (!state.failure.empty()) throw std::runtime_error(state.failure);
        if (why) throw std::runtime_error("kvolt: no message: " + std::string(why));
        if (state.messages.empty()) return std::nullopt;
        Message message = std::move(state.messages.front());
        state.messages.pop_front();
        return message;
    }

    /// The text of the next message. Throws like read(), and if the connection is over or the message is binary.
    std::string read_text() {
        auto message = read();
        if (!message)
            throw std::runtime_error("kvolt: no message: the WebSocket is closed with " + std::to_string(state_->code) +
                                     ' ' + state_->reason);
        if (message->binary) throw std::runtime_error("kvolt: not a text but a binary message");
        return std::move(message->payload);
    }

    /// Run what can run now; then how many messages wait to be read.
    std::size_t waiting() {
        state_->server->settle();
        return state_->messages.size();
    }

    /// Send a close frame, and nothing more from then on.
    ///
    /// @param code  Any: nothing is checked; close_code::no_status sends none.
    void close(std::uint16_t code = kvolt::close_code::normal, std::string_view reason = {}) {
        state_->close(code, reason);
    }

    /// Run what can run now; then why the connection is over: the code in the server's close frame, 1005 if that has
    /// none, 1006 if it was lost; 0 while it is open.
    std::uint16_t close_code() {
        state_->server->settle();
        return state_->code;
    }
    std::string close_reason() {
        state_->server->settle();
        return state_->reason;
    }

    /// Take nothing from now on: once what Client::socket_buffer() says is full, the app feels it. Pings are not
    /// answered either.
    void pause() noexcept { state_->paused = true; }

    /// Take what has been waiting, and go on.
    void resume() {
        state_->paused = false;
        state_->receive();
    }

    /// Lose the connection, without a close frame.
    void reset() { state_->reset(); }

    /// The answer to the handshake, and the subprotocol that the app has picked.
    const Response& response() const noexcept { return state_->response; }
    std::string_view protocol() const noexcept { return response().header("Sec-WebSocket-Protocol"); }

private:
    using Opcode = detail::Opcode;

    struct State {
        State(Connection from, Response answer)
            : connection(std::move(from)), response(std::move(answer)), server(connection.server()) {
            connection.stream()->on_change = [this] { receive(); };
            receive();
        }

        ~State() { connection.close(); }

        bool over() const noexcept { return code != 0; }

        void send(Opcode opcode, std::string_view payload) {
            if (sent_close || !connection.stream()) return;
            std::string frame;
            detail::append_masked_frame(frame, opcode, payload, {0x12, 0x34, 0x56, 0x78});
            connection.send(frame);
        }

        void close(std::uint16_t with, std::string_view why) {
            send(Opcode::close, detail::close_payload(with, why));
            sent_close = true;
        }

        void receive() {
            auto stream = connection.stream();
            if (paused || !stream) return;
            received += std::exchange(connection.received(), {}) + stream->take();
            std::span<char> rest(received);
            while (!over() && failure.empty()) {
                auto result = reader.read(rest);
                if (result == detail::FrameReader::Result::more) break;
                take(result);
            }
            received.erase(0, received.size() - rest.size());
            if (!stream->ended()) return;
            if (!over()) code = kvolt::close_code::abnormal;
            stream->end();  // the server closes first
        }

        void take(detail::FrameReader::Result result) {
            using Result = detail::FrameReader::Result;
            if (result == Result::message) messages.push_back(reader.take_message());
            if (result == Result::ping) send(Opcode::pong, reader.control());
            if (result == Result::fault)
                failure = "kvolt: the server breaks the protocol: " + std::string(reader.reason());
            if (result != Result::close) return;
            code = reader.code();
            reason = reader.reason();
            close(code, {});
        }

        void reset() {
            connection.reset();
            if (!over()) code = kvolt::close_code::abnormal;
        }

        Connection connection;
        const Response response;
        std::shared_ptr<detail::MemoryServer> server;
        std::string received;  // and not taken apart
        detail::FrameReader reader{static_cast<std::size_t>(-1), static_cast<std::size_t>(-1), detail::Role::client};
        std::deque<Message> messages;  // to be read
        std::string failure;           // of the server
        std::uint16_t code = 0;        // once it is over
        std::string reason;
        bool paused = false;
        bool sent_close = false;
    };

    std::unique_ptr<State> state_;
};

}  // namespace kvolt::testing

#endif
