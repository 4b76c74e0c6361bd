"""What a check found, as values that do not change."""

from __future__ import annotations

import ctypes
import enum
import json
from dataclasses import dataclass, field, fields
from typing import Any, Dict, Literal, Mapping, NoReturn, Optional, Tuple, Type

from . import _inputs as inputs
from ._library import library


class Decision(enum.Enum):
    """What to do if the program has no rule of its own. True in a condition if it is to allow."""

    ALLOW = "allow"
    DENY = "deny"

    def __bool__(self) -> bool:
        return self is Decision.ALLOW


class _Limits(dict[str, int]):
    """Limits that do not change. A `MappingProxyType` could neither be sent to another process nor go through `asdict` or `json`."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a report's limits do not change; dict(limits) is a copy that does")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> Tuple[Type[_Limits], Tuple[Dict[str, int]]]:
        return _Limits, (dict(self),)


@dataclass(frozen=True)
class License:
    """What a licence states whose signature and claims hold. Times are Unix seconds; `None` is what it does not state."""

    issuer: str
    subject: str
    audience: str
    jti: str
    kid: str
    issued_at: int
    not_before: int
    expires_at: int
    plan: Optional[str]
    entitlements: Tuple[str, ...]
    limits: Mapping[str, int] = field(hash=False)
    grace_s: int
    fresh_s: Optional[int]
    max_age_s: Optional[int]
    stale: str
    renew_after: Optional[int]
    trial: bool
    status_idx: Optional[int]
    status_uri: Optional[str]


@dataclass(frozen=True)
class DeviceMatch:
    """How many of the licence's components are here, how many have to be, and which kinds have another value."""

    matched: int
    required: int
    total: int
    drifted: Tuple[str, ...]


@dataclass(frozen=True)
class Clock:
    """The time that was taken, in Unix seconds, and how far the wall clock was behind it or ahead of the monotonic one."""

    trusted: int
    stepped_back_s: int
    ahead_s: int


@dataclass(frozen=True)
class Wanted:
    """A document to fetch and hand to `Client.receive`; for one that was brought, `Wanted("key_set")` or `Wanted("shard", 7)`."""

    document: Literal["key_set", "shard"]
    number: Optional[int] = None
    since: Optional[int] = None
    why: Optional[Literal["missing", "unknown_key", "unknown_status_key", "old", "delta_failed"]] = None
    url: Optional[str] = None


@dataclass(frozen=True)
class Problem:
    """A document that `Client.update` could not fetch (`not_fetched`, `url_refused`), or that was refused (the rule's code)."""

    wanted: Wanted
    code: str
    message: str


@dataclass(frozen=True)
class Report:
    """What a check found. True in a condition if the default decision allows.

    `code` is the stable name of the verdict, or of the rule that the licence breaks; `message` says it for people. `license` is
    `None` where signature or claims do not hold, `device` where none was compared; `clock` and `wanted` come from a client, and
    `problems` from its `update`. `json` is all of it as the library wrote it.
    """

    code: str
    message: str
    decision: Decision
    starts_in_s: Optional[int]
    since_s: Optional[int]
    grace_left_s: Optional[int]
    revoked_at: Optional[int]
    revocation: Literal["not_checked", "no_data", "not_revoked", "revoked"]
    freshness: Literal["unknown", "fresh", "aging", "too_old"]
    revocation_age_s: Optional[int]
    license: Optional[License]
    device: Optional[DeviceMatch]
    clock: Optional[Clock]
    wanted: Optional[Wanted]
    problems: Tuple[Problem, ...] = ()
    json: str = field(default="", repr=False, compare=False)

    def __bool__(self) -> bool:
        return bool(self.decision)

    def allows(self, name: str) -> bool:
        """Whether the default decision allows and the licence lists this entitlement."""
        if not isinstance(name, str):
            raise inputs.wrong_type("name", "str", name)
        return bool(self) and self.license is not None and name in self.license.entitlements

    def limit(self, name: str) -> Optional[int]:
        """The licence's limit of this name, whatever the decision; `None` where it states none, or does not hold."""
        if not isinstance(name, str):
            raise inputs.wrong_type("name", "str", name)
        return None if self.license is None else self.license.limits.get(name)


def read(memory: ctypes.Array[ctypes.c_uint64]) -> Report:
    """The report that a check has written."""
    return of_json(library.nexa_report_json(memory).decode("utf-8"))


def of_json(text: str) -> Report:
    """A report of its JSON. Members that this version does not know are for later ones."""
    members = json.loads(text)
    license, device = members["license"], members["device"]
    if license is not None:
        license["entitlements"] = tuple(license["entitlements"])
        license["limits"] = _Limits(license["limits"])
    if device is not None:
        device["drifted"] = tuple(device["drifted"])
    members["decision"] = Decision(members["decision"])
    members["license"] = _known(License, license)
    members["device"] = _known(DeviceMatch, device)
    # A plain check has neither.
    members["clock"] = _known(Clock, members.get("clock"))
    members["wanted"] = _known(Wanted, members.get("wanted"))
    members["problems"] = ()
    members["json"] = text
    report: Report = _known(Report, members)
    return report


_NAMES: Mapping[type, Tuple[str, ...]] = {
    kind: tuple(member.name for member in fields(kind)) for kind in (Report, License, DeviceMatch, Clock, Wanted)
}


def _known(kind: Type[Any], members: Optional[Dict[str, Any]]) -> Any:
    """What the members say, without those that are not known here."""
    if members is None:
        return None
    value = object.__new__(kind)
    # As `__init__` would, which takes ten times as long where a dataclass is frozen.
    value.__dict__.update({name: members[name] for name in _NAMES[kind]})
    return value
