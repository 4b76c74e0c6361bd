"""The plain check: embedded keys, one call."""

from __future__ import annotations

from typing import Final, Optional

from . import _inputs as inputs
from . import _report as reports
from ._device import Device, expectations
from ._errors import ArgumentError
from ._library import REPORT, VERIFIER, call, library, memory
from ._report import Report


class Verifier:
    """Checks licences of one issuer for one app against embedded keys. Threads may share it.

    `jwks` is the text of the published JWK set as it was when the program was built; `issuer` is compared byte for byte with
    `iss`, `audience` (the app's id) with `aud`. `max_lifetime_s` is the longest accepted life (exp − iat); 400 days unless told.

    Raises `ArgumentError` (`key_set_refused`) where a key is malformed, weak or private.
    """

    def __init__(
        self,
        jwks: inputs.Document,
        *,
        issuer: str,
        audience: str,
        device: Device,
        max_lifetime_s: Optional[int] = None,
    ) -> None:
        keys = inputs.document(jwks, "jwks")
        expected = expectations(issuer, audience, device, max_lifetime_s)
        # Written here and never again: calls of several threads only read it.
        self._memory: Final = memory(VERIFIER)
        call(library.nexa_verifier_init, self._memory, keys, len(keys), expected, refusal=ArgumentError)

    def check(
        self,
        token: inputs.Document,
        *,
        now: Optional[inputs.Seconds] = None,
        revocations: Optional[inputs.Document] = None,
    ) -> Report:
        """Checks one licence at `now`, in Unix seconds; by the host's clock unless told.

        `revocations` is the text of the published list of revoked licences, all of it; without it the report says that revocation
        was not checked. Raises `NexaError` (`list_refused`) where it is malformed.
        """
        bytes_of_token = inputs.document(token, "token")
        revoked = None if revocations is None else inputs.document(revocations, "revocations")
        found = memory(REPORT)
        call(
            library.nexa_verifier_check,
            self._memory,
            inputs.wall_clock(now),
            bytes_of_token,
            len(bytes_of_token),
            revoked,
            0 if revoked is None else len(revoked),
            found,
        )
        return reports.read(found)
