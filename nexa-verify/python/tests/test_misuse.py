"""What callers do wrong is named; what a licence may be full of is answered."""

from __future__ import annotations

import math
import pickle
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest

from conftest import Case, cases, client_of, expected
from nexa_verify import NOT_CHECKED, ArgumentError, ArgumentTypeError, Client, Decision, NexaError, Verifier, Wanted
from nexa_verify._library import version

VALID = next(case for case in cases() if case["code"] == "valid" and "device" in case["expect"])
SURROGATE = "a\ud800b"


def arguments(**changed: Any) -> Dict[str, Any]:
    return {**expected(VALID), **changed}


def verifier(**changed: Any) -> Verifier:
    jwks = changed.pop("jwks", VALID["keys"])
    return Verifier(jwks, **arguments(**changed))


def refused(call: Callable[[], object], kind: type[NexaError], code: str, *named: str) -> None:
    with pytest.raises(NexaError) as raised:
        call()
    error = raised.value
    assert type(error) is kind and error.code == code, error
    assert isinstance(error, ValueError) == (kind is not NexaError)
    assert isinstance(error, TypeError) == (kind is ArgumentTypeError)
    for name in named:
        assert name in error.message
    assert len(str(error)) < 500


@pytest.mark.parametrize("name", ["jwks", "issuer", "audience", "device", "max_lifetime_s"])
@pytest.mark.parametrize("value", [object(), 1.5, {1, 2}, [3]])
def test_a_wrong_type_is_named(name: str, value: object) -> None:
    refused(lambda: verifier(**{name: value}), ArgumentTypeError, "wrong_type", name)


def test_none_is_a_wrong_type_where_something_is_required() -> None:
    for name in ("jwks", "issuer", "audience", "device"):
        refused(lambda: verifier(**{name: None}), ArgumentTypeError, "wrong_type", name)
    without = arguments()
    del without["device"]
    for make in (lambda: Verifier(VALID["keys"], **without), lambda: Client(jwks=VALID["keys"], **without)):
        with pytest.raises(TypeError, match="device"):
            make()


@pytest.mark.parametrize(
    ("device", "named"),
    [
        ("fingerprint=my-laptop", "device"),
        (b"fingerprint", "device"),
        ({"fingerprint": 7}, "device['fingerprint']"),
        ({b"fingerprint": "a"}, "a kind in device"),
        ([("fingerprint", "a", "b")], "device[0]"),
        (["ab"], "device[0]"),
        ([("cpu", "c1"), ("disk", None)], "device[1][1]"),
        (iter([("cpu", "c1")]), "device"),
        (True, "device"),
    ],
)
def test_a_device_of_other_types_is_named(device: Any, named: str) -> None:
    refused(lambda: verifier(device=device), ArgumentTypeError, "wrong_type", named)


def test_lone_surrogates_are_named_and_in_a_licence_denied() -> None:
    for name in ("issuer", "audience"):
        refused(lambda: verifier(**{name: SURROGATE}), ArgumentError, "not_utf8", name)
    refused(lambda: verifier(device={"cpu": SURROGATE}), ArgumentError, "not_utf8", "device['cpu']")
    refused(lambda: verifier(device={SURROGATE: "a"}), ArgumentError, "not_utf8", "a kind in device")
    refused(lambda: verifier(jwks=SURROGATE), ArgumentError, "key_set_refused")
    refused(lambda: verifier().check(VALID["token"], revocations=SURROGATE), NexaError, "list_refused")
    assert verifier().check(SURROGATE).decision is Decision.DENY
    assert verifier().check(VALID["token"] + "\ud800", now=VALID["time"]).decision is Decision.DENY
    assert not verifier().check(VALID["token"], now=VALID["time"]).allows(SURROGATE)


