"""Reads the tokens of the differential run with the C library, by ctypes. Takes the library."""

import base64
import json
import sys
from ctypes import CDLL, POINTER, Structure, byref, c_char_p, c_size_t, c_uint32, c_uint64, c_void_p

VERIFIER, REPORT, NOT_CHECKED = 1, 3, 2

library = CDLL(sys.argv[1])
library.nexa_bytes.restype = c_size_t
library.nexa_report_code.restype = c_char_p
library.nexa_report_code.argtypes = [c_void_p]
library.nexa_report_decision.argtypes = [c_void_p]


class Text(Structure):
    """`nexa_text`."""

    _fields_ = [("at", c_char_p), ("bytes", c_size_t)]


class Expectations(Structure):
    """`nexa_expectations`."""

    _fields_ = [
        ("issuer", Text),
        ("audience", Text),
        ("components", c_void_p),
        ("component_count", c_size_t),
        ("device", c_uint32),
        ("max_lifetime_s", c_uint64),
    ]


library.nexa_verifier_init.argtypes = [c_void_p, c_char_p, c_size_t, POINTER(Expectations), c_void_p]
library.nexa_verifier_check.argtypes = [
    c_void_p, c_uint64, c_char_p, c_size_t, c_void_p, c_size_t, c_void_p, c_void_p,
]

setup = json.loads(sys.stdin.readline())
issuer, audience = setup["issuer"].encode(), setup["audience"].encode()
expectations = Expectations(Text(issuer, len(issuer)), Text(audience, len(audience)), None, 0, NOT_CHECKED, 0)


def words(kind: int):
    """Memory for an object, aligned to eight bytes."""
    return (c_uint64 * (library.nexa_bytes(kind) // 8))()


verifiers = []
for keys in setup["key_sets"]:
    keys = keys.encode()
    verifier = words(VERIFIER)
    if library.nexa_verifier_init(byref(verifier), keys, len(keys), byref(expectations), None) != 0:
        sys.exit("a key set is refused")
    verifiers.append(verifier)

report = words(REPORT)
for line in sys.stdin:
    _, keys, token = line.rstrip("\n").split("\t")
    token = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    status = library.nexa_verifier_check(
        byref(verifiers[int(keys)]), setup["now"], token, len(token), None, 0, byref(report), None
    )
    if status != 0:
        sys.exit(f"a check ended with status {status}")
    allows = library.nexa_report_decision(byref(report)) == 1
    print(f"{'accept' if allows else 'refuse'}\t{library.nexa_report_code(byref(report)).decode()}")
