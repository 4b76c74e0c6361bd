"""Arguments as a caller passes them, made into what the library takes; what it cannot take is named."""

from __future__ import annotations

import time
from typing import Any, Final, Optional, Union

from ._errors import ArgumentError, ArgumentTypeError
from ._library import NO_MONOTONIC

# What a token, a JWK set or a list may be: text, or its bytes.
Document = Union[str, bytes, bytearray, memoryview]
Data = Union[bytes, bytearray, memoryview]
Seconds = Union[int, float]

# Times are below 2^53 everywhere in Nexa. ctypes would cut larger numbers off without a word.
_SECONDS_END: Final = 2**53


def wrong_type(argument: str, wanted: str, value: object) -> ArgumentTypeError:
    return ArgumentTypeError("wrong_type", f"{argument} must be {wanted}, not {type(value).__name__}")


def document(value: Document, argument: str) -> bytes:
    """Bytes that the library itself judges: text that is not UTF-8 is refused as what it should have been."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return data(value, argument, "str or bytes")


def data(value: Data, argument: str, wanted: str = "bytes") -> bytes:
    """Bytes, copied where somebody might change them during the call."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise wrong_type(argument, wanted, value)


def text(value: str, argument: str) -> bytes:
    """A text that is compared byte for byte."""
    if not isinstance(value, str):
        raise wrong_type(argument, "str", value)
    try:
        return value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ArgumentError(
            "not_utf8", f"{argument} is not UTF-8: it has a lone surrogate at {error.start}"
        ) from None


def seconds(value: Seconds, argument: str) -> int:
    """Seconds, whole: a fraction is dropped, as of `time.time()`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(argument, "int or float, in seconds,", value)
    if not 0 <= value < _SECONDS_END:  # not so for NaN either
        raise ArgumentError("out_of_range", f"{argument} is {_shown(value)}; seconds from 0 to below 2^53 are taken")
    return int(value)


def whole(value: int, argument: str, end: int, start: int = 0) -> int:
    """A whole number from `start` to below `end`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(argument, "int", value)
    if not start <= value < end:
        raise ArgumentError("out_of_range", f"{argument} is {_shown(value)}; from {start} to {end - 1} are taken")
    return value


def max_lifetime_s(value: Optional[int]) -> int:
    """Zero, which the library takes for its own bound, is none that a caller may mean."""
    return 0 if value is None else whole(value, "max_lifetime_s", _SECONDS_END, start=1)


def wall_clock(now: Optional[Seconds]) -> int:
    """The time that the caller states, or the host's: at least the epoch, where a machine's battery was empty."""
    return max(0, int(time.time())) if now is None else seconds(now, "now")


def monotonic_clock(now: Optional[Seconds], monotonic: Optional[Seconds]) -> int:
    """What the caller states. The host's own clock goes together with the host's own time alone."""
    if monotonic is not None:
        return seconds(monotonic, "monotonic")
    return int(time.monotonic()) if now is None else NO_MONOTONIC


def _shown(value: Any) -> str:
    """A number in a message, however long it is."""
    if isinstance(value, int) and abs(value) >= 2**64:
        return f"a number of {value.bit_length()} bits"
    return str(value)