def test_too_much_is_named() -> None:
    refused(lambda: verifier(issuer="i" * 1025), ArgumentError, "out_of_range", "issuer has 1025 bytes")
    refused(lambda: verifier(audience="a" * 5000), ArgumentError, "out_of_range", "audience")
    refused(lambda: verifier(device=[("cpu", "c")] * 33), ArgumentError, "out_of_range", "len(device) is 33")
    refused(lambda: verifier(device={"cpu": "c" * 5000}), ArgumentError, "out_of_range", "device.value")
    refused(lambda: verifier(jwks="[" * 10_000_000), ArgumentError, "key_set_refused")


def test_a_longest_life_that_ctypes_would_cut_off_is_named() -> None:
    for value in (0, -1, 2**53, 2**64, 2**64 + 1, 10**5000):
        refused(lambda: verifier(max_lifetime_s=value), ArgumentError, "out_of_range", "max_lifetime_s")


def test_a_time_that_is_none_is_named(case: Callable[[str], Case]) -> None:
    client = client_of(case("key-set/plain"))
    for now in (-1, -0.5, 2**53, 2**64 + 1_795_230_000, math.nan, math.inf, 10**5000):
        refused(lambda: verifier().check(VALID["token"], now=now), ArgumentError, "out_of_range", "now")
        refused(lambda: client.check("", now), ArgumentError, "out_of_range", "now")
        refused(lambda: client.check("", 1, monotonic=now), ArgumentError, "out_of_range", "monotonic")


def test_a_time_of_another_type_is_named() -> None:
    for now in ("1795230000", True, [1], b"1"):
        refused(lambda: verifier().check("", now=now), ArgumentTypeError, "wrong_type", "now")  # type: ignore[arg-type]


def test_a_licence_of_any_bytes_is_answered() -> None:
    token = VALID["token"]
    for bad in ("", "\0", token + "\0", token + "\n", "\0" + token, "." * 4096, "ü" * 3000, b"\xff\xfe", token * 40, "A" * 10_000_000):
        report = verifier().check(bad, now=VALID["time"])
        assert report.decision is Decision.DENY and report.license is None, bad[:40]
    for same in (token, token.encode(), bytearray(token.encode()), memoryview(token.encode())):
        assert verifier().check(same, now=VALID["time"]).code == "valid"
    for wrong in (None, 7, [token]):
        refused(lambda: verifier().check(wrong), ArgumentTypeError, "wrong_type", "token")  # type: ignore[arg-type]


def test_a_zero_byte_ends_no_text() -> None:
    for name in ("issuer", "audience"):
        longer = verifier(**{name: VALID["expect"][name] + "\0x"})
        assert longer.check(VALID["token"], now=VALID["time"]).decision is Decision.DENY
    kind, value = next(iter(VALID["expect"]["device"].items()))
    other = verifier(device={kind: value + "\0x"})
    assert other.check(VALID["token"], now=VALID["time"]).code == "other_device"
    refused(lambda: verifier(jwks=VALID["keys"] + "\0"), ArgumentError, "key_set_refused")
    assert not verifier().check(VALID["token"], now=VALID["time"]).allows("\0")


def test_a_device_is_given_in_three_ways() -> None:
    class Parts(Mapping[str, str]):
        def __getitem__(self, kind: str) -> str:
            return str(VALID["expect"]["device"][kind])

        def __iter__(self) -> Any:
            return iter(VALID["expect"]["device"])

        def __len__(self) -> int:
            return len(VALID["expect"]["device"])

    pairs = [*VALID["expect"]["device"].items()]
    of_one_kind = [(kind, "another") for kind, _ in pairs] + pairs
    for device in (Parts(), pairs, tuple(pairs), of_one_kind):
        report = verifier(device=device).check(VALID["token"], now=VALID["time"])
        assert report.code == "valid" and report.device is not None
    unchecked = verifier(device=NOT_CHECKED).check(VALID["token"], now=VALID["time"])
    assert unchecked.code == "valid" and unchecked.device is None
    assert verifier(device={}).check(VALID["token"], now=VALID["time"]).code == "other_device"


