#!/usr/bin/python3
"""Tests the bench server with clients and a proxy that many put in front of servers: curl, python3's http.client, and
Debian's nginx, through which both of them and a WebSocket go.

Usage: interop_test.py SERVER_BINARY [THREADS]
"""

import asyncio
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import websockets
except ImportError:
    sys.exit("interop_test: websockets is missing; install the Debian package python3-websockets")

SERVER = None
THREADS = "1"
PATIENCE = 20  # seconds

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 16m;
    upstream kvolt {{
        server 127.0.0.1:{server};
        keepalive 8;
    }}
    map $http_upgrade $connection_field {{
        default upgrade;
        "" "";
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://kvolt;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_field;
        }}
        location /old/ {{  # HTTP/1.0 to the server
            proxy_pass http://kvolt/;
            proxy_http_version 1.0;
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Process:
    """A program that listens on a port."""

    def __init__(self, port, command, stop=signal.SIGTERM):
        self.port = port
        self.stop = stop
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not start: {self.end()}")
            time.sleep(0.02)

    def end(self):
        """Its exit status and what it wrote to stderr, such as a sanitizer's report."""
        self.process.send_signal(self.stop)
        try:
            errors = self.process.communicate(timeout=PATIENCE)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            errors = f"killed: it did not end within {PATIENCE} s\n" + self.process.communicate()[1]
        return self.process.returncode, errors


class Interop:
    """What every client must get, straight from the server or through a proxy."""

    port = None

    def curl(self, path, *options, status="200", body=None):
        command = ["curl", "--silent", "--show-error", "--max-time", str(PATIENCE), "--write-out", "\n%{http_code} %{num_connects}",
                   *options, f"http://127.0.0.1:{self.port}{path}"]
        result = subprocess.run(command, capture_output=True, timeout=2 * PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (0, b""), command)
        content, _, numbers = result.stdout.rpartition(b"\n")
        self.assertEqual(numbers.split()[0].decode(), status, command)
        if body is not None:
            self.assertTrue(content == body, f"{command} got {content[:200]}")
        return content

    def test_curl(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.urandom(700000)
            path = os.path.join(folder, "data")
            with open(path, "wb") as file:
                file.write(data)
            binary = ["--header", "Content-Type: application/octet-stream"]
            self.curl("/plaintext", body=b"Hello, World!")
            self.curl("/plaintext", "--http1.0", body=b"Hello, World!")
            self.curl("/plaintext", "--http2", body=b"Hello, World!")  # offers an upgrade to h2c
            self.assertIn(b"200 OK", self.curl("/plaintext", "--head"))
            self.curl("/echo-body", "--data-binary", "hello", body=b"hello")
            self.curl("/echo-body", "--data-binary", "", body=b"")
            self.curl("/echo-body", "--data-binary", "@" + path, *binary, "--header", "Expect: 100-continue", body=data)
            self.curl("/echo-body", "--data-binary", "@" + path, *binary, "--header", "Transfer-Encoding: chunked",
                      body=data)
            self.curl("/users/caf%C3%A9", body="café".encode())
            self.curl("/users/../users/./7", "--path-as-is", body=b"7")
            self.curl("/nowhere", status="404")
            self.curl("/plaintext", "--request", "DELETE", status="405")
            self.curl("/plaintext", "--request", "OPTIONS", status="204")
            self.curl("/plaintext", "--request", "BREW", status="501")

    def test_curl_keeps_its_connection(self):
        url = f"http://127.0.0.1:{self.port}/plaintext"
        result = subprocess.run(["curl", "--silent", "--write-out", " %{num_connects} ", url, url, url], capture_output=True,
                                timeout=PATIENCE, text=True)
        self.assertEqual(result.stdout, "Hello, World! 1 Hello, World! 0 Hello, World! 0 ")

    def test_http_client(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            def ask(method, path, body=None, **options):
                connection.request(method, path, body, **options)
                response = connection.getresponse()
                return response.status, response.read()

            self.assertEqual(ask("GET", "/plaintext"), (200, b"Hello, World!"))
            kept = connection.sock
            self.assertEqual(ask("HEAD", "/plaintext"), (200, b""))
            self.assertEqual(ask("POST", "/echo-body", b"x" * 70000), (200, b"x" * 70000))
            self.assertEqual(ask("POST", "/echo-body", iter([b"he", b"", b"llo"]), encode_chunked=True,
                                 headers={"Transfer-Encoding": "chunked"}), (200, b"hello"))
            self.assertEqual(ask("GET", "/nowhere")[0], 404)
            self.assertIs(connection.sock, kept)

    def test_websocket(self):
        url = f"ws://127.0.0.1:{self.port}/echo"
        messages = ["hello", "é" * 1000, b"\0\xff" * 30000]

        def check(sent, received):
            self.assertTrue(sent == received, f"{sent[:20]!r} came back as {received[:20]!r}")

        async def talk():
            async with websockets.connect(url) as connection:
                for message in messages:
                    await connection.send(message)
                    check(message, await connection.recv())
            self.assertEqual(connection.close_code, 1000)
        asyncio.run(asyncio.wait_for(talk(), PATIENCE))


class DirectTest(Interop, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.server = Process(port, [SERVER, str(port), THREADS])
        cls.port = port

    @classmethod
    def tearDownClass(cls):
        status, errors = cls.server.end()
        if status != 0 or errors:
            raise AssertionError(f"the server ended with {status} and said:\n{errors}")


class NginxTest(DirectTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.TemporaryDirectory()
        cls.port = free_port()
        path = os.path.join(cls.folder.name, "nginx.conf")
        with open(path, "w") as file:
            file.write(NGINX.format(user="user root;" if os.geteuid() == 0 else "", folder=cls.folder.name, server=cls.server.port, port=cls.port))
        cls.nginx = Process(cls.port, [shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin"), "-c", path,
                                       "-p", cls.folder.name, "-e", "stderr"], signal.SIGQUIT)

    @classmethod
    def tearDownClass(cls):
        status, errors = cls.nginx.end()
        super().tearDownClass()
        cls.folder.cleanup()
        if status != 0 or errors:
            raise AssertionError(f"nginx ended with {status} and said:\n{errors}")

    def test_a_proxy_of_http_1_0(self):
        self.curl("/old/plaintext", body=b"Hello, World!")
        self.curl("/old/echo-body", "--data-binary", "x" * 50000, body=b"x" * 50000)


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    for program, package in (("curl", "curl"), ("nginx", "nginx-light")):
        if not shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin"):
            sys.exit(f"interop_test: {program} is missing; install the Debian package {package}")
    SERVER = os.path.abspath(sys.argv[1])
    THREADS = sys.argv[2] if len(sys.argv) == 3 else "1"
    unittest.main(argv=sys.argv[:1], verbosity=2)
