"""Reads the tokens of the differential run with PyJWT, which asks the system for the time: run it under faketime."""

import base64
import json
import sys
import time

import jwt

setup = json.loads(sys.stdin.readline())
if int(time.time()) != setup["now"]:
    sys.exit("the system's clock does not show the time of the tokens: run this under faketime")
KEY_SETS = [
    {key.key_id: key for key in jwt.PyJWKSet.from_json(keys).keys}
    for keys in setup["key_sets"]
]


def read(token: bytes, keys: dict[str, jwt.PyJWK]) -> None:
    """One algorithm, no leeway, the key that `kid` names; issuer, audience, type and the claims that a licence has are required.
    What PyJWT does not look at itself is asked after: `typ`, `crit`, and the type of claims."""
    header = jwt.get_unverified_header(token)
    # Media types are compared without case, and `application/` may be left out (RFC 7515, section 4.1.9; RFC 8725, section 3.11).
    typ = header.get("typ")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") != "license+jwt":
        raise jwt.InvalidTokenError("another type")
    if "crit" in header:
        raise jwt.InvalidTokenError("crit")
    kid = header.get("kid")
    if not isinstance(kid, str) or kid not in keys:
        raise jwt.PyJWKClientError("no key of this kid")
    claims = jwt.decode(
        token,
        keys[kid],
        algorithms=["EdDSA"],
        issuer=setup["issuer"],
        audience=setup["audience"],
        options={"require": ["type", "iss", "sub", "aud", "jti", "iat", "nbf", "exp"], "strict_aud": True},
    )
    if claims["type"] != "license" or not isinstance(claims["jti"], str) or type(claims["iat"]) is not int:
        raise jwt.InvalidTokenError("a claim of another type")


for line in sys.stdin:
    _, keys, token = line.rstrip("\n").split("\t")
    try:
        read(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), KEY_SETS[int(keys)])
        print("accept\tvalid")
    except jwt.PyJWTError as error:
        print(f"refuse\t{type(error).__name__}")
    # Whatever else it raises ends no program that catches the library's own errors alone: it is told apart.
    except Exception as error:
        print(f"refuse\tescaped:{type(error).__name__}")
