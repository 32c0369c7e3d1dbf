#!/usr/bin/python3
"""Holds the bench server's WebSocket /echo against RFC 6455, case by case, in the order and with the numbers of the
Autobahn test suite: framing (1), pings (2), reserved bits (3), opcodes (4), fragments (5), UTF-8 (6), closing (7), sizes
(9), auto-fragmentation (10), and permessage-deflate (12, 13). Every answer must be exactly the one that the RFC asks for,
as soon as it can be given.

The suite's files for 12 and 13 are replaced by material of the same kinds and sizes, made here; 12 is sent to /deflate, 13
to /deflate/takeover. Of the suite's 1000 messages a case sends what fits into MIB (1/8), but at least 4; 128 is room for all.

Usage: conformance_test.py SERVER_BINARY [THREADS [MIB]]
"""

import itertools
import json
import os
import random
import socket
import struct
import sys
import unittest
import zlib

import client_test
from client_test import BINARY, CLOSE, FIN, PING, PONG, TEXT, Server

CONTINUATION = 0
KIB, MIB = 1024, 1024 * 1024
PATIENCE = 30  # seconds
CASE_BYTES = MIB // 8  # of the messages of a case of 12 and 13
MASK = b"\x37\xfa\x21\x3d"


def masked(payload):
    """XOR with the mask, by way of one long number."""
    size = len(payload)
    key = (MASK * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=True):
    size = len(payload)
    bit = 0x80 if mask else 0
    if size < 126:
        length = struct.pack("!B", bit | size)
    elif size < 65536:
        length = struct.pack("!BH", bit | 126, size)
    else:
        length = struct.pack("!BQ", bit | 127, size)
    head = bytes([(FIN if fin else 0) | rsv << 4 | opcode]) + length
    return head + MASK + masked(payload) if mask else head + payload


def close_frame(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def fragments(opcode, payload, size, rsv=0):
    parts = [payload[at:at + size] for at in range(0, len(payload), size)] or [b""]
    return [frame(CONTINUATION if i else opcode, part, fin=i == len(parts) - 1, rsv=0 if i else rsv)
            for i, part in enumerate(parts)]


class Socket:
    """A WebSocket to an echo that is opened for one case."""

    def __init__(self, port, path="/echo", offer=None):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        extensions = f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else ""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                            f"{extensions}\r\n".encode())
        self.stream = self.socket.makefile("rb")
        assert self.stream.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        self.extensions = None
        self.compressed = False  # the frame that was read last
        while line := self.stream.readline().strip():
            name, value = line.decode().split(": ", 1)
            if name.lower() == "sec-websocket-extensions":
                self.extensions = value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def send(self, data, step=None):
        if step is None:
            self.socket.sendall(data)
        else:
            for at in range(0, len(data), step):
                self.socket.sendall(data[at:at + step])

    def read(self):
        """Opcode and payload of the next frame, which must be final, unmasked, and of the least length. Only where that
        was agreed on it may be compressed."""
        head = self.stream.read(2)
        if len(head) < 2:
            return None
        self.compressed = self.extensions is not None and head[0] & 15 in (TEXT, BINARY) and head[0] & 0x40 != 0
        assert head[0] & 0xF0 == FIN | (0x40 if self.compressed else 0) and head[1] < 128, head
        size = head[1]
        if size == 126:
            size, = struct.unpack("!H", self.stream.read(2))
            assert size >= 126
        elif size == 127:
            size, = struct.unpack("!Q", self.stream.read(8))
            assert size >= 65536
        return head[0] & 15, self.stream.read(size)

    def read_message(self):
        """The next frame that is no ping; those come where a case takes long, and are answered."""
        while (got := self.read()) and got[0] == PING:
            self.send(frame(PONG, got[1]))
        return got

    def closed(self):
        """The code of the close frame that comes now, behind which the server ends the connection."""
        got = self.read()
        assert got is not None and got[0] == CLOSE, f"no close but {got and (got[0], got[1][:50])}"
        try:
            rest = self.stream.read()
        except ConnectionResetError:
            raise AssertionError("reset instead of closed") from None
        assert rest == b"", rest[:50]
        return struct.unpack("!H", got[1][:2])[0] if got[1] else None


