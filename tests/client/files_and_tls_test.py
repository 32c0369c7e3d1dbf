#!/usr/bin/python3
"""Tests the example files_and_tls with Python's own HTTP client.

Usage: files_and_tls_test.py SERVER_BINARY
"""

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import unittest

PATIENCE = 60  # seconds for one step
SERVER = None
PAGE = "<!doctype html><title>hello</title>"


class FilesAndTlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="kvolt_files_and_tls_test_")
        cls.certificate, cls.key = (os.path.join(cls.folder, name) for name in ("certificate.pem", "key.pem"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", cls.key,
             "-out", cls.certificate], check=True, capture_output=True, timeout=PATIENCE)
        cls.site = os.path.join(cls.folder, "site")
        os.mkdir(cls.site)
        with open(os.path.join(cls.site, "index.html"), "w") as page:
            page.write(PAGE)
        os.utime(os.path.join(cls.site, "index.html"), (784111777, 784111777))  # a file that was just made may change
        cls.server = subprocess.Popen([SERVER, "127.0.0.1:0", cls.site, cls.certificate, cls.key],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = cls.server.stdout.readline().strip()
        assert line.startswith("Open https://127.0.0.1:"), line
        cls.port = int(line.rsplit(":", 1)[1])

    @classmethod
    def tearDownClass(cls):
        cls.server.send_signal(signal.SIGTERM)
        cls.log, _ = cls.server.communicate(timeout=PATIENCE)
        shutil.rmtree(cls.folder)
        assert cls.server.returncode == 0, cls.log
        assert "GET /api/count" in cls.log, cls.log

    def setUp(self):
        trust = ssl.create_default_context(cafile=self.certificate)
        self.client = http.client.HTTPSConnection("localhost", self.port, context=trust, timeout=PATIENCE)
        self.addCleanup(self.client.close)

    def answer(self, method, target, **arguments):
        self.client.request(method, target, **arguments)
        return self.client.getresponse()

    def test_the_folder_is_served(self):
        answer = self.answer("GET", "/")
        self.assertEqual(answer.read().decode(), PAGE)
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertIn("max-age=15552000", answer.headers["Strict-Transport-Security"])
        self.assertEqual(answer.headers["Cache-Control"], "public, max-age=3600")
        self.assertTrue(answer.headers["X-Request-Id"])
        again = self.answer("GET", "/", headers={"If-None-Match": answer.headers["ETag"]})
        self.assertEqual((again.status, again.read()), (304, b""))
        nothing = self.answer("GET", "/nothing")
        self.assertEqual((nothing.status, json.loads(nothing.read())["error"]), (404, "Not Found"))

    def test_an_upload_is_counted_whole_and_in_chunks(self):
        body = b"x" * 5_000_000
        self.assertEqual(json.loads(self.answer("POST", "/api/upload", body=body).read()), {"bytes": len(body)})
        parts = (body[i:i + 70_000] for i in range(0, len(body), 70_000))
        answer = self.answer("POST", "/api/upload", body=parts, headers={"Transfer-Encoding": "chunked"},
                             encode_chunked=True)
        self.assertEqual(json.loads(answer.read()), {"bytes": len(body)})

    def test_a_stream_comes_to_its_end(self):
        rows = self.answer("GET", "/api/count").read().split()
        self.assertEqual((len(rows), rows[0], rows[-1]), (1_000_000, b"1", b"1000000"))

    def test_events_come_one_by_one(self):
        answer = self.answer("GET", "/api/clock")
        self.assertEqual(answer.headers["Content-Type"], "text/event-stream")
        self.assertEqual([answer.readline() for _ in range(4)], [b"data: tick 1\n", b"\n", b"data: tick 2\n", b"\n"])

    def test_the_numbers_are_shown(self):
        self.answer("GET", "/").read()
        self.assertIn("kvolt_requests_total{", self.answer("GET", "/api/metrics").read().decode())

    def test_too_many_requests_are_refused(self):
        statuses = {answer.status for answer in (self.drained("GET", "/api/metrics") for _ in range(150))}
        self.assertEqual(statuses, {200, 429})

    def drained(self, method, target):
        answer = self.answer(method, target)
        answer.read()
        return answer


class UsageTest(unittest.TestCase):
    def run_server(self, *arguments):
        return subprocess.run([SERVER, *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def test_what_is_missing_is_named(self):
        self.assertEqual(self.run_server().returncode, 2)
        missing = self.run_server("127.0.0.1:0", "/nowhere", "no.pem", "no.key")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("/nowhere", missing.stderr)
        certificate = self.run_server("127.0.0.1:0", tempfile.gettempdir(), "no.pem", "no.key")
        self.assertEqual(certificate.returncode, 1)
        self.assertIn("no.pem", certificate.stderr)


if __name__ == "__main__":
    SERVER = sys.argv.pop(1)
    unittest.main()
