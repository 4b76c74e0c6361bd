"""What a licence has to be of: issuer, app and device."""

from __future__ import annotations

import ctypes
import enum
from typing import Final, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from . import _inputs as inputs
from ._library import COMPONENTS, DEVICE_NOT_CHECKED, Component, Expectations, Text


class _Unchecked(enum.Enum):
    NOT_CHECKED = "not_checked"

    def __repr__(self) -> str:
        return self.name


NOT_CHECKED: Final = _Unchecked.NOT_CHECKED
"""The device is left out of the verdict: for a server that looks at somebody else's licence."""

Device = Union[Mapping[str, str], Sequence[Tuple[str, str]], _Unchecked]
"""What this device is made of, as {kind: value} or, where it has several of one kind, pairs of them; or `NOT_CHECKED`."""


def expectations(issuer: str, audience: str, device: Device, max_lifetime_s: Optional[int]) -> Expectations:
    """All of it for the library, which copies it. The structure keeps alive what it points to."""
    components = _components(device)
    array = (Component * len(components))(*components)
    return Expectations(
        issuer=_text(inputs.text(issuer, "issuer")),
        audience=_text(inputs.text(audience, "audience")),
        components=ctypes.cast(array, ctypes.POINTER(Component)),
        component_count=len(components),
        device=DEVICE_NOT_CHECKED if device is NOT_CHECKED else COMPONENTS,
        max_lifetime_s=inputs.max_lifetime_s(max_lifetime_s),
    )


def _components(device: Device) -> List[Component]:
    if isinstance(device, _Unchecked):
        return []
    return [
        Component(_text(inputs.text(kind, kind_name)), _text(inputs.text(value, value_name)))
        for kind, value, kind_name, value_name in _pairs(device)
    ]


def _pairs(device: Union[Mapping[str, str], Sequence[Tuple[str, str]]]) -> Iterator[Tuple[str, str, str, str]]:
    """Kinds and values, each with its name in a message."""
    if isinstance(device, Mapping):
        for kind, value in device.items():
            yield kind, value, "a kind in device", f"device[{kind!r:.80}]"
        return
    if isinstance(device, (str, bytes)) or not isinstance(device, Sequence):
        raise inputs.wrong_type("device", "a mapping, a sequence of pairs, or NOT_CHECKED", device)
    for at, pair in enumerate(device):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise inputs.wrong_type(f"device[{at}]", "a pair of kind and value", pair)
        yield pair[0], pair[1], f"device[{at}][0]", f"device[{at}][1]"


def _text(text: bytes) -> Text:
    return Text(text, len(text))
