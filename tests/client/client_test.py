#!/usr/bin/python3
"""Tests the bench server with a client that shares no code with it: Debian's python3-websockets, and bare sockets
for what that library would never send.

Usage: client_test.py SERVER_BINARY [THREADS]
"""

import asyncio
import contextlib
import http.client
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

try:
    import websockets
except ImportError:
    sys.exit("client_test: websockets is missing; install the Debian package python3-websockets")

MIB = 1024 * 1024
PATIENCE = 60  # seconds for one test
SERVER = None
THREADS = "1"

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN = 0x80


class Server:
    """A server of its own on a free port."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen([SERVER, str(self.port), THREADS], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not start: {self.end()}")
            time.sleep(0.02)

    def url(self, path):
        return f"ws://127.0.0.1:{self.port}{path}"

    def ask_to_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def result(self):
        """Its exit status and what it wrote to stderr, such as a sanitizer's report."""
        try:
            errors = self.process.communicate(timeout=20)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            errors = "killed: it did not end within 20 s\n" + self.process.communicate()[1]
        return self.process.returncode, errors

    def end(self):
        self.ask_to_stop()
        return self.result()


def frame(head, payload=b"", length=None):
    """A client's frame, masked with zeroes; `length` is what the head says where that is not the truth."""
    length = len(payload) if length is None else length
    if length < 126:
        size = struct.pack("!B", 0x80 | length)
    elif length < 65536:
        size = struct.pack("!BH", 0x80 | 126, length)
    else:
        size = struct.pack("!BQ", 0x80 | 127, length)
    return bytes([head]) + size + bytes(4) + payload


