"""Times one check in Python against `Ed25519PublicKey.verify` of the same message, in interleaved pairs. Takes the file of the
licence."""

import base64
import json
import sys
import time

import jwt
import nexa_verify
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PAIRS = 151
SAMPLE_NS = 2e6

with open(sys.argv[1], encoding="utf-8") as file:
    licence = json.load(file)
token, now = licence["token"], licence["now"]


def decoded(text: str) -> bytes:
    """The bytes of a segment."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


signed, _, signature = token.rpartition(".")
signed, signature = signed.encode(), decoded(signature)
key = Ed25519PublicKey.from_public_bytes(decoded(licence["jwk"]["x"]))
expected = {name: licence[name] for name in ("issuer", "audience", "device")}
verifier = nexa_verify.Verifier(json.dumps(licence["jwk"]), **expected)
client = nexa_verify.Client(root=json.dumps(licence["root"]), **expected)
for document in ("key_set", "shard"):
    wanted = client.check(token, now=now).wanted
    assert wanted is not None and wanted.document == document
    client.receive(wanted, decoded(licence["documents"][document]))
ready = client.check(token, now=now)
assert ready.revocation == "not_revoked" and ready.wanted is None


def bare() -> None:
    """The floor; raises where the signature does not hold."""
    key.verify(signature, signed)


def checked() -> None:
    """The plain check."""
    assert verifier.check(token, now=now)


def of_client() -> None:
    """The client's check, by the key set and the shard that it has received."""
    assert client.check(token, now=now)


def pyjwt() -> None:
    """The same as far as PyJWT goes; its clock is the system's, and the licence is of today."""
    jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        issuer=licence["issuer"],
        audience=licence["audience"],
        options={"require": ["exp", "nbf", "iat", "sub", "jti"]},
    )


def sample(routine, runs: int) -> float:
    """Nanoseconds of one run among so many."""
    start = time.perf_counter_ns()
    for _ in range(runs):
        routine()
    return (time.perf_counter_ns() - start) / runs


def quantile(values: list[float], part: float) -> float:
    """A member of the sample."""
    return sorted(values)[round((len(values) - 1) * part)]


SUBJECTS = {"`Verifier.check`": checked, "`Client.check`, by a key set and a shard": of_client, "PyJWT: `decode`": pyjwt}
for name, subject in SUBJECTS.items():
    bare_runs, runs = (max(1, round(SAMPLE_NS / sample(routine, 200))) for routine in (bare, subject))
    bares, times, ratios = [], [], []
    for pair in range(PAIRS):
        # Each order equally often.
        first = sample(subject, runs) if pair % 2 else 0
        baseline = sample(bare, bare_runs)
        took = first or sample(subject, runs)
        bares.append(baseline)
        times.append(took)
        ratios.append(took / baseline)
    middle = [quantile(ratios, part) for part in (0.5, 0.25, 0.75)]
    print(name, quantile(bares, 0.5), quantile(times, 0.5), *middle, sep="\t")
