#!/usr/bin/python3
"""kvolt::WebSocketClient against the servers of python3-websockets: websocket_client_test.py CLIENT"""

import asyncio
import http
import os
import ssl
import subprocess
import sys
import tempfile
import unittest

import websockets

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
            await check_echo(self, socket, ["hi", os.urandom(2 << 20)])
            await socket.send("bye")
            await socket.wait_closed()

        with tempfile.TemporaryDirectory() as folder:
            certificate, key = folder + "/certificate.pem", folder + "/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-keyout", key, "-out", certificate, "-days", "1", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            printed = client_against(handler, "wss", [certificate], ssl=context)
            self.assertEqual(printed, 'protocol "", closed 4001 by the client')
            printed = client_against(handler, "wss", ssl=context)
            self.assertRegex(printed, "the server's certificate is not to be trusted: self-signed certificate")


if __name__ == "__main__":
    unittest.main()