class Raw:
    """A WebSocket of bare bytes."""

    def __init__(self, port, path="/echo", fields=(), behind=b""):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *fields]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + behind)
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        self.fields = {}
        while (line := self.stream.readline().strip()):
            name, value = line.decode().split(":", 1)
            self.fields[name.lower()] = value.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_frame(self):
        """The first byte and the payload of the next frame; nothing at the end of the stream."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        size = head[1]
        if size == 126:
            size, = struct.unpack("!H", self.stream.read(2))
        elif size == 127:
            size, = struct.unpack("!Q", self.stream.read(8))
        return head[0], self.stream.read(size)

    def read_close(self):
        """The code of the close frame that comes next; None if it has none, and "no close" if there is no such frame."""
        got = self.read_frame()
        if got is None or got[0] != FIN | CLOSE:
            return "no close"
        return struct.unpack("!H", got[1][:2])[0] if got[1] else None


def as_text(message):
    return message if isinstance(message, str) else message.decode()


class ClientTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        status, errors = cls.server.end()
        if status != 0 or errors:
            raise AssertionError(f"the server ended with {status} and said:\n{errors}")

    def connect(self, path, **options):
        options = {"max_size": None, "compression": None, "ping_interval": None, "open_timeout": 20, **options}
        return websockets.connect(self.server.url(path), **options)

    def raw(self, path="/echo", **options):
        return Raw(self.server.port, path, **options)

    async def within_patience(self, awaitable):
        return await asyncio.wait_for(awaitable, PATIENCE)

    # HTTP

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", "").split(";")[0], response.read()

    def test_http(self):
        self.assertEqual(self.ask("GET", "/plaintext"), (200, "text/plain", b"Hello, World!"))
        self.assertEqual(self.ask("GET", "/json"), (200, "application/json", b'{"message":"Hello, World!"}'))
        self.assertEqual(self.ask("GET", "/users/caf%C3%A9"), (200, "text/plain", "café".encode()))
        for size in (0, 1, 5000, MIB):
            body = os.urandom(size)
            status, _, back = self.ask("POST", "/echo-body", body)
            self.assertEqual((status, back == body), (200, True), size)
        self.assertEqual(self.ask("POST", "/echo-body", bytes(MIB + 1))[0], 413)
        self.assertEqual(self.ask("GET", "/nowhere")[0], 404)
        self.assertEqual(self.ask("POST", "/plaintext")[0], 405)

    # Messages

    async def test_echo_of_every_size(self):
        sizes = (0, 1, 2, 124, 125, 126, 127, 128, 1023, 4096, 65535, 65536, 65537, 300000, MIB)
        async with self.connect("/echo") as socket:
            for size in sizes:
                for message in (os.urandom(size), ("aé€😀" * size)[:size]):
                    await socket.send(message)
                    back = await self.within_patience(socket.recv())
                    self.assertIs(type(back), type(message))
                    self.assertTrue(back == message, f"{size} of {type(message)} came back changed")

    async def test_echo_keeps_the_order_of_messages_in_flight(self):
        messages = [str(i) * (i % 50) if i % 3 else bytes([i % 256]) * (i % 3000) for i in range(2000)]
        async with self.connect("/echo") as socket:
            async def send():
                for message in messages:
                    await socket.send(message)
            sender = asyncio.create_task(send())
            for message in messages:
                self.assertEqual(await self.within_patience(socket.recv()), message)
            await sender

    async def test_fragments_become_one_message(self):
        async with self.connect("/echo") as socket:
            for pieces in (["a", "b", "c"], ["", "é", ""], [b"\0", b"", b"\xff" * 70000], ["x"] * 300):
                await socket.send(pieces)
                self.assertEqual(await self.within_patience(socket.recv()), type(pieces[0])().join(pieces))

    async def test_ping_between_fragments(self):
        async with self.connect("/echo") as socket:
            async def pieces():
                yield "one "
                await self.within_patience(await socket.ping(b"between"))
                yield "message"
            await socket.send(pieces())
            self.assertEqual(await self.within_patience(socket.recv()), "one message")

    async def test_ping_and_pong(self):
        async with self.connect("/echo") as socket:
            for data in (b"", b"x", os.urandom(125)):
                await self.within_patience(await socket.ping(data))
            await socket.pong(b"nobody asked")
            await socket.send("still here")
            self.assertEqual(await self.within_patience(socket.recv()), "still here")

    def test_largest_message_and_one_byte_more(self):
        payload = os.urandom(16 * MIB)
        with self.raw() as raw:
            raw.send(frame(FIN | BINARY, payload))
            self.assertTrue(raw.read_frame() == (FIN | BINARY, payload))
        with self.raw() as raw:
            raw.send(frame(FIN | BINARY, length=16 * MIB + 1))
            self.assertEqual(raw.read_close(), 1009)

    def test_most_fragments_and_one_more(self):
        def message(count):
            return frame(TEXT, b"x") + frame(0, b"x") * (count - 2) + frame(FIN, b"x")
        with self.raw() as raw:
            raw.send(message(131072))
            self.assertTrue(raw.read_frame() == (FIN | TEXT, b"x" * 131072))
        with self.raw() as raw:
            raw.send(message(131073))
            self.assertEqual(raw.read_close(), 1008)

    # Handshake

    async def test_no_subprotocol_is_agreed_on(self):
        async with self.connect("/echo", subprotocols=["chat.v2", "chat.v1"]) as socket:
            self.assertIsNone(socket.subprotocol)
            await socket.send("hi")
            self.assertEqual(await self.within_patience(socket.recv()), "hi")
        with self.raw(fields=["Sec-WebSocket-Protocol: chat.v2"]) as raw:
            self.assertEqual(raw.status, 101)
            self.assertNotIn("sec-websocket-protocol", raw.fields)

    async def test_compression_is_offered_and_declined(self):
        async with self.connect("/echo", compression="deflate") as socket:
            await socket.send("a" * 10000)
            self.assertEqual(await self.within_patience(socket.recv()), "a" * 10000)
        with self.raw(fields=["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]) as raw:
            self.assertEqual(raw.status, 101)
            self.assertEqual(raw.fields["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")  # RFC 6455, section 1.3
            self.assertNotIn("sec-websocket-extensions", raw.fields)

    def test_only_pages_of_the_same_origin_connect(self):
        own = f"http://127.0.0.1:{self.server.port}"
        for origin, status in ((own, 101), ("http://evil.example", 403), ("null", 403), (own + "0", 403)):
            with self.raw(fields=[f"Origin: {origin}"]) as raw:
                self.assertEqual(raw.status, status, origin)

    def test_bytes_right_behind_the_handshake_are_frames(self):
        with self.raw(behind=frame(FIN | TEXT, b"early") + frame(FIN | BINARY, b"bird")) as raw:
            self.assertEqual(raw.read_frame(), (FIN | TEXT, b"early"))
            self.assertEqual(raw.read_frame(), (FIN | BINARY, b"bird"))

    # Closing

    async def test_close_codes_come_back(self):
        for code, reason in ((1000, "bye"), (1001, ""), (1011, "é" * 61), (3000, ""), (4999, "own")):
            async with self.connect("/echo") as socket:
                await self.within_patience(socket.close(code, reason))
                self.assertEqual(socket.close_code, code)

    def test_closes_of_bare_bytes(self):
        too_long = frame(FIN | PING, b"x" * 126)
        cases = {
            "without a code": (frame(FIN | CLOSE), (None, 1000)),
            "with a code": (frame(FIN | CLOSE, struct.pack("!H", 4001)), 4001),
            "half a code": (frame(FIN | CLOSE, b"\3"), 1002),
            "a code that must not be sent": (frame(FIN | CLOSE, struct.pack("!H", 1005)), 1002),
            "a code that does not exist": (frame(FIN | CLOSE, struct.pack("!H", 999)), 1002),
            "a reason that is no UTF-8": (frame(FIN | CLOSE, struct.pack("!H", 1000) + b"\xff"), (1002, 1007)),
            "a frame without a mask": (b"\x81\x02hi", 1002),
            "a reserved opcode": (frame(FIN | 3, b"x"), 1002),
            "a reserved control opcode": (frame(FIN | 11), 1002),
            "a reserved bit": (frame(FIN | 0x40 | TEXT, b"x"), 1002),
            "a fragmented ping": (frame(PING, b"x"), 1002),
            "a ping that is too long": (too_long, 1002),
            "a continuation of nothing": (frame(FIN, b"x"), 1002),
            "a message within a message": (frame(TEXT, b"x") + frame(FIN | TEXT, b"y"), 1002),
            "text that is no UTF-8": (frame(FIN | TEXT, b"\xc0\xaf"), 1007),
            "text that ends inside a character": (frame(FIN | TEXT, b"\xe2\x82"), 1007),
            "text that ends inside a character, with an empty end": (frame(TEXT, b"\xcf") + frame(FIN), 1007),
            "a length with its highest bit set": (frame(FIN | BINARY, length=1 << 63), (1002, 1009)),
        }
        for what, (sent, expected) in cases.items():
            with self.subTest(what), self.raw() as raw:
                raw.send(sent)
                code = raw.read_close()
                self.assertIn(code, expected if isinstance(expected, tuple) else (expected,))
                raw.send(frame(FIN | CLOSE))
                self.assertIsNone(raw.read_frame(), "bytes behind the close frame")

    def test_messages_before_a_close_are_answered(self):
        with self.raw() as raw:
            raw.send(frame(FIN | TEXT, b"last words") + frame(FIN | CLOSE, struct.pack("!H", 1000)))
            self.assertEqual(raw.read_frame(), (FIN | TEXT, b"last words"))
            self.assertEqual(raw.read_close(), 1000)
            self.assertIsNone(raw.read_frame())

    # Chat

    async def test_all_in_the_chat_see_every_message_once_and_in_one_order(self):
        clients, rounds = 25, 20
        async with contextlib.AsyncExitStack() as stack:
            connections = [self.connect("/chat") for _ in range(clients)]
            sockets = [await stack.enter_async_context(connection) for connection in connections]

            async def talk(number):
                for i in range(rounds):
                    text = f"{number}:{i}"
                    await sockets[number].send(text if i % 2 else text.encode())
                    if i % 5 == 0:
                        await asyncio.sleep(0)

            async def listen(number):
                return [await sockets[number].recv() for _ in range(clients * rounds)]

            listeners = [asyncio.create_task(listen(number)) for number in range(clients)]
            await asyncio.gather(*(talk(number) for number in range(clients)))
            heard = await self.within_patience(asyncio.gather(*listeners))

            spoken = {f"{number}:{i}" if i % 2 else f"{number}:{i}".encode() for number in range(clients) for i in range(rounds)}
            self.assertEqual(len(heard[0]), len(spoken))
            self.assertEqual(set(heard[0]), spoken)
            for number in range(clients):
                self.assertTrue(heard[number] == heard[0], f"client {number} saw another order than client 0")
                own = [text for text in map(as_text, heard[0]) if text.startswith(f"{number}:")]
                self.assertEqual(own, [f"{number}:{i}" for i in range(rounds)])

    async def test_who_left_the_chat_is_missed_by_nobody(self):
        async with self.connect("/chat") as stays:
            async with self.connect("/chat") as goes:
                await goes.send("here")
                self.assertEqual(await self.within_patience(stays.recv()), "here")
            with self.raw("/chat"):
                pass  # vanishes
            with self.raw("/chat") as raw:
                raw.send(frame(FIN | TEXT, length=1000))  # vanishes within a frame
            for i in range(10):
                await stays.send(str(i))
                self.assertEqual(await self.within_patience(stays.recv()), str(i))

    # The end

    async def test_shutdown_says_going_away(self):
        own = Server()
        try:
            sockets = [await websockets.connect(own.url(path), ping_interval=None) for path in ("/echo", "/chat", "/chat")]
        finally:
            own.ask_to_stop()
        began = time.monotonic()
        for socket in sockets:
            with self.assertRaises(websockets.ConnectionClosed):
                await self.within_patience(socket.recv())
            self.assertEqual(socket.close_code, 1001)
        self.assertEqual(own.result(), (0, ""))
        self.assertLess(time.monotonic() - began, 5)

    def test_a_taken_port_is_reported(self):
        second = subprocess.run([SERVER, str(self.server.port), THREADS], capture_output=True, text=True, timeout=20)
        self.assertNotEqual(second.returncode, 0)
        self.assertRegex(second.stderr, re.escape(f"127.0.0.1:{self.server.port}"))


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # its debug mode reports slow steps
    SERVER = os.path.abspath(sys.argv[1])
    THREADS = sys.argv[2] if len(sys.argv) == 3 else "1"
    unittest.main(argv=sys.argv[:1], verbosity=2)
