"""The client: checks by all that it has learnt, says what to fetch next, and takes what was fetched."""

from __future__ import annotations

import ctypes
import dataclasses
from typing import Callable, Final, List, Optional, Tuple
from urllib.parse import urlsplit

from . import _inputs as inputs
from . import _report as reports
from ._device import Device, expectations
from ._errors import ArgumentError, NexaError
from ._fetch import SCHEMES
from ._fetch import fetch as fetch_url
from ._library import CLIENT, REPORT, STATE_BYTES, call, library, memory
from ._locks import new_lock
from ._report import Problem, Report, Wanted

# After so many documents `update` answers with what it has: a client that is in order wants two or three.
_ROUNDS: Final = 8

_DOCUMENTS: Final = {"key_set": 1, "shard": 2}


class Client:
    """Checks licences of one issuer for one app on one device with all that it has learnt. Threads may share it, and forks copy it.

    It trusts either `root`, the text that `nexa keyset export --root` prints (keys for licences may then be replaced and revoked
    without a new version of the program), or `jwks`, the published JWK set as it was when the program was built, with
    `status_jwks`, embedded status keys, where revocation is to be checked. It knows nothing yet; see `restore`.

    `issuer`, `audience`, `device` and `max_lifetime_s` are as for `Verifier`.
    """

    def __init__(
        self,
        *,
        root: Optional[inputs.Document] = None,
        jwks: Optional[inputs.Document] = None,
        status_jwks: Optional[inputs.Document] = None,
        issuer: str,
        audience: str,
        device: Device,
        max_lifetime_s: Optional[int] = None,
    ) -> None:
        expected = expectations(issuer, audience, device, max_lifetime_s)
        self._memory: Final = memory(CLIENT)
        # The library changes a client in place, also in a check: one thread at a time.
        self._lock: Final = new_lock()
        if (root is None) == (jwks is None):
            raise ArgumentError("wrong_keys", "root or jwks must be there, and not both")
        if root is not None:
            if status_jwks is not None:
                raise ArgumentError("wrong_keys", "status_jwks goes with jwks: a root key signs the status keys itself")
            keys = inputs.document(root, "root")
            call(library.nexa_client_init_root, self._memory, keys, len(keys), expected, refusal=ArgumentError)
        elif jwks is not None:
            keys = inputs.document(jwks, "jwks")
            status = None if status_jwks is None else inputs.document(status_jwks, "status_jwks")
            status_bytes = 0 if status is None else len(status)
            arguments = (self._memory, keys, len(keys), status, status_bytes, expected)
            call(library.nexa_client_init_keys, *arguments, refusal=ArgumentError)

    def check(
        self,
        token: inputs.Document,
        now: Optional[inputs.Seconds] = None,
        *,
        monotonic: Optional[inputs.Seconds] = None,
    ) -> Report:
        """Checks one licence now; the report also says what to fetch next (`wanted`).

        Both clocks are the host's unless told. With `now` there is no monotonic clock but the one that is told.
        """
        bytes_of_token = inputs.document(token, "token")
        found = memory(REPORT)
        with self._lock:
            # Clocks are read in here, or those of two threads could pass each other and seem to run back.
            call(
                library.nexa_client_check,
                self._memory,
                inputs.wall_clock(now),
                inputs.monotonic_clock(now, monotonic),
                bytes_of_token,
                len(bytes_of_token),
                found,
            )
        return reports.read(found)

    def receive(self, wanted: Wanted, document: inputs.Data) -> None:
        """Takes a document that was fetched or brought. It needs no trust: `NexaError` says why one is refused.

        What is refused changes nothing but what is asked for next.
        """
        kind, number = _document(wanted)
        data = inputs.data(document, "document")
        with self._lock:
            call(library.nexa_client_receive, self._memory, kind, number, data, len(data))

    def failed(self, wanted: Wanted) -> None:
        """Notes that a document could not be fetched: for a minute it is not asked for, and something else may be."""
        kind, _ = _document(wanted)
        with self._lock:
            call(library.nexa_client_failed, self._memory, kind)

    def save(self, fingerprint: inputs.Document) -> bytes:
        """What the client has learnt, for the program to keep: about 11 KiB at most.

        `fingerprint` binds it to this device: what identifies it and does not change.
        """
        bound = inputs.document(fingerprint, "fingerprint")
        buffer = ctypes.create_string_buffer(STATE_BYTES)
        written = ctypes.c_size_t()
        with self._lock:
            call(
                library.nexa_client_save,
                self._memory,
                bound,
                len(bound),
                buffer,
                STATE_BYTES,
                ctypes.byref(written),
            )
        return buffer.raw[: written.value]

    def restore(self, state: inputs.Data, fingerprint: inputs.Document) -> None:
        """Takes up what `save` wrote on this device. Where `NexaError` says that it was refused, the client is as before.

        The program then decides whether it begins anew, and so forgets how far the clock had come.
        """
        data = inputs.data(state, "state")
        bound = inputs.document(fingerprint, "fingerprint")
        with self._lock:
            call(library.nexa_client_restore, self._memory, data, len(data), bound, len(bound))

    def update(
        self,
        token: inputs.Document,
        *,
        fetch: Callable[[str], bytes] = fetch_url,
        now: Optional[inputs.Seconds] = None,
    ) -> Report:
        """Checks, fetches what is wanted, and checks again, until nothing is wanted; answers the last report.

        A document that cannot be had or is refused raises nothing: it stands in the report's `problems`, and the client goes on
        with what it has. `fetch` is given a URL (http or https) and answers the bytes there, or raises.

        The URL is the issuer's, or stands in a licence that the issuer signed: a program that trusts an issuer with less than its
        network brings a `fetch` that looks at it first.
        """
        problems: List[Problem] = []
        report = self.check(token, now)
        for _ in range(_ROUNDS):
            if report.wanted is None:
                break
            problem = self._bring(report.wanted, fetch)
            if problem is not None:
                problems.append(Problem(report.wanted, *problem))
            report = self.check(token, now)
        return dataclasses.replace(report, problems=tuple(problems))

    def _bring(self, wanted: Wanted, fetch: Callable[[str], bytes]) -> Optional[Tuple[str, str]]:
        """Gets and takes one document; the code and the message of what hindered it."""
        url = wanted.url or ""
        try:
            scheme = urlsplit(url).scheme
        except ValueError:
            scheme = ""
        if scheme not in SCHEMES:
            self.failed(wanted)
            return "url_refused", f"{url!r:.200} is no http or https URL"
        try:
            document = fetch(url)
        except Exception as error:  # whatever the caller's function raises: the client goes on without
            self.failed(wanted)
            return "not_fetched", f"{url:.200}: {error or type(error).__name__}"
        # Not a server's fault, but the function's.
        data = inputs.data(document, "what fetch answers")
        try:
            self.receive(wanted, data)
        except NexaError as refused:
            return refused.code, refused.message
        return None


def _document(wanted: Wanted) -> Tuple[int, int]:
    """Which document, and where it is a shard, its number."""
    if not isinstance(wanted, Wanted):
        raise inputs.wrong_type("wanted", "Wanted", wanted)
    kind = _DOCUMENTS.get(wanted.document)
    if kind is None:
        raise ArgumentError("out_of_range", f"wanted.document is {wanted.document!r:.80}; key_set and shard are taken")
    if wanted.document == "key_set":
        return kind, 0
    if wanted.number is None:
        raise ArgumentError("out_of_range", "wanted.number is None: a shard has a number")
    return kind, inputs.whole(wanted.number, "wanted.number", 2**32)
