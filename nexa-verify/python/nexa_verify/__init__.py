"""Checks Nexa licences offline: the same verdicts with the same codes as nexa-verify in Rust, by the same code.

`Verifier` is the plain check against embedded keys. `Client` checks by all that it has learnt (key set, status shard, trusted
time), says what it wants next, and takes what was fetched; it does no IO but in `Client.update`, and keeps nothing on disk: the
program keeps `Client.save`'s bytes.

A licence that is bad, whatever is wrong with it, is a report that denies. Errors are for the caller's own arguments
(`ArgumentError`) and for keys, documents and states that are refused (`NexaError`); both have a stable `code`.
"""

from ._client import Client
from ._device import NOT_CHECKED, Device
from ._errors import ArgumentError, ArgumentTypeError, NexaError
from ._fetch import fetch
from ._report import Clock, Decision, DeviceMatch, License, Problem, Report, Wanted
from ._verifier import Verifier

__version__ = "0.1.0"

__all__ = [
    "NOT_CHECKED",
    "ArgumentError",
    "ArgumentTypeError",
    "Client",
    "Clock",
    "Decision",
    "Device",
    "DeviceMatch",
    "License",
    "NexaError",
    "Problem",
    "Report",
    "Verifier",
    "Wanted",
    "fetch",
]
