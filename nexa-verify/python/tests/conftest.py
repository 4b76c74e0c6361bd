"""What all tests share: the conformance file, and clients and verifiers made of its cases."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

import nexa_verify
from nexa_verify import NOT_CHECKED, Client, Report, Verifier, Wanted

Case = Dict[str, Any]

REPOSITORY = Path(__file__).resolve().parents[3]
# Where the number stands in a status shard: behind magic and thumbprint.
SHARD_NUMBER = slice(12, 16)


def cases() -> List[Case]:
    file = json.loads((REPOSITORY / "nexa-core/tests/license-vectors.json").read_text("utf-8"))
    return list(file["cases"])


def document(case: Case, name: str) -> bytes:
    text = case["expect"][name]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def expected(case: Case) -> Dict[str, Any]:
    """What the case's licence has to be of, as arguments."""
    expect = case["expect"]
    return {
        "issuer": expect["issuer"],
        "audience": expect["audience"],
        "device": expect.get("device", NOT_CHECKED),
        "max_lifetime_s": expect.get("max_lifetime_s"),
    }


def client_of(case: Case) -> Client:
    """A client of the case's keys, which has received nothing yet."""
    status_keys = case["expect"].get("status_keys")
    if status_keys is None:
        return Client(root=case["keys"], **expected(case))
    return Client(jwks=case["keys"], status_jwks=status_keys, **expected(case))


def documents(case: Case) -> List[Any]:
    """What a case's client receives, in order."""
    found = []
    if "key_set" in case["expect"]:
        found.append((Wanted("key_set"), document(case, "key_set")))
    if "shard" in case["expect"]:
        number = int.from_bytes(document(case, "shard")[SHARD_NUMBER], "big")
        found += [
            (Wanted("shard", number), document(case, name)) for name in ("shard", "delta") if name in case["expect"]
        ]
    return found


def check(case: Case) -> Report:
    """The case as it goes through this package."""
    expect = case["expect"]
    if "key_set" in expect or "status_keys" in expect:
        client = client_of(case)
        for wanted, data in documents(case):
            client.receive(wanted, data)
        return client.check(case["token"], case["time"])
    verifier = Verifier(case["keys"], **expected(case))
    revocations = json.dumps(expect["revocations"]) if "revocations" in expect else None
    return verifier.check(case["token"], now=case["time"], revocations=revocations)


@pytest.fixture(scope="session")
def case() -> Callable[[str], Case]:
    """A case by its name."""
    by_name = {case["name"]: case for case in cases()}
    return by_name.__getitem__


@pytest.fixture(scope="session", autouse=True)
def installed_package() -> None:
    """The tests are about what is in the wheel, not about the folder beside them."""
    where = Path(nexa_verify.__file__).resolve()
    assert REPOSITORY not in where.parents, f"{where} is not installed"


@pytest.fixture(scope="session", autouse=True)
def no_proxy() -> None:
    """The servers of these tests are on this machine."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
