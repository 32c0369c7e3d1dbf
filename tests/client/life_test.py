#!/usr/bin/python3
"""How a server ends, as a process: life_test.py PROGRAM"""

import contextlib
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
PATIENCE = 60
WITHOUT_LEAKS = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}


class Server:
    """A running `life`; its status is its exit code when it has ended."""

    def __init__(self, where="local", how="start", threads=1, **options):
        self.how = how
        self.clients = []
        self.process = subprocess.Popen([PROGRAM, where, how, str(threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def __enter__(self):
        self.port = int(self.read_line())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        for client in self.clients:
            client.close()

    def read_line(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with {self.process.wait(PATIENCE)}: {self.process.stderr.read()}")
        return line.strip()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def connect(self):
        self.clients.append(socket.create_connection(("127.0.0.1", self.port), PATIENCE))
        return self.clients[-1]

    def send(self, path, fields=""):
        """A client that has asked for this, and is closed with the server."""
        client = self.connect()
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        return client

    def get(self, path):
        """The response's body."""
        return read_to_end(self.send(path, "Connection: close\r\n")).partition(b"\r\n\r\n")[2].decode()

    def socket(self, path):
        client = self.send(path, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
        client.recv(12)
        return client

    def end(self):
        """Its exit code and what it complained of."""
        self.process.wait(PATIENCE)
        return self.process.returncode, self.process.stderr.read()


def read_to_end(client):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(4096):
            data += part
    return data


def text_frame(text):
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


def keep_busy(server, newer=1):
    """By clients of all kinds, so that each loop has something to do, with static objects."""
    for _ in range(8):
        server.send(f"/spin?newer={newer}")
        server.socket("/socket")
        server.connect()


def eventually(question):
    end = time.monotonic() + PATIENCE
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class ExitTest(unittest.TestCase):
    def check(self, where, how, threads, leave, status, newer=1):
        with self.subTest(where=where, how=how, threads=threads), Server(where, how, threads) as server:
            keep_busy(server, newer)
            leave(server)
            self.assertEqual(server.end(), (status, ""))
            for client in server.clients:
                read_to_end(client)

    def check_all(self, leave, status, hows=("start", "run"), newer=1):
        for where in ("local", "static", "heap"):
            for how in hows:
                for threads in (1, 4):
                    self.check(where, how, threads, leave, status, newer)

    def test_exit_in_a_handler(self):
        self.check_all(lambda server: server.send("/exit"), 7)

    def test_exit_in_a_coroutine(self):
        self.check_all(lambda server: server.send("/exit-later"), 7)

    def test_exit_in_the_handler_of_a_socket(self):
        self.check_all(lambda server: server.socket("/socket").sendall(text_frame("exit")), 7)

    def test_exit_in_a_hook(self):
        self.check_all(lambda server: server.socket("/hook"), 7)

    def test_exit_of_main(self):
        self.check_all(lambda server: server.say("exit 3"), 3, ["start"])

    def test_exit_in_another_thread(self):
        self.check_all(lambda server: server.say("exit-in-thread 3"), 3, ["start"], newer=0)

    def test_end_of_main(self):
        self.check_all(lambda server: server.say("return"), 5, ["start"])

    def test_stop_in_a_handler(self):
        def leave(server):
            server.get("/stop")
            if server.how == "start":
                server.say("return")

        for how in ("start", "run"):
            for threads in (1, 4):
                with Server("local", how, threads) as server:
                    leave(server)
                    self.assertEqual(server.end(), (5, ""))

    # In the two that follow what looks for leaks is misled: by a process that is a copy, and by the C library.

    def test_exit_of_a_child_without_exec(self):
        with Server("static", "start", 4, env=WITHOUT_LEAKS) as server:
            keep_busy(server)
            self.assertGreater(int(server.get("/fork")), 0)
            self.assertEqual(server.get("/"), "hello")
            server.say("return")
            self.assertEqual(server.end(), (5, ""))

    def test_the_thread_of_main_may_end_before_the_process(self):
        with Server("heap", "start", 4, env=WITHOUT_LEAKS) as server:
            server.say("end-thread")
            time.sleep(0.3)
            for _ in range(3):
                self.assertEqual(server.get("/"), "hello")
            server.send("/exit")
            self.assertEqual(server.end(), (7, ""))


class DestroyTest(unittest.TestCase):
    def test_an_app_is_destroyed_in_a_handler_of_its_own(self):
        for path in ("/destroy", "/destroy-later"):
            for how in ("start", "run"):
                for threads in (1, 4):
                    with self.subTest(path=path, how=how, threads=threads), Server("heap", how, threads) as server:
                        idle = server.connect()
                        self.assertEqual(server.get(path), "destroyed")
                        self.assertEqual(read_to_end(idle), b"")
                        self.assertTrue(eventually(lambda: refuses(server.port)))
                        if how == "start":
                            server.say("return")
                        self.assertEqual(server.end(), (5, ""))


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        return False
    except ConnectionRefusedError:
        return True


class ChildTest(unittest.TestCase):
    def test_children_inherit_nothing(self):
        with tempfile.TemporaryDirectory() as folder, Server("local", "start", 4, cwd=folder) as server:
            waiting = server.connect()
            self.assertEqual(server.get("/system"), "0")
            child = int(pathlib.Path(folder, "life.pid").read_text())
            try:
                self.assertTrue(eventually(lambda: set(os.listdir(f"/proc/{child}/fd")) <= {"0", "1", "2"}))
                server.say("return")
                self.assertEqual(server.end(), (5, ""))
                self.assertEqual(waiting.recv(1), b"")
                self.assertTrue(refuses(server.port))
                os.kill(child, 0)  # it is still there
            finally:
                os.kill(child, signal.SIGKILL)

    def test_all_descriptors_are_closed_on_exec(self):
        with Server("local", "start", 4) as server:
            keep_busy(server)
            server.say("descriptors")
            self.assertEqual(server.read_line(), "inherited:")


class FullTest(unittest.TestCase):
    def test_idle_connections_make_way_when_there_are_no_descriptors_for_more(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        with Server("local", "start", 2, preexec_fn=limit) as server:
            for _ in range(300):
                client = server.send("/")
                self.assertTrue(client.recv(12).endswith(b"200"))
            server.say("return")
            status, complaints = server.end()
            self.assertEqual(status, 5)
            self.assertRegex(complaints, "^kvolt: all 192 places .* 256 open files: ulimit -n[^\n]*\n$")

    def test_the_limit_of_descriptors_is_raised(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 400))
        with Server("local", "start", 1, preexec_fn=limit) as server:
            clients = [server.send("/") for _ in range(300)]
            for client in clients:
                self.assertTrue(client.recv(12).endswith(b"200"))
            for client in clients:  # none of which was closed for another one
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            for client in clients:
                data = b""
                while data.count(b"hello") < 2:
                    part = client.recv(4096)
                    self.assertNotEqual(part, b"")
                    data += part
            server.say("return")
            self.assertEqual(server.end(), (5, ""))


class PoorTest(unittest.TestCase):
    """Without the descriptors that its threads need, an app does not start, and is as if it had not been told to."""

    def check(self, how):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        server = Server("poor", how, 32, preexec_fn=limit)
        try:
            for _ in range(3):
                self.assertRegex(server.read_line(), "Too many open files.*, port 0")
            server.port = int(server.read_line())
            answer = read_to_end(server.send("/", "Connection: close\r\n")).decode()
            self.assertTrue(answer.endswith("hello"), answer)
            self.assertEqual(re.findall("X-Late: yes", answer), ["X-Late: yes"])
            server.process.send_signal(signal.SIGTERM) if how == "run" else server.say("")
            server.say("")
            self.assertEqual(server.end(), (5, ""))
        finally:
            server.__exit__()

    def test_start(self):
        self.check("start")

    def test_run(self):
        self.check("run")


if __name__ == "__main__":
    unittest.main()
