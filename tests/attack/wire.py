"""Connections that attackers make, the table of what they do with them, and what the server may answer."""

import asyncio
import collections
import os
import random
import socket
import struct

ABUSES = {}  # by name
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GONE = (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError)


def abuse(function):
    ABUSES[function.__name__] = function
    return function


def request(path="/", *fields, method="GET", body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def handshake(path, *fields):
    return request(path, "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                   "Sec-WebSocket-Key: " + KEY.decode(), *fields)


def frame(opcode, payload=b"", first=0x80, mask=bytes(4)):
    """Masked with zeros, which leaves the payload as it is."""
    size = len(payload)
    if size < 126:
        length = struct.pack("!B", 0x80 | size)
    elif size < 65536:
        length = struct.pack("!BH", 0x80 | 126, size)
    else:
        length = struct.pack("!BQ", 0x80 | 127, size)
    return bytes([first | opcode]) + length + mask + payload


def words(*lines):
    return b"".join(frame(TEXT, line.encode()) for line in lines)


class Wire:
    """One connection. What fails because the server has ended it is no failure: `over` is True then."""

    def __init__(self, raw):
        self.raw = raw
        self.over = False

    async def send(self, data, patience=0.5):
        """As much as the server takes within this time; True if that was all."""
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(self.raw, data), patience)
            return True
        except asyncio.TimeoutError:
            return False
        except OSError:
            self.over = True
            return False

    async def send_slowly(self, data, pause=0.1, seconds=2.0):
        end = asyncio.get_running_loop().time() + seconds
        for byte in data:
            if asyncio.get_running_loop().time() > end or not await self.send(bytes([byte])):
                return
            await asyncio.sleep(pause)

    async def read_some(self, size=65536, patience=2.0):
        try:
            data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.raw, size), patience)
        except asyncio.TimeoutError:
            return b""
        except OSError:
            data = b""
        self.over = self.over or not data
        return data

    async def read(self, seconds=2.0, until=None, most=1 << 20):
        """What comes within this time, to the end or until some bytes have come."""
        end = asyncio.get_running_loop().time() + seconds
        data = bytearray()
        while len(data) < most and (left := end - asyncio.get_running_loop().time()) > 0:
            if not (part := await self.read_some(patience=left)):
                break
            data += part
            if until and until in data:
                break
        return bytes(data)

    async def ended(self, seconds):
        """Whether the server ends the connection within this time; what it sends meanwhile is nothing to us."""
        await self.read(seconds, most=1 << 40)
        return self.over

    def reset(self):
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.raw.close()

    def half_close(self):
        try:
            self.raw.shutdown(socket.SHUT_WR)
        except OSError:
            self.over = True

    def close(self):
        self.raw.close()

    def leave(self):
        """In one of all ways."""
        random.choice((self.reset, self.close))()


class Net:
    """Where all connections of one abuse come from: they are closed with it."""

    def __init__(self, port, wrong):
        self.port, self.wrong = port, wrong
        self.wires = []

    async def connect(self, receive_buffer=None, source=None):
        raw = socket.socket()
        wire = Wire(raw)
        self.wires.append(wire)
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.bind((source or f"127.0.1.{random.randrange(1, 9)}", 0))
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port)), 3)
        return wire

    async def connect_all(self, count, **options):
        return [await self.connect(**options) for _ in range(count)]

    async def websocket(self, path="/echo", *fields, **options):
        """Over if the server had no place for it."""
        wire = await self.connect(**options)
        await wire.send(handshake(path, *fields))
        head = await wire.read(until=b"\r\n\r\n")
        self.check(head, 101)
        wire.over = wire.over or not head.startswith(b"HTTP/1.1 101 ")
        return wire

    async def ask(self, data, *statuses, seconds=2.0):
        """Send this and check the status of the answer."""
        wire = await self.connect()
        await wire.send(data)
        answer = await wire.read(seconds, until=b"\r\n\r\n")
        self.check(answer, *statuses)
        return wire, answer

    def check(self, answer, *statuses):
        """An answer may be missing, when the connection had to make way, or be 503 when there is too much of something."""
        if answer and not any(answer.startswith(b"HTTP/1.1 %d " % status) for status in (*statuses, 503)):
            self.wrong.append(f"{self.name}: {answer[:200]!r} instead of {statuses}")

    async def all_closed_with(self, path, all_frames, *codes):
        """Each of them on a WebSocket of its own."""
        async def one(frames):
            wire = await self.websocket(path)
            await wire.send(frames)
            await self.closed_with(wire, *codes)
        await asyncio.gather(*(one(frames) for frames in all_frames))

    async def closed_with(self, wire, *codes, seconds=6.0):
        """Check that the WebSocket is closed, and with one of these codes if there is a code."""
        data = b"" if wire.over else await wire.read(seconds, most=1 << 24)
        at = data.rfind(b"\x88")
        if wire.over and data and at >= 0 and len(data) >= at + 4:
            code, = struct.unpack("!H", data[at + 2:at + 4])
            if code not in (*codes, 1013):
                self.wrong.append(f"{self.name}: closed with {code} instead of {codes}")
        elif not wire.over:
            self.wrong.append(f"{self.name}: not closed within {seconds} s, but {data[-100:]!r}")

    async def run(self, name):
        self.name = name
        try:
            await asyncio.wait_for(ABUSES[name](self), 12)
        except GONE:
            pass  # the server had enough of it
        finally:
            for wire in self.wires:
                wire.leave() if wire.raw.fileno() >= 0 else None


async def attack(port, seconds, names, workers=24):
    """Let attackers draw from the names, as long as this lasts and until each was drawn once.

    Returns how often each ran, and what the server did wrong."""
    count, wrong = collections.Counter(), []
    deck = []
    end = asyncio.get_running_loop().time() + seconds

    async def work():
        while asyncio.get_running_loop().time() < end or len(count) < len(names):
            if not deck:
                deck.extend(random.sample(names, len(names)))
            name = deck.pop()
            count[name] += 1
            await Net(port, wrong).run(name)

    await asyncio.gather(*(work() for _ in range(workers)))
    return count, wrong


def garbage(size):
    return os.urandom(size)
