"""Loads the shared library, and says in ctypes what its header `nexa_verify.h` says in C."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Final

from ._errors import ArgumentError, NexaError

_PATH: Final = Path(__file__).with_name("libnexa_verify.so")

# `nexa_object`: what has a size.
VERIFIER: Final = 1
CLIENT: Final = 2
REPORT: Final = 3
_STATE: Final = 4

# `nexa_device_check`.
COMPONENTS: Final = 1
DEVICE_NOT_CHECKED: Final = 2

# `NEXA_NO_MONOTONIC`.
NO_MONOTONIC: Final = 2**64 - 1

_OK: Final = 0
_REFUSED: Final = -6


class Text(ctypes.Structure):
    """`nexa_text`"""

    _fields_ = [("at", c_char_p), ("bytes", c_size_t)]


class Component(ctypes.Structure):
    """`nexa_component`"""

    _fields_ = [("kind", Text), ("value", Text)]


class Expectations(ctypes.Structure):
    """`nexa_expectations`"""

    _fields_ = [
        ("issuer", Text),
        ("audience", Text),
        ("components", POINTER(Component)),
        ("component_count", c_size_t),
        ("device", c_uint32),
        ("max_lifetime_s", c_uint64),
    ]


class _Problem(ctypes.Structure):
    """`nexa_problem`"""

    _fields_ = [("code", c_char * 48), ("message", c_char * 208)]


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(_PATH))
    except OSError as error:
        raise ImportError(
            f"nexa_verify has no shared library that this machine can load ({error}); install the wheel for its platform"
        ) from error
    expectations, problem = POINTER(Expectations), POINTER(_Problem)
    # An object is memory of its own, a token or a document is bytes that do not change: both are passed as they are.
    text = (c_char_p, c_size_t)
    for name, answer, arguments in (
        ("nexa_version", c_char_p, ()),
        ("nexa_bytes", c_size_t, (c_uint32,)),
        ("nexa_verifier_init", c_int, (c_void_p, *text, expectations, problem)),
        ("nexa_verifier_check", c_int, (c_void_p, c_uint64, *text, *text, c_void_p, problem)),
        ("nexa_client_init_root", c_int, (c_void_p, *text, expectations, problem)),
        ("nexa_client_init_keys", c_int, (c_void_p, *text, *text, expectations, problem)),
        ("nexa_client_check", c_int, (c_void_p, c_uint64, c_uint64, *text, c_void_p, problem)),
        ("nexa_client_receive", c_int, (c_void_p, c_uint32, c_uint32, *text, problem)),
        ("nexa_client_failed", c_int, (c_void_p, c_uint32, problem)),
        ("nexa_client_save", c_int, (c_void_p, *text, c_void_p, c_size_t, POINTER(c_size_t), problem)),
        ("nexa_client_restore", c_int, (c_void_p, *text, *text, problem)),
        ("nexa_report_json", c_char_p, (c_void_p,)),
    ):
        function = getattr(library, name)
        function.restype = answer
        function.argtypes = arguments
    return library


# CDLL lets other threads run during a call.
library: Final = _load()

STATE_BYTES: Final[int] = library.nexa_bytes(_STATE)
_WORDS: Final[dict[int, type[ctypes.Array[c_uint64]]]] = {
    kind: c_uint64 * (library.nexa_bytes(kind) // 8) for kind in (VERIFIER, CLIENT, REPORT)
}


def version() -> str:
    """The version of the shared library."""
    return str(library.nexa_version().decode())


def memory(kind: int) -> ctypes.Array[c_uint64]:
    """Memory for an object, aligned; the library makes and frees nothing itself."""
    return _WORDS[kind]()


# How the library names what this package calls otherwise.
_NAMES: Final = (
    ("expectations.component_count", "len(device)"),
    ("expectations.components", "device"),
    ("expectations.", ""),
)


def call(function: Any, *arguments: Any, refusal: type[NexaError] = NexaError) -> None:
    """Calls what answers a `nexa_status`, and raises what it has to say: `refusal` for what it was given to trust."""
    problem = _Problem()
    status = function(*arguments, ctypes.byref(problem))
    if status == _OK:
        return
    code, message = (text.decode("utf-8", "replace") for text in (problem.code, problem.message))
    if status == _REFUSED:
        raise refusal(code, message)
    for name, ours in _NAMES:
        message = message.replace(name, ours)
    raise ArgumentError(code, message)
