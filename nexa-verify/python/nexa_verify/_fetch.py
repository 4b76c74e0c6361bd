"""Fetches a document over HTTP, for programs that do not do that themselves: bounded in schemes, bytes and time."""

from __future__ import annotations

import http.client
import queue
import socket
import threading
from typing import Final, List, Optional, Tuple
from urllib import request
from urllib.parse import urljoin, urlsplit

SCHEMES: Final = ("http", "https")
_BYTES_MAX: Final = 16 * 1024
_TIMEOUT_S: Final = 10.0
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_REDIRECTS_MAX: Final = 4


def fetch(url: str) -> bytes:
    """The document at a URL: http or https, within 10 seconds, at most 16 KiB. Proxies are those of the environment.

    Raises `OSError`, `http.client.HTTPException` or `ValueError`.
    """
    return within(_TIMEOUT_S, url)


def within(timeout_s: float, url: str) -> bytes:
    """The same, in a time of the caller's. The bound is on the whole, which a socket's own timeout is not."""
    _check_scheme(url)
    sockets = _Sockets()
    answers: queue.SimpleQueue[Tuple[bytes, Optional[Exception]]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((_read(url, timeout_s, sockets), None))
        except Exception as error:  # handed over to the thread that asked
            answers.put((b"", error))

    threading.Thread(target=work, name="nexa-verify fetch", daemon=True).start()
    try:
        document, error = answers.get(timeout=timeout_s)
    except queue.Empty:
        # Ends the other thread as well, whatever it waits for.
        sockets.shutdown()
        raise TimeoutError(f"no answer within {timeout_s:g} s") from None
    if error is not None:
        raise error
    return document


def _read(url: str, timeout_s: float, sockets: _Sockets) -> bytes:
    opener = request.OpenerDirector()
    # By hand: an opener that is built has handlers for files and FTP too, and reads a redirect's body, however long it is.
    for handler in (request.ProxyHandler(), _Http(sockets), _Https(sockets)):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "nexa-verify")]
    scheme = urlsplit(url).scheme
    for _ in range(1 + _REDIRECTS_MAX):
        with opener.open(url, timeout=timeout_s) as response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location is not None:
                url = urljoin(url, location)
                # Neither out of TLS nor into it, and not to a file.
                if urlsplit(url).scheme != scheme:
                    raise OSError(f"redirect to another scheme: {url!r:.200}")
                continue
            if response.status != 200:
                raise OSError(f"HTTP status {response.status}")
            return _body(response)
    raise OSError(f"more than {_REDIRECTS_MAX} redirects")


def _body(response: http.client.HTTPResponse) -> bytes:
    document = b""
    while len(document) <= _BYTES_MAX:
        part = response.read1(_BYTES_MAX + 1 - len(document))
        if not part:
            return document
        document += part
    raise OSError(f"more than {_BYTES_MAX} bytes")


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in SCHEMES:
        raise ValueError(f"{url!r:.200} is no http or https URL")


class _Sockets:
    """The connections of one fetch, so that another thread can end them: those that are, and those that are still to come."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Optional[List[socket.socket]] = []

    def add(self, connected: socket.socket) -> None:
        with self._lock:
            if self._open is None:
                raise TimeoutError("connected too late")
            self._open.append(connected)

    def shutdown(self) -> None:
        with self._lock:
            connected, self._open = self._open or [], None
        for one in connected:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself


def _noting(connection: type[http.client.HTTPConnection], sockets: _Sockets) -> type[http.client.HTTPConnection]:
    """A connection that lists its socket, so that another thread can end it."""

    class Noting(connection):  # type: ignore[misc, valid-type]
        def connect(self) -> None:
            super().connect()
            sockets.add(self.sock)

    return Noting


class _Http(request.HTTPHandler):
    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self._connection: Final = _noting(http.client.HTTPConnection, sockets)

    def http_open(self, req: request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)


class _Https(request.HTTPSHandler):
    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self._connection: Final = _noting(http.client.HTTPSConnection, sockets)

    def https_open(self, req: request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._connection, req)
