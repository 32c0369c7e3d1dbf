"""A client that does what clients do, over and over, checks every answer, and notes how long each took."""

import os
import random
import socket
import struct
import time

from wire import TEXT, frame, handshake, request

PATIENCE = 40  # seconds, for one answer


class Honest:
    """Blocking sockets, so that nothing of its own gets between an answer and its clock."""

    def __init__(self, port, files):
        self.port, self.files = port, files
        self.times = []  # seconds, of each step
        self.slowest = 0, ""
        self.retries = 0
        self.unanswered = 0  # new connections of this round
        self.stream = None
        self.echo = self.websocket("/echo")
        self.room = f"honest{os.getpid()}"
        self.members = [self.websocket("/rooms/" + self.room) for _ in range(2)]
        self.said = 0

    def close(self):
        for stream in (self.echo, *self.members, self.stream):
            stream.close() if stream else None

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = raw.makefile("rwb", 65536)
        raw.close()  # with the stream
        return stream

    def websocket(self, path):
        for _ in range(10):
            stream = self.connect()
            head = self.ask_on(stream, handshake(path))
            if head:
                assert head[0].startswith("HTTP/1.1 101 "), head
                return stream
        raise AssertionError("no WebSocket in ten attempts")

    @staticmethod
    def send(stream, data):
        stream.write(data)
        stream.flush()

    def ask_on(self, stream, data):
        """The lines of the answer's head; None if the connection was closed before it, as it may be."""
        try:
            self.send(stream, data)
            lines = []
            while line := stream.readline().decode().rstrip("\r\n"):
                lines.append(line)
            return lines or None
        except (ConnectionResetError, BrokenPipeError):
            return None

    def ask(self, data, status=200):
        """The body. A connection that has waited for this request may have had to make way: then ask again, anew."""
        for _ in range(10):
            fresh = self.stream is None
            self.stream = self.stream or self.connect()
            head = self.ask_on(self.stream, data)
            if head:
                break
            self.stream.close()
            self.stream = None
            self.retries += 1
            self.unanswered += fresh
            assert self.unanswered < 20, "new connections get no answer"
        assert head and head[0].startswith(f"HTTP/1.1 {status} "), (data[:100], head)
        size = next(int(line.split(": ")[1]) for line in head if line.lower().startswith("content-length:"))
        body = self.stream.read(size)
        assert len(body) == size, "the answer is cut off"
        return body

    def read_message(self, stream):
        while True:
            head = stream.read(2)
            assert len(head) == 2, "the WebSocket was closed"
            size = head[1]
            if size == 126:
                size, = struct.unpack("!H", stream.read(2))
            elif size == 127:
                size, = struct.unpack("!Q", stream.read(8))
            payload = stream.read(size)
            assert head[0] & 15 != 8, f"the WebSocket was closed: {payload}"
            if head[0] & 15 == 9:
                self.send(stream, frame(10, payload))
            elif head[0] & 15 == TEXT and payload != b"!":  # what attackers say to everyone
                return payload

    # What it does

    def page(self):
        assert self.ask(request("/")) == b"<p>hello"

    def new_connection(self):
        if self.stream:
            self.stream.close()
            self.stream = None
        self.page()

    def body(self):
        sent = os.urandom(random.randrange(1, 20000))
        assert self.ask(request("/body", f"Content-Length: {len(sent)}", method="POST", body=sent)) == sent

    def file(self):
        at = random.randrange(len(self.files["big.bin"]) - 10000)
        got = self.ask(request("/files/big.bin", f"Range: bytes={at}-{at + 9999}"), 206)
        assert got == self.files["big.bin"][at:at + 10000]

    def refused(self):
        self.ask(request("/members/x"), 401)

    def echoed(self):
        text = str(random.random()).encode()
        self.send(self.echo, frame(TEXT, text))
        assert self.read_message(self.echo) == text

    def talk(self):
        self.said += 1
        text = f"message {self.said}".encode()
        self.send(random.choice(self.members), frame(TEXT, b"say " + text))
        for member in self.members:
            assert self.read_message(member) == text

    def who(self):
        self.send(self.members[0], frame(TEXT, b"who " + self.room.encode()))
        assert self.read_message(self.members[0]) == b"members 2"

    STEPS = (page, page, page, new_connection, body, file, refused, echoed, echoed, talk, talk, who)

    def work(self, running, pause=0.004):
        """Until this is no longer so; at least once everything. Returns how long each step took, sorted."""
        self.times = []
        self.unanswered = 0
        steps = list(self.STEPS)
        while running() or len(self.times) < len(steps):
            step = steps[len(self.times) % len(steps)]
            begin = time.perf_counter()
            step(self)
            self.times.append(time.perf_counter() - begin)
            self.slowest = max(self.slowest, (self.times[-1], step.__name__))
            time.sleep(pause)
        return sorted(self.times)
