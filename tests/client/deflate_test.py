#!/usr/bin/python3
"""Tests permessage-deflate (RFC 7692) of the bench server with a client that shares no code with it: Debian's
python3-websockets and zlib, and bare sockets for what that library would never send.

Usage: deflate_test.py SERVER_BINARY [THREADS]
"""

import asyncio
import itertools
import logging
import os
import random
import sys
import unittest
import zlib

import client_test
from client_test import BINARY, CLOSE, FIN, MIB, PING, PONG, TEXT, Raw, Server, frame

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

RSV1 = 0x40
OFFER = "Sec-WebSocket-Extensions: permessage-deflate"


def words(size, seed=1):
    """Text that can be compressed, but not too well."""
    choose = random.Random(seed)
    return " ".join(f"wörd{choose.randrange(1000)}" for _ in range(size // 5 + 1))[:size]


def deflated(data, flush=zlib.Z_SYNC_FLUSH):
    compressor = zlib.compressobj(wbits=-15)
    result = compressor.compress(data) + compressor.flush(flush)
    return result[:-4] if flush == zlib.Z_SYNC_FLUSH else result + b"\0"


def inflated(payload, bits=15):
    return zlib.decompressobj(-bits).decompress(payload + b"\0\0\xff\xff")


class DeflateTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        status, errors = cls.server.end()
        if status != 0 or errors:
            raise AssertionError(f"the server ended with {status} and said:\n{errors}")

    def connect(self, path="/deflate", **parameters):
        return websockets.connect(self.server.url(path), max_size=None, compression=None, ping_interval=None,
                                  open_timeout=20, extensions=[ClientPerMessageDeflateFactory(**parameters)])

    def raw(self, path="/deflate", fields=(OFFER,)):
        return Raw(self.server.port, path, fields)

    async def back(self, socket, message):
        await socket.send(message)
        return await asyncio.wait_for(socket.recv(), client_test.PATIENCE)

    async def test_every_parameter_and_many_sizes(self):
        sizes = (0, 1, 126, 1024, 32767, 32768, 32768, 65536, 100)
        messages = [message for size in sizes for message in (words(size), os.urandom(size))]
        parameters = itertools.product(("/deflate", "/deflate/takeover"), (False, True), (False, True),
                                       (None, 8, 10, 15), (None, True, 9, 15))
        for path, server_alone, client_alone, server_bits, client_bits in parameters:
            with self.subTest(path=path, server_alone=server_alone, client_alone=client_alone, server_bits=server_bits,
                              client_bits=client_bits):
                async with self.connect(path, server_no_context_takeover=server_alone,
                                        client_no_context_takeover=client_alone,
                                        server_max_window_bits=server_bits,
                                        client_max_window_bits=client_bits) as socket:
                    extension, = socket.extensions
                    takeover = path != "/deflate"
                    self.assertEqual(extension.remote_no_context_takeover, server_alone or not takeover)
                    self.assertEqual(extension.local_no_context_takeover, client_alone or not takeover)
                    self.assertEqual(extension.remote_max_window_bits, server_bits or 15)
                    for message in messages:
                        self.assertTrue(await self.back(socket, message) == message, len(message))

    async def test_large_messages_and_fragments(self):
        for path in ("/deflate", "/deflate/takeover"):
            async with self.connect(path) as socket:
                for message in (words(MIB), os.urandom(MIB), "a" * (16 * MIB)):
                    self.assertTrue(await self.back(socket, message) == message)
                for size in (1, 10, 1000):
                    text = words(size * 50)
                    pieces = [text[at:at + size] for at in range(0, len(text), size)]
                    self.assertEqual(await self.back(socket, pieces), text)
                    self.assertEqual(await self.back(socket, text), text)

    async def test_many_at_once(self):
        async def talk(number):
            async with self.connect("/deflate/takeover" if number % 3 == 0 else "/deflate") as socket:
                choose = random.Random(number)
                messages = [words(choose.randrange(5000), number * 100 + i) for i in range(30)]
                for message in messages:
                    half = len(message) // 2
                    await socket.send([message[:half], message[half:]] if choose.randrange(2) else message)
                for message in messages:
                    self.assertEqual(await asyncio.wait_for(socket.recv(), client_test.PATIENCE), message)
        await asyncio.gather(*(talk(number) for number in range(40)))

    def test_offers_of_several_lines(self):
        for fields, answer in (
                ([OFFER + "; server_max_window_bits=7", OFFER + "; server_max_window_bits=\"9\""],
                 "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"),
                ([OFFER + "; x", "Sec-WebSocket-Extensions: foo"], None), ([], None)):
            with self.raw(fields=fields) as raw:
                self.assertEqual(raw.status, 101)
                self.assertEqual(raw.fields.get("sec-websocket-extensions"), answer)
                raw.send(frame(FIN | TEXT, b"hi"))
                self.assertEqual(raw.read_frame(), (FIN | TEXT, b"hi"))
        with self.raw(fields=[OFFER + ";"]) as raw:
            self.assertEqual(raw.status, 400)

    def test_small_and_incompressible_messages_come_back_as_they_are(self):
        with self.raw() as raw:
            for message in (b"small", os.urandom(5000)):
                raw.send(frame(FIN | RSV1 | BINARY, deflated(message)))
                self.assertEqual(raw.read_frame(), (FIN | BINARY, message))
            raw.send(frame(FIN | RSV1 | BINARY, deflated(bytes(5000))))
            first, payload = raw.read_frame()
            self.assertEqual((first, inflated(payload)), (FIN | RSV1 | BINARY, bytes(5000)))
            self.assertLess(len(payload), 100)
            raw.send(frame(FIN | BINARY, bytes(5000)))  # a plain one is good, too
            self.assertEqual(raw.read_frame(), (first, payload))

    def test_final_blocks_and_empty_messages(self):
        with self.raw() as raw:
            for payload, message in ((deflated(b"end", zlib.Z_FINISH), b"end"), (b"\0", b""), (b"", b""),
                                     (deflated(b"one", zlib.Z_FINISH)[:-1] + deflated(b"two"), b"onetwo")):
                raw.send(frame(FIN | RSV1 | TEXT, payload))
                self.assertEqual(raw.read_frame(), (FIN | TEXT, message))
            part = deflated(b"control frames between")
            raw.send(frame(RSV1 | TEXT, part[:5]) + frame(FIN | PING, b"p") + frame(0) + frame(FIN, part[5:]))
            self.assertEqual(raw.read_frame(), (FIN | PONG, b"p"))
            self.assertEqual(raw.read_frame(), (FIN | TEXT, b"control frames between"))

    def test_what_breaks_the_protocol(self):
        hello = deflated(b"hello")
        bomb = deflated(bytes(16 * MIB + 1))
        cases = {
            "a compressed continuation": (frame(RSV1 | TEXT, hello[:3]) + frame(FIN | RSV1, hello[3:]), 1002),
            "a compressed ping": (frame(FIN | RSV1 | PING, hello), 1002),
            "a compressed close": (frame(FIN | RSV1 | CLOSE), 1002),
            "another reserved bit": (frame(FIN | 0x20 | TEXT, hello), 1002),
            "no deflated data": (frame(FIN | RSV1 | TEXT, b"\xff\xff"), 1007),
            "no deflated data in a part": (frame(RSV1 | TEXT, b"\xff\xff"), 1007),
            "data that is cut off": (frame(FIN | RSV1 | TEXT, hello[:-2]), 1007),
            "text that is no UTF-8": (frame(FIN | RSV1 | TEXT, deflated(b"\xc0\xaf")), 1007),
            "text that ends inside a character": (frame(FIN | RSV1 | TEXT, deflated(b"\xe2\x82")), 1007),
            "a bomb": (frame(FIN | RSV1 | BINARY, bomb), 1009),
            "a bomb that goes on": (frame(RSV1 | BINARY, bomb), 1009),
            "a frame that is too long": (frame(FIN | RSV1 | BINARY, length=32 * MIB), 1009),
        }
        for (what, (sent, code)), path in itertools.product(cases.items(), ("/deflate", "/deflate/takeover")):
            with self.subTest(what, path=path), self.raw(path) as raw:
                raw.send(sent)
                self.assertEqual(raw.read_close(), code)
        with self.raw(fields=[]) as raw:
            raw.send(frame(FIN | RSV1 | TEXT, hello))
            self.assertEqual(raw.read_close(), 1002)

    def test_largest_message_and_most_fragments(self):
        for message in (bytes(16 * MIB), os.urandom(16 * MIB)):
            payload = deflated(message)
            with self.raw() as raw:
                raw.send(frame(FIN | RSV1 | BINARY, payload))
                first, back = raw.read_frame()
                self.assertTrue((inflated(back) if first & RSV1 else back) == message)
        message = bytes(100000)
        parts = [bytes([byte]) for byte in deflated(message)]
        for count, code in ((131072, None), (131073, 1008)):
            with self.raw() as raw:
                parts += [b""] * (count - len(parts))
                raw.send(frame(RSV1 | BINARY, parts[0]) + b"".join(frame(0, part) for part in parts[1:-1]) +
                         frame(FIN, parts[-1]))
                if code is None:
                    first, back = raw.read_frame()
                    self.assertEqual((first, inflated(back)), (FIN | RSV1 | BINARY, message))
                else:
                    self.assertEqual(raw.read_close(), code)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # its debug mode reports slow steps
    client_test.SERVER = sys.argv[1]
    client_test.THREADS = sys.argv[2] if len(sys.argv) == 3 else "1"
    unittest.main(argv=sys.argv[:1], verbosity=2)
