#!/usr/bin/python3
"""kvolt::WebSocketClient against the servers of python3-websockets: websocket_client_test.py CLIENT"""

import asyncio
import http
import itertools
import os
import random
import ssl
import subprocess
import sys
import tempfile
import unittest

import websockets
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

CLIENT = sys.argv.pop(1)


async def run_client(url, *arguments):
    process = await asyncio.create_subprocess_exec(CLIENT, url, *arguments, stdout=subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return out.decode().strip()


def client_against(handler, scheme="ws", client_arguments=(), **options):
    """What the client prints, and what the handler raises."""
    failures = []

    async def guarded(socket, *_):
        try:
            await handler(socket)
        except Exception as failure:
            failures.append(failure)
            raise

    async def run():
        options.setdefault("max_size", None)
        async with websockets.serve(guarded, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            return await run_client(f"{scheme}://127.0.0.1:{port}/chat?room=1", *client_arguments)

    printed = asyncio.run(run())
    if failures:
        raise failures[0]
    return printed


async def check_echo(test, socket, messages):
    for message in messages:
        await socket.send(message)
        test.assertEqual(await asyncio.wait_for(socket.recv(), 30), message)


def words(size, seed=1):
    """Text that can be compressed, but not too well."""
    choose = random.Random(seed)
    return " ".join(f"w\u00f6rd{choose.randrange(1000)}" for _ in range(size // 5 + 1))[:size]


def count_compressed(extension):
    """Counts the compressed messages that the extension of a connection gets."""
    counts = [0]
    decode = extension.decode

    def counting(frame, **arguments):
        counts[0] += frame.rsv1
        return decode(frame, **arguments)

    extension.decode = counting
    return counts


class WebSocketClientTest(unittest.TestCase):
    def test_messages_of_all_sizes_come_back(self):
        async def handler(socket):
            sizes = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 8 << 20]
            await check_echo(self, socket, ["x" * size for size in sizes])
            await check_echo(self, socket, [os.urandom(size) for size in sizes])
            await check_echo(self, socket, ["caf\u00e9 \U0001F600"])
            await socket.send("bye")
            await socket.wait_closed()
            self.assertEqual((socket.close_code, socket.close_reason), (4001, "by the client"))

        self.assertEqual(client_against(handler), 'protocol "", closed 4001 by the client')

    def test_messages_in_fragments_with_pings_between(self):
        async def handler(socket):
            async def fragments():
                for part in ["one ", "", "t\u00fc", "o"]:
                    pong = await socket.ping()
                    yield part
                    await asyncio.wait_for(pong, 30)

            await socket.send(fragments())
            self.assertEqual(await asyncio.wait_for(socket.recv(), 30), "one t\u00fco")
            await socket.close(4002, "by the server")

        self.assertEqual(client_against(handler), 'protocol "", closed 4002 by the server')

    def test_many_at_once_stay_in_order(self):
        async def handler(socket):
            messages = [str(number) for number in range(5000)]
            sending = asyncio.gather(*(socket.send(message) for message in messages))
            for message in messages:
                self.assertEqual(await asyncio.wait_for(socket.recv(), 30), message)
            await sending

        self.assertEqual(client_against(handler), 'protocol "", closed 1000')

    def test_subprotocols_and_header_fields(self):
        async def handler(socket):
            headers = getattr(socket, "request_headers", None) or socket.request.headers
            self.assertEqual(headers["Authorization"], "Bearer 7")
            self.assertEqual(headers["Sec-WebSocket-Protocol"], "chat.v2, chat.v1")

        self.assertEqual(client_against(handler, subprotocols=["soap", "chat.v1"]), 'protocol "chat.v1", closed 1000')

    def test_deflate_by_all_that_both_sides_may_want(self):
        sizes = (0, 1, 126, 1500, 1500, 32768, 32768, 65536, 100)
        messages = [message for size in sizes for message in (words(size), os.urandom(size))]
        mine = {"deflate": (False, 15), "takeover=15": (True, 15), "takeover=9": (True, 9)}
        theirs = itertools.chain(itertools.product((False, True), (False, True), (None,), (None,)),
                                 itertools.product((False,), (False,), (9, 12), (8, 10, 15)))
        for (argument, (takeover, bits)), parameters in itertools.product(mine.items(), theirs):
            server_alone, client_alone, server_bits, client_bits = parameters

            async def handler(socket):
                extension, = socket.extensions
                counts = count_compressed(extension)
                self.assertEqual(extension.local_no_context_takeover, server_alone or not takeover)
                self.assertEqual(extension.remote_no_context_takeover, client_alone or not takeover)
                if takeover:
                    self.assertLessEqual(extension.local_max_window_bits, bits)
                self.assertLessEqual(extension.remote_max_window_bits, bits)
                await check_echo(self, socket, messages)
                self.assertGreaterEqual(counts[0], 5)  # of words, and none of noise
                self.assertLessEqual(counts[0], len(sizes))
                text = words(50000)
                await socket.send([text[at:at + 1000] for at in range(0, len(text), 1000)])
                self.assertEqual(await asyncio.wait_for(socket.recv(), 30), text)

            with self.subTest(argument, parameters=parameters):
                factory = ServerPerMessageDeflateFactory(
                    server_no_context_takeover=server_alone, client_no_context_takeover=client_alone,
                    server_max_window_bits=server_bits, client_max_window_bits=client_bits)
                printed = client_against(handler, client_arguments=[argument], compression=None, extensions=[factory])
                self.assertEqual(printed, 'protocol "", closed 1000')

    def test_deflate_where_the_server_does_not_know_it(self):
        async def handler(socket):
            self.assertEqual(socket.extensions, [])
            await check_echo(self, socket, ["plain", words(50000)])

        printed = client_against(handler, client_arguments=["deflate"], compression=None)
        self.assertEqual(printed, 'protocol "", closed 1000')

    def test_a_refusal_is_told(self):
        async def handler(socket):
            self.fail("connected")

        async def refuse(*_):
            return http.HTTPStatus.UNAUTHORIZED, [], b"who are you?\n"

        printed = client_against(handler, process_request=refuse)
        self.assertRegex(printed, r"kvolt: ws://127.0.0.1:\d+/chat\?room=1: the server answered 401 Unauthorized: "
                                  r"who are you\?")

    def test_a_server_that_dies(self):
        async def handler(socket):
            await check_echo(self, socket, ["still there"])
            socket.transport.abort()

        self.assertEqual(client_against(handler), 'protocol "", closed 1006')

    def test_tls(self):
        async def handler(socket):
            await check_echo(self, socket, ["hi", os.urandom(2 << 20), "compress me " * 10000])
            await socket.send("bye")
            await socket.wait_closed()

        with tempfile.TemporaryDirectory() as folder:
            certificate, key = folder + "/certificate.pem", folder + "/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            printed = client_against(handler, "wss", ["ca=" + certificate, "deflate"], ssl=context)
            self.assertEqual(printed, 'protocol "", closed 4001 by the client')
            printed = client_against(handler, "wss", ssl=context)
            self.assertRegex(printed, "the server's certificate is not to be trusted: self-signed certificate")


if __name__ == "__main__":
    unittest.main()
