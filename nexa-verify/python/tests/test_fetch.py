"""The helper that fetches: against a server on this machine that does what servers should not."""

from __future__ import annotations

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest

from nexa_verify import fetch
from nexa_verify._fetch import _Sockets, within

LIMIT = 16 * 1024


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/document":
            self.answer(200, b"\x00\xff" + query.encode())
        elif path == "/large":
            self.answer(200, b"x" * int(query))
        elif path == "/to":
            self.send_response(302)
            self.send_header("Location", query)
            self.end_headers()
        elif path == "/endless":
            self.send_response(302)
            self.send_header("Location", query)
            self.end_headers()
            try:
                for _ in range(100_000):
                    self.wfile.write(b"x" * 10_000)
            except OSError:
                pass
        elif path == "/slow-head":
            self.drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100)
        elif path == "/slow-body":
            self.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100)
        elif path.startswith("http://"):
            self.answer(418, b"a proxy")
        else:
            self.answer(int(path[1:]), b"no")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # who reads no further hangs up

    def drip(self, answer: bytes) -> None:
        """A byte at a time, each long before a socket's own timeout, for ten seconds unless the other side ends it."""
        try:
            for byte in answer:
                self.wfile.write(bytes([byte]))
                if dripping_ends.wait(0.1):
                    return
        except OSError:
            hung_up.set()

    def log_message(self, format: str, *args: Any) -> None:
        pass


hung_up = threading.Event()
dripping_ends = threading.Event()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        dripping_ends.set()
        server.shutdown()


def test_a_document_is_fetched_as_it_is(url: str) -> None:
    assert fetch(f"{url}/document?since=7") == b"\x00\xffsince=7"
    assert fetch(f"{url.replace('http', 'HTTP')}/document") == b"\x00\xff"
    assert fetch(f"{url}/to?{url}/document") == b"\x00\xff"
    assert fetch(f"{url}/to?/document") == b"\x00\xff"


def test_sixteen_kib_are_read_and_no_more(url: str) -> None:
    assert len(fetch(f"{url}/large?{LIMIT}")) == LIMIT
    for more in (LIMIT + 1, 50_000_000):
        with pytest.raises(OSError, match="more than 16384 bytes"):
            fetch(f"{url}/large?{more}")


@pytest.mark.parametrize("other", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "https://127.0.0.1:1/", "gopher://x/"])
def test_no_redirect_to_another_scheme(url: str, other: str) -> None:
    with pytest.raises(OSError, match="redirect to another scheme"):
        fetch(f"{url}/to?{other}")


def test_redirects_come_to_an_end(url: str) -> None:
    assert fetch(f"{url}/to?{'/to?' * 3}/document") == b"\x00\xff"
    with pytest.raises(OSError, match="more than 4 redirects"):
        fetch(f"{url}/to?{'/to?' * 4}/document")


def test_a_redirects_body_is_not_read(url: str) -> None:
    assert fetch(f"{url}/endless?/document") == b"\x00\xff"


@pytest.mark.parametrize(
    "other", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "/etc/hostname", "", "javascript:alert(1)", "http"]
)
def test_only_http_and_https_are_fetched(other: str) -> None:
    with pytest.raises(ValueError, match="no http or https URL"):
        fetch(other)


@pytest.mark.parametrize(
    "bad",
    ["http://", "http://[::1", "http://127.0.0.1:x/", "http://127.0.0.1:1/a b", "http://a\nb/", "https://127.0.0.1:1/"],
)
def test_what_is_no_url_or_answers_nothing_is_an_error(bad: str) -> None:
    with pytest.raises((OSError, ValueError, HTTPException)):
        fetch(bad)


@pytest.mark.parametrize("status", [204, 206, 401, 404, 500, 503])
def test_only_200_is_an_answer(url: str, status: int) -> None:
    with pytest.raises(OSError, match=f"HTTP status {status}"):
        fetch(f"{url}/{status}")


@pytest.mark.parametrize("path", ["slow-head", "slow-body"])
def test_the_time_is_of_the_whole_and_the_connection_ends_with_it(url: str, path: str) -> None:
    hung_up.clear()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.5, f"{url}/{path}")
    assert time.monotonic() - began < 3
    assert hung_up.wait(5), "the server is still sending"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_https_is_fetched_where_the_certificate_is_trusted_and_only_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -addext subjectAltName=IP:127.0.0.1".split()
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://127.0.0.1:{server.server_port}"
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            fetch(f"{url}/document")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(f"{url}/document") == b"\x00\xff"
        assert fetch(f"{url}/to?/document") == b"\x00\xff"
        with pytest.raises(OSError, match="redirect to another scheme"):
            fetch(f"{url}/to?http://127.0.0.1:{server.server_port}/document")
        server.shutdown()


def test_the_environments_proxy_is_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", url)
    monkeypatch.delenv("no_proxy", raising=False)
    # The server reads the whole URL as a path, as it is sent to a proxy.
    with pytest.raises(OSError, match="HTTP status 418"):
        fetch("http://licences.invalid/document")


def test_a_connection_that_is_made_too_late_is_not_used() -> None:
    sockets = _Sockets()
    with socket.socket() as late:
        sockets.add(late)
        sockets.shutdown()
        with pytest.raises(TimeoutError):
            sockets.add(late)


def test_a_server_that_says_nothing() -> None:
    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.recv(1)  # until the other side ends it

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(TimeoutError):
            within(0.3, f"http://127.0.0.1:{server.server_address[1]}/")
        server.shutdown()