def test_keys_of_a_client_are_one_or_the_other(case: Callable[[str], Case]) -> None:
    root = case("key-set/plain")["keys"]
    wrong: List[Dict[str, Any]] = [{}, {"root": root, "jwks": root}, {"root": root, "status_jwks": root}, {"status_jwks": root}]
    for keys in wrong:
        refused(lambda: Client(**arguments(), **keys), ArgumentError, "wrong_keys", "root" if "root" in keys else "jwks")
    for name in ("root", "jwks"):
        refused(lambda: Client(**arguments(**{name: "{}"})), ArgumentError, "key_set_refused")
        refused(lambda: Client(**arguments(**{name: 7})), ArgumentTypeError, "wrong_type", name)


def test_documents_that_nobody_wants_are_refused(case: Callable[[str], Case]) -> None:
    client = client_of(case("key-set/plain"))
    for wanted in (None, "key_set", {"document": "key_set"}):
        refused(lambda: client.receive(wanted, b""), ArgumentTypeError, "wrong_type", "wanted")  # type: ignore[arg-type]
        refused(lambda: client.failed(wanted), ArgumentTypeError, "wrong_type", "wanted")  # type: ignore[arg-type]
    other: Any = "licence"
    refused(lambda: client.receive(Wanted(other), b""), ArgumentError, "out_of_range", "wanted.document")
    refused(lambda: client.receive(Wanted("shard"), b""), ArgumentError, "out_of_range", "wanted.number")
    refused(lambda: client.receive(Wanted("shard", 2**32), b""), ArgumentError, "out_of_range", "wanted.number")
    refused(lambda: client.receive(Wanted("key_set"), "text"), ArgumentTypeError, "wrong_type", "document")  # type: ignore[arg-type]
    for data in (b"", b"\0" * 20_000, b"\xff" * 10_000_000):
        with pytest.raises(NexaError) as raised:
            client.receive(Wanted("key_set"), data)
        assert raised.value.code.startswith("key_set_")
    for name in ("save", "restore"):
        arguments = (None,) if name == "save" else (b"", None)
        refused(lambda: getattr(client, name)(*arguments), ArgumentTypeError, "wrong_type", "fingerprint")
    refused(lambda: client.restore("text", "laptop"), ArgumentTypeError, "wrong_type", "state")  # type: ignore[arg-type]


def test_the_hosts_clock_is_the_default(case: Callable[[str], Case]) -> None:
    clock = client_of(case("key-set/plain")).check("").clock
    assert clock is not None and abs(clock.trusted - time.time()) < 5
    # The licences of the conformance file begin in 2026 and are over when this computer says so.
    now = verifier().check(VALID["token"]).code
    assert now == verifier().check(VALID["token"], now=time.time()).code


def test_errors_can_be_sent_to_another_process() -> None:
    for kind in (NexaError, ArgumentError, ArgumentTypeError):
        sent = pickle.loads(pickle.dumps(kind("a_code", "a sentence")))
        assert type(sent) is kind and (sent.code, sent.message) == ("a_code", "a sentence")
        assert str(sent) == "a_code: a sentence"


def test_the_library_is_of_the_packages_version() -> None:
    import nexa_verify

    assert version() == nexa_verify.__version__
    manifest = Path(__file__).resolve().parents[2] / "ffi/Cargo.toml"
    assert f'\nversion = "{nexa_verify.__version__}"\n' in manifest.read_text()


def test_the_codes_that_this_package_adds_stand_in_its_readme() -> None:
    folder = Path(__file__).resolve().parents[1]
    sources = "".join(source.read_text("utf-8") for source in (folder / "nexa_verify").glob("*.py"))
    added = set(re.findall(r'(?:Error\(\s*|return )"(\w+)", ', sources))
    listed = re.findall(r"^\| `(\w+)` \| (?:`Arg|in )", (folder / "README.md").read_text("utf-8"), re.M)
    assert added == set(listed) and len(listed) == 6