class Deflate:
    """The client's side of permessage-deflate, as the server's answer has it."""

    def __init__(self, answer):
        name, *parameters = answer.split("; ")
        assert name == "permessage-deflate", answer
        self.parameters = dict((parameter.split("=") + [None])[:2] for parameter in parameters)
        assert len(self.parameters) == len(parameters), answer
        self.out = self.into = None

    def bits(self, side):
        return int(self.parameters.get(side + "_max_window_bits", 15))

    def deflate(self, message):
        if self.out is None or "client_no_context_takeover" in self.parameters:
            self.out = zlib.compressobj(wbits=-self.bits("client"))
        payload = self.out.compress(message) + self.out.flush(zlib.Z_SYNC_FLUSH)
        return payload[:-4]

    def inflate(self, payload):
        if self.into is None or "server_no_context_takeover" in self.parameters:
            self.into = zlib.decompressobj(-self.bits("server"))
        return self.into.decompress(payload + b"\0\0\xff\xff")


def materials():
    """What the suite sends in 12.1 to 12.5: its kind, whether as text, and the bytes."""
    choose = random.Random(1)
    stems = [bytes(choose.choices(b"eeeennnniiirrrssaaattthhdduullccggmmoobbwwffkkzzppvvjyxq", k=choose.randint(2, 9)))
             for _ in range(4000)]
    weights = list(itertools.accumulate(range(4000, 0, -1)))  # some words are much more frequent

    def words(count):
        return " ".join(stem.decode() for stem in choose.choices(stems, cum_weights=weights, k=count))

    def whole(size, make):
        made = b""
        while len(made) < size:
            made += make()
        return made[:size]

    def entry():
        return json.dumps({"id": choose.randrange(10 ** 6), "name": words(2), "tags": words(4).split(), "on": bool(choose.randrange(2)),
                           "place": [choose.uniform(-180, 180), choose.uniform(-90, 90)], "text": words(12)}, indent=4).encode()

    def pixels():
        start, drift = choose.randrange(60, 180), choose.uniform(-.2, .2)
        return bytes(int(start + drift * x + choose.gauss(0, 3)) & 255 for x in range(512))

    def verse():
        return (words(choose.randint(5, 9)).replace("uu", "\u00fc").replace("aa", "\u00e4").capitalize() + ",\r\n").encode()

    def element():
        return f'<div class="{words(1)}"><a href="/{words(1)}/{words(1)}">{words(3)}</a>\n    <p>{words(30)}</p></div>\n'.encode()

    def page():
        body = zlib.compress(words(3000).encode())
        return b"%d 0 obj\n<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream\nendobj\n" % (
            choose.randrange(1000), len(body), body)

    return (("JSON", True, whole(194056, entry)), ("a bitmap", False, whole(263222, pixels)),
            ("German verse", False, whole(222218, verse)), ("HTML", True, whole(263527, element)),
            ("a PDF", False, whole(1042328, page)))


# Sizes of messages, and of the fragments that they are sent in, if any.
SIZES = (*((16 * 4 ** i, None) for i in range(5)), *((8192 << i, None) for i in range(5)),
         *((8192 << i, 256) for i in range(5)), *((131072, size) for size in (1024, 4096, 32768)))


class ConformanceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.materials = materials()

    @classmethod
    def tearDownClass(cls):
        status, errors = cls.server.end()
        if status != 0 or errors:
            raise AssertionError(f"the server ended with {status}: {errors}")

    def open(self):
        return Socket(self.server.port)

    def good(self, name, sent, expected, step=None):
        """`sent` gets exactly the frames that are expected, and the connection closes in peace."""
        with self.subTest(name), self.open() as ws:
            ws.send(b"".join(sent), step)
            for frame_ in expected:
                self.assertEqual(ws.read(), frame_)
            ws.send(close_frame(1000))
            self.assertEqual(ws.closed(), 1000)

    def bad(self, name, sent, code, before=(), step=None):
        """`sent` fails the connection with this code, behind the frames that were earned before."""
        with self.subTest(name), self.open() as ws:
            ws.send(b"".join(sent), step)
            for frame_ in before:
                self.assertEqual(ws.read(), frame_)
            self.assertEqual(ws.closed(), code)

    def test_1_framing(self):
        for section, opcode, byte in ((1, TEXT, b"*"), (2, BINARY, b"\xfe")):
            for case, size in enumerate((0, 125, 126, 127, 128, 65535, 65536), 1):
                payload = byte * size
                self.good(f"1.{section}.{case}", [frame(opcode, payload)], [(opcode, payload)])
            self.good(f"1.{section}.8", [frame(opcode, byte * 65536)], [(opcode, byte * 65536)], step=997)

    def test_2_pings(self):
        for case, payload in ((1, b""), (2, b"Hello, world!"), (3, bytes(range(0, 256, 2))[:125]), (4, b"\xfe" * 125)):
            self.good(f"2.{case}", [frame(PING, payload)], [(PONG, payload)])
        self.bad("2.5", [frame(PING, b"\xfe" * 126)], 1002)
        self.good("2.6", [frame(PING, b"\xfe" * 125)], [(PONG, b"\xfe" * 125)], step=1)
        self.good("2.7", [frame(PONG)], [])
        self.good("2.8", [frame(PONG, b"unsolicited")], [])
        self.good("2.9", [frame(PONG, b"unsolicited"), frame(PING, b"ping")], [(PONG, b"ping")])
        pings = [b"payload-%d" % i for i in range(10)]
        for case, step in ((10, None), (11, 1)):
            self.good(f"2.{case}", [frame(PING, p) for p in pings], [(PONG, p) for p in pings], step)

    def test_3_reserved_bits(self):
        hello = frame(TEXT, b"Hello, world!")
        echoed = [(TEXT, b"Hello, world!")]
        self.bad("3.1", [frame(TEXT, b"Hello, world!", rsv=1)], 1002)
        for case, step in ((2, None), (3, None), (4, 1)):
            rsv = case
            self.bad(f"3.{case}", [hello, frame(TEXT, b"Hello, world!", rsv=rsv), frame(PING)], 1002, echoed, step)
        self.bad("3.5", [frame(BINARY, b"\0" * 8, rsv=5)], 1002)
        self.bad("3.6", [frame(PING, b"Hello, world!", rsv=6)], 1002)
        self.bad("3.7", [frame(CLOSE, rsv=7)], 1002)

    def test_4_opcodes(self):
        hello, echoed = frame(TEXT, b"Hello, world!"), [(TEXT, b"Hello, world!")]
        for section, opcodes in ((1, range(3, 8)), (2, range(11, 16))):
            for case, opcode in enumerate(opcodes, 1):
                name = f"4.{section}.{case}"
                if case == 1:
                    self.bad(name, [frame(opcode)], 1002)
                elif case == 2:
                    self.bad(name, [frame(opcode, b"reserved opcode")], 1002)
                else:
                    sent = [hello, frame(opcode, b"" if case == 3 else b"reserved opcode"), frame(PING)]
                    self.bad(name, sent, 1002, echoed, 1 if case == 5 else None)

    def test_5_fragments(self):
        def part(opcode, payload, fin=False):
            return frame(opcode, payload, fin=fin)

        one, two = part(TEXT, b"fragment1"), part(CONTINUATION, b"fragment2", True)
        whole = (TEXT, b"fragment1fragment2")
        self.bad("5.1", [frame(PING, b"fragment1", fin=False), two], 1002)
        self.bad("5.2", [frame(PONG, b"fragment1", fin=False), two], 1002)
        for case, step in ((3, None), (4, None), (5, 1)):
            self.good(f"5.{case}", [one, two], [whole], step)
        for case, step in ((6, None), (7, None), (8, 1)):
            self.good(f"5.{case}", [one, frame(PING, b"ping"), two], [(PONG, b"ping"), whole], step)
        for case, fin, step in ((9, True, None), (10, True, None), (11, True, 1), (12, False, None), (13, False, None),
                                (14, False, 1)):
            sent = [part(CONTINUATION, b"non-continuation payload", fin), frame(TEXT, b"Hello, world!")]
            self.bad(f"5.{case}", sent, 1002, step=step)
        self.bad("5.15", [one, two, part(CONTINUATION, b"fragment3"), part(TEXT, b"fragment4", True)], 1002, [whole])
        for case, fin in ((16, False), (17, True)):
            self.bad(f"5.{case}", [part(CONTINUATION, b"fragment1", fin), part(TEXT, b"fragment2"),
                                   part(CONTINUATION, b"fragment3", True)], 1002)
        self.bad("5.18", [one, part(TEXT, b"fragment2", True)], 1002)
        for case, step in ((19, None), (20, 1)):
            sent = [one, part(CONTINUATION, b"fragment2"), frame(PING, b"ping1"), part(CONTINUATION, b"fragment3"),
                    part(CONTINUATION, b"fragment4"), frame(PING, b"ping2"), part(CONTINUATION, b"fragment5", True)]
            expected = [(PONG, b"ping1"), (PONG, b"ping2"), (TEXT, b"fragment1fragment2fragment3fragment4fragment5")]
            self.good(f"5.{case}", sent, expected, step)

    def test_6_utf8(self):
        def parts(*payloads):
            return [frame(CONTINUATION if i else TEXT, p, fin=i == len(payloads) - 1) for i, p in enumerate(payloads)]

        greek = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
        self.good("6.1.1", parts(b""), [(TEXT, b"")])
        self.good("6.1.2", parts(b"", b"", b""), [(TEXT, b"")])
        self.good("6.1.3", parts(b"", b"middle frame payload", b""), [(TEXT, b"middle frame payload")])
        text = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!".encode()
        self.good("6.2.1", parts(text), [(TEXT, text)])
        self.good("6.2.2", parts(text[:12], text[12:]), [(TEXT, text)])
        self.good("6.2.3", fragments(TEXT, text, 1), [(TEXT, text)])
        self.good("6.2.4", fragments(TEXT, greek, 1), [(TEXT, greek)])
        wrong = greek + b"\xed\xa0\x80edited"
        self.bad("6.3.1", parts(wrong), 1007)
        self.bad("6.3.2", fragments(TEXT, wrong, 1), 1007)

        # The connection fails at the first bad byte, whatever is still to come.
        valid, bad, rest = greek + b"\xf4", b"\x90", b"\x80\x80edited"
        with self.subTest("6.4.1 fails in the fragment"), self.open() as ws:
            ws.send(frame(TEXT, valid, fin=False))
            ws.send(frame(CONTINUATION, bad, fin=False))
            self.assertEqual(ws.closed(), 1007)
        with self.subTest("6.4.3 fails within the frame"), self.open() as ws:
            whole = frame(TEXT, valid + bad + rest)
            ws.send(whole[:len(whole) - len(rest)])
            self.assertEqual(ws.closed(), 1007)

        valid_texts = [
            greek, b"\x00", "\u0080".encode(), "\u0800".encode(), "\U00010000".encode(), b"\x7f", "\u07ff".encode(),
            "\uffff".encode(), "\U0010ffff".encode(), b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf",
            *(chr(plane << 16 | last).encode() for plane in range(17) for last in (0xfffe, 0xffff))]
        for text in valid_texts:
            text.decode()  # so says Python, too
            self.good(f"6.5 to 6.23 valid {text!r}", [frame(TEXT, text)], [(TEXT, text)])
            self.good(f"6.5 to 6.23 valid {text!r} in pieces", fragments(TEXT, text, 1), [(TEXT, text)], step=1)
        wrong_texts = [
            *(greek[:end] for end in (1, 3, 4, 6, 8, 10)), b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80\xbf\x80\xbf",
            bytes(range(0x80, 0xc0)), b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80", b"\xf7\xbf\xbf\xbf",
            b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf", b"\xf4\x90\x80\x80",
            b"".join(bytes([first]) + b" " for first in range(0xc0, 0xe0)),
            b"".join(bytes([first]) + b" " for first in range(0xe0, 0xf0)),
            b"".join(bytes([first]) + b" " for first in range(0xf0, 0xf8)), b"\xfe", b"\xff", b"\xfe\xfe\xff\xff",
            b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xc0\xaf", b"\xe0\x80\xaf",
            b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xc0\x80",
            b"\xe0\x80\x80", b"\xf0\x80\x80\x80", *(bytes([0xed, middle, last]) for middle in (0xa0, 0xad, 0xae, 0xaf, 0xb0, 0xbe,
            0xbf) for last in (0x80, 0xbf)), b"\xed\xa0\x80\xed\xb0\x80", b"\xed\xaf\xbf\xed\xbf\xbf"]
        for text in wrong_texts:
            with self.assertRaises(UnicodeDecodeError):
                text.decode()
            self.bad(f"6.6 to 6.22 {text!r}", [frame(TEXT, text)], 1007)
            self.bad(f"6.6 to 6.22 {text!r} in pieces", fragments(TEXT, text, 1), 1007, step=1)
            self.good(f"{text!r} as bytes", [frame(BINARY, text)], [(BINARY, text)])

    def test_7_closing(self):
        hello, echoed = frame(TEXT, b"Hello World!"), (TEXT, b"Hello World!")

        def closing(name, sent, code, before=()):
            with self.subTest(name), self.open() as ws:
                ws.send(b"".join(sent))
                for frame_ in before:
                    self.assertEqual(ws.read(), frame_)
                self.assertEqual(ws.closed(), code)

        closing("7.1.1", [hello, close_frame(1000)], 1000, [echoed])
        closing("7.1.2", [close_frame(1000), close_frame(1000)], 1000)
        closing("7.1.3", [close_frame(1000), frame(PING, b"after")], 1000)
        closing("7.1.4", [close_frame(1000), hello], 1000)
        closing("7.1.5", [frame(TEXT, b"fragment1", fin=False), close_frame(1000), frame(CONTINUATION, b"fragment2")], 1000)
        large = b"*" * (256 * KIB)
        closing("7.1.6", [frame(TEXT, large), hello, close_frame(1000), frame(PING)], 1000, [(TEXT, large), echoed])
        closing("7.3.1", [close_frame()], None)
        closing("7.3.2", [frame(CLOSE, b"a")], 1002)
        closing("7.3.3", [close_frame(1000)], 1000)
        closing("7.3.4", [close_frame(1000, b"Hello World!")], 1000)
        closing("7.3.5", [close_frame(1000, b"*" * 123)], 1000)
        closing("7.3.6", [frame(CLOSE, struct.pack("!H", 1000) + b"*" * 124)], 1002)
        closing("7.5.1", [close_frame(1000, "\u03ba\u1f79".encode() + b"\xed\xa0\x80edited")], 1007)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
            closing(f"7.7 {code}", [close_frame(code)], code)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
            closing(f"7.9 {code}", [close_frame(code)], 1002)

    def test_9_sizes(self):
        for section, opcode in ((1, TEXT), (2, BINARY)):
            for case, size in enumerate((64 * KIB, 256 * KIB, 1 * MIB, 4 * MIB, 8 * MIB, 16 * MIB), 1):
                payload = b"*" * size
                self.exchange(f"9.{section}.{case}", frame(opcode, payload), (opcode, payload))
        payload = os.urandom(4 * MIB)
        for section, opcode in ((3, TEXT), (4, BINARY)):
            text = b"*" * (4 * MIB) if opcode == TEXT else payload
            for case, size in enumerate((64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB), 1):
                self.exchange(f"9.{section}.{case}", b"".join(fragments(opcode, text, size)), (opcode, text))
        for section, opcode in ((5, TEXT), (6, BINARY)):
            payload = b"*" * MIB
            for case, step in enumerate((64, 128, 256, 512, 1024, 2048), 1):
                self.exchange(f"9.{section}.{case}", frame(opcode, payload), (opcode, payload), step)
        for section, opcode in ((7, TEXT), (8, BINARY)):
            for case, size in enumerate((0, 16, 64, 256, KIB, 4 * KIB), 1):
                payload = b"*" * size
                with self.subTest(f"9.{section}.{case}"), self.open() as ws:
                    for _ in range(10):
                        ws.send(frame(opcode, payload) * 100)
                        for _ in range(100):
                            self.assertEqual(ws.read(), (opcode, payload))
        self.bad("one byte more than 16 MiB", [frame(BINARY, b"*" * (16 * MIB + 1))[:100]], 1009)

    def exchange(self, name, sent, expected, step=None):
        with self.subTest(name), self.open() as ws:
            ws.send(sent, step)
            got = ws.read()
            self.assertEqual(got[0], expected[0])
            self.assertTrue(got[1] == expected[1], "the payload came back changed")

    def test_10_fragments_of_any_size(self):
        payload = b"*" * 65536
        for size in (1300, 997, 125, 126, 65535):
            self.exchange(f"10.1.1 {size}", b"".join(fragments(TEXT, payload, size)), (TEXT, payload))

    def compressed_case(self, name, path, offer, least, text, material, size, fragment):
        """Messages that come back; compressed, where they are text of at least `least` bytes. Returns how many."""
        count = max(4, min(1000, CASE_BYTES // size))
        opcode = TEXT if text else BINARY
        around = material + material[:size]
        with self.subTest(name), Socket(self.server.port, path, offer) as ws:
            self.assertIsNotNone(ws.extensions)
            side = Deflate(ws.extensions)
            for at in itertools.islice(itertools.count(0, size), count):
                at %= len(material)
                message = around[at:at + size]
                payload = side.deflate(message)
                ws.send(b"".join(fragments(opcode, payload, fragment, rsv=4)) if fragment else frame(opcode, payload, rsv=4))
                got = ws.read_message()
                self.assertEqual(got[0], opcode)
                self.assertTrue((side.inflate(got[1]) if ws.compressed else got[1]) == message, "it came back changed")
                if ws.compressed:
                    self.assertLess(len(got[1]), size)
                elif text:
                    self.assertLess(size, least)
            ws.send(close_frame(1000))
            self.assertEqual(ws.closed(), 1000)
        return count

    def compressed_sections(self, sections):
        """The arguments of compressed_case() but for the sizes, of which there are many."""
        counts = [self.compressed_case(f"{name}.{number}", *section, *sizes)
                  for name, *section in sections for number, sizes in enumerate(SIZES, 1)]
        print(f"{len(counts)} cases, {sum(counts)} messages ... ", end="", file=sys.stderr, flush=True)

    def test_12_deflate(self):
        offer = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
        self.compressed_sections((f"12.{number}", "/deflate", offer, 1024, text, material)
                                 for number, (_, text, material) in enumerate(self.materials, 1))

    def test_13_deflate_parameters(self):
        def offer(alone, bits):
            return ("permessage-deflate; client_no_context_takeover; client_max_window_bits" +
                    ("; server_no_context_takeover" if alone else "") + (f"; server_max_window_bits={bits}" if bits else ""))

        answers = {(False, 0): "", (True, 0): "; server_no_context_takeover", (False, 9): "; server_max_window_bits=9",
                   (False, 15): "; server_max_window_bits=15",
                   (True, 9): "; server_no_context_takeover; server_max_window_bits=9",
                   (True, 15): "; server_no_context_takeover; server_max_window_bits=15"}
        _, text, material = self.materials[0]
        sections = []
        for number, offers in enumerate((*([one] for one in answers), [(True, 9), (True, 0), (False, 0)]), 1):
            offered = ", ".join(offer(*one) for one in offers)
            with Socket(self.server.port, "/deflate/takeover", offered) as ws:
                expected = {"permessage-deflate", "client_no_context_takeover", *answers[offers[0]].split("; ")} - {""}
                self.assertEqual(set(ws.extensions.split("; ")), expected)
            sections.append((f"13.{number}", "/deflate/takeover", offered, 256, text, material))
        self.compressed_sections(sections)

    def test_masks(self):
        self.bad("a frame without a mask", [frame(TEXT, b"Hello", mask=False)], 1002)
        self.bad("a ping without a mask", [frame(PING, mask=False)], 1002)
        self.bad("a continuation without a mask", [frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b", mask=False)],
                 1002)

    def test_lengths(self):
        for name, head in (("125 in 16 bits", b"\x82\xfe\x00\x7d"), ("0 in 64 bits", b"\x82\xff" + b"\0" * 8),
                           ("65535 in 64 bits", b"\x82\xff" + struct.pack("!Q", 65535)),
                           ("2^63", b"\x82\xff" + struct.pack("!Q", 1 << 63))):
            self.bad(name, [head, MASK], 1002)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    client_test.SERVER = sys.argv[1]
    client_test.THREADS = sys.argv[2] if len(sys.argv) > 2 else "1"
    if len(sys.argv) == 4:
        CASE_BYTES = int(float(sys.argv[3]) * MIB)
    unittest.main(argv=sys.argv[:1], verbosity=2)
