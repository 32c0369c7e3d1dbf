#!/usr/bin/python3
"""Tests HTTPS and wss:// with the clients that people use: openssl s_client, curl, Python and Chromium.

Usage: tls_test.py SERVER_BINARY [THREADS]
"""

import asyncio
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import websockets
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError as missing:
    sys.exit(f"tls_test: {missing}; install the Debian packages python3-websockets and python3-selenium")

PATIENCE = 60  # seconds for one step
SERVER = None
THREADS = "1"
UNVERIFIED = ssl._create_unverified_context()


def make_certificate(folder, name, names):
    """A self-signed certificate; the paths of it and of its key."""
    certificate, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
         "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=PATIENCE)
    return certificate, key


def s_client(port, *options):
    """What openssl s_client tells about its handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="kvolt_tls_test_")
        cls.certificates = [make_certificate(cls.folder, "first", ["localhost"]),
                            make_certificate(cls.folder, "second", ["*.example.com", "example.com"]),
                            make_certificate(cls.folder, "third", ["www.example.com"])]
        files = [file for pair in cls.certificates for file in pair]
        cls.server = subprocess.Popen([SERVER, THREADS, *files], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cls.port = int(cls.server.stdout.readline())

    @classmethod
    def tearDownClass(cls):
        cls.server.send_signal(signal.SIGTERM)
        errors = cls.server.communicate(timeout=PATIENCE)[1]
        shutil.rmtree(cls.folder)
        assert cls.server.returncode == 0, errors
        assert not errors, errors

    def test_versions(self):
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            self.assertRegex(s_client(self.port, option), rf"New, {version}, Cipher is \S*(GCM|CHACHA20)")
        self.assertIn("New, TLSv1.3", s_client(self.port))
        for option in ("-tls1", "-tls1_1"):
            text = s_client(self.port, option, "-cipher", "ALL:@SECLEVEL=0")
            self.assertIn("alert protocol version", text)
            self.assertIn("Cipher is (NONE)", text)

    def test_ciphers(self):
        for cipher in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "NULL", "aNULL"):
            text = s_client(self.port, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
            self.assertIn("Cipher is (NONE)", text, cipher)
        for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            self.assertIn(f"Cipher is {cipher}", s_client(self.port, "-tls1_2", "-cipher", cipher))

    def test_alpn(self):
        self.assertIn("ALPN protocol: http/1.1", s_client(self.port, "-alpn", "h2,http/1.1"))
        self.assertIn("ALPN protocol: http/1.0", s_client(self.port, "-alpn", "http/1.0"))  # as curl -0 offers
        self.assertIn("No ALPN negotiated", s_client(self.port))
        self.assertIn("alert no application protocol", s_client(self.port, "-alpn", "h2"))

    def test_nothing_weak(self):
        text = s_client(self.port, "-tls1_2")
        self.assertIn("Compression: NONE", text)
        self.assertIn("Secure Renegotiation IS supported", text)  # RFC 5746, which says no to the insecure one

    def test_resumption(self):
        for version in ("-tls1_2", "-tls1_3"):
            text = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", version, "-reconnect"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE).stdout
            if version == "-tls1_2":
                self.assertEqual(text.count("Reused, TLSv1.2"), 5, text)
        context = ssl._create_unverified_context()
        first = context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), PATIENCE))
        first.sendall(b"GET /scheme HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first.recv(1000)
        again = context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), PATIENCE), session=first.session)
        self.assertTrue(again.session_reused)
        first.close()
        again.close()

    def test_certificates_by_name(self):
        for name, subject in (("localhost", "localhost"), ("example.com", "*.example.com"), ("api.example.com", "*.example.com"),
                              ("www.example.com", "www.example.com"), ("WWW.EXAMPLE.COM", "www.example.com"),
                              ("a.b.example.com", "localhost"), ("other.test", "localhost")):
            self.assertIn(f"subject=CN = {subject}\n", s_client(self.port, "-servername", name), name)
        self.assertIn("subject=CN = localhost\n", s_client(self.port, "-noservername"))

    def test_reload(self):
        kept = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=UNVERIFIED)
        kept.request("GET", "/scheme")
        self.assertEqual(kept.getresponse().read(), b"https")
        certificate, key = self.certificates[0]
        with open(key) as file:
            saved = file.read()
        with open(key, "w") as file:
            file.write("no key")
        self.server.send_signal(signal.SIGHUP)
        self.assertIn(key, self.server.stdout.readline())
        self.assertIn("subject=CN = localhost\n", s_client(self.port, "-noservername"))
        with open(key, "w") as file:
            file.write(saved)
        make_certificate(self.folder, "first", ["new.test"])
        self.server.send_signal(signal.SIGHUP)
        self.assertEqual(self.server.stdout.readline(), "reloaded\n")
        self.assertIn("subject=CN = new.test\n", s_client(self.port, "-noservername"))
        kept.request("GET", "/scheme")
        self.assertEqual(kept.getresponse().read(), b"https")
        kept.close()
        make_certificate(self.folder, "first", ["localhost"])
        self.server.send_signal(signal.SIGHUP)
        self.assertEqual(self.server.stdout.readline(), "reloaded\n")

    def curl(self, *options):
        done = subprocess.run(["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", str(PATIENCE), "--cacert",
                               self.certificates[0][0], "--resolve", f"localhost:{self.port}:127.0.0.1", *options],
                              capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_curl(self):
        url = f"https://localhost:{self.port}"
        self.assertEqual(self.curl(url + "/scheme"), b"https")
        self.assertEqual(self.curl(url + "/scheme", url + "/scheme"), b"httpshttps")
        self.assertEqual(self.curl(url + "/big"), b"x" * 10000000)
        body = os.urandom(1024 * 1024)
        upload = os.path.join(self.folder, "upload")
        with open(upload, "wb") as file:
            file.write(body)
        self.assertEqual(self.curl("--data-binary", "@" + upload, url + "/upload"), body)
        self.assertIn(b"400 Bad Request", self.curl("--include", f"http://localhost:{self.port}/"))

    def test_websockets(self):
        async def talk():
            context = ssl.create_default_context(cafile=self.certificates[0][0])
            async with websockets.connect(f"wss://localhost:{self.port}/echo", ssl=context, host="127.0.0.1", server_hostname="localhost",
                                          origin=f"https://localhost:{self.port}") as client:
                for message in ("text", b"bytes", "é" * 30000, b"x" * 65536):
                    await client.send(message)
                    self.assertEqual(await client.recv(), message)
                await client.close()
                self.assertEqual(client.close_code, 1000)

        asyncio.run(asyncio.wait_for(talk(), PATIENCE))

    def test_close_notify(self):
        """A client in Python sees the end as an end, not as a truncation."""
        client = UNVERIFIED.wrap_socket(socket.create_connection(("127.0.0.1", self.port), PATIENCE),
                                        suppress_ragged_eofs=False)
        client.sendall(b"GET /scheme HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while part := client.recv(4096):
            received += part
        self.assertTrue(received.endswith(b"https"))
        client.unwrap().close()

    def test_browser(self):
        profile = tempfile.mkdtemp(prefix="kvolt_tls_browser_")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-proxy-server",
                         "--no-first-run", "--disable-background-networking", "--ignore-certificate-errors",
                         f"--user-data-dir={profile}"):
            options.add_argument(argument)
        driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        try:
            driver.set_page_load_timeout(PATIENCE)
            driver.get(f"https://localhost:{self.port}/")
            deadline = time.monotonic() + PATIENCE
            while "closed" not in driver.title and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertEqual(driver.title, "heard: hello over TLS, closed: 1000")
        finally:
            driver.quit()
            shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    SERVER = sys.argv[1]
    THREADS = sys.argv[2] if len(sys.argv) > 2 else THREADS
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
    unittest.main(argv=sys.argv[:1], verbosity=2)
