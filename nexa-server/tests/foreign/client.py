"""A client in another language: PyJWT reads our licences, a reader of its own our key set and shards.

    client.py URL KEY FOLDER

URL is a running server, KEY its signing key (PKCS#8 PEM), FOLDER where it writes, one a line:
licence.txt, a licence that the server issued; broken.txt, tokens that break the profile of our licences although they
are signed by that key, each after the code it must be refused with.
"""

import base64
import hashlib
import json
import sys
import time
import urllib.request

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

URL, KEY, FOLDER = sys.argv[1:]
APP = "agentyk-engine"


def ask(method, path, body=None, token=None, accept=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if accept:
        headers["Accept"] = accept
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def issued_licence(session):
    device = {"fingerprint": "python", "platform": "linux"}
    body = {"appId": APP, "device": device}
    return json.loads(ask("POST", "/api/licenses/issue", body, session))["license"]


def session():
    body = {"email": "python@example.com", "password": "a long pass phrase", "tenantName": "Py"}
    ask("POST", "/api/auth/register", body)
    return json.loads(ask("POST", "/api/auth/login", body))["accessToken"]


def verified(token):
    """The documented checks, by PyJWT."""
    key = jwt.PyJWKClient(URL + "/.well-known/jwks.json").get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=["EdDSA"],
        audience=APP,
        issuer=URL,
        options={"require": ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]},
    )
    assert claims["type"] == "license", claims
    return claims


def broken_tokens(token, claims):
    """Signed with the issuing key, and yet no licences: code and token."""
    with open(KEY, "rb") as file:
        key = load_pem_private_key(file.read(), None)
    head = {name: jwt.get_unverified_header(token)[name] for name in ("typ", "kid")}

    def signed(changes=(), header=()):
        payload = {**claims, **dict(changes)}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, key, algorithm="EdDSA", headers={**head, **dict(header)})

    yield "valid", signed()
    yield "typ_wrong", signed(header={"typ": "JWT"})
    yield "typ_wrong", signed(header={"typ": "at+jwt"})
    yield "unknown_key", signed(header={"kid": "another"})
    yield "header_jku", signed(header={"jku": URL + "/.well-known/jwks.json"})
    yield "header_jwk", signed(header={"jwk": {"kty": "OKP"}})
    yield "header_x5c", signed(header={"x5c": []})
    yield "header_unknown_member", signed(header={"cty": "JSON"})
    yield "aud_type", signed({"aud": [APP]})
    yield "aud_wrong", signed({"aud": APP + "x"})
    yield "iss_wrong", signed({"iss": URL + "/"})
    yield "exp_missing", signed({"exp": None})
    yield "nbf_missing", signed({"nbf": None})
    yield "jti_missing", signed({"jti": None})
    yield "jti_type", signed({"jti": 7})
    yield "json_number_range", signed({"lic": {"limits": {"seats": 2**53}}})
    yield "type_wrong", signed({"type": "access"})
    yield "device_missing", signed({"device": None})
    yield "exp_type", signed({"exp": claims["exp"] + 0.5})
    yield "lifetime_too_long", signed({"exp": claims["iat"] + 401 * 86400})
    yield "expired", signed({"iat": claims["iat"] - 99, "exp": claims["iat"] - 1, "nbf": claims["iat"] - 99})
    # Another algorithm under the same key.
    secret = jwt.encode(claims, "x" * 32, algorithm="HS256", headers=head)
    yield "alg_not_allowed", secret
    yield "alg_none", jwt.encode(claims, None, algorithm="none", headers=head)


def statement(prefix, document):
    """What key sets and shards are signed over."""
    parts = [hashlib.sha256(part).digest() for part in (URL.encode(), document)]
    return prefix.ljust(24, b"\0") + b"".join(parts)


def hint(key):
    """The first bytes of a key's RFC 7638 thumbprint."""
    x = base64.urlsafe_b64encode(key).decode().rstrip("=")
    return hashlib.sha256(b'{"crv":"Ed25519","kty":"OKP","x":"%s"}' % x.encode()).digest()[:8]


def key_set(root):
    """The keys of the published key set, by use, under the root key."""
    document = ask("GET", "/.well-known/nexa-keyset")
    body, signature = document[:-64], document[-64:]
    Ed25519PublicKey.from_public_bytes(root).verify(signature, statement(b"nexa key set 1", body))
    assert body[:4] == b"NXK1" and body[4:12] == hint(root)
    keys = {}
    for at in range(30, 30 + 49 * body[28], 49):
        keys.setdefault(body[at], []).append(body[at + 1 : at + 33])
    return keys


def revoked_positions(document, number, status_keys):
    """The positions of a status shard that one of these keys signed."""
    body, signature = document[:-64], document[-64:]
    key = next(key for key in status_keys if hint(key) == body[4:12])
    Ed25519PublicKey.from_public_bytes(key).verify(signature, statement(b"nexa status shard 1", body))
    integer = lambda start, size: int.from_bytes(body[start : start + size], "big")
    assert body[:4] == b"NXS1" and integer(12, 4) == number
    assert integer(24, 8) <= time.time() + 5 < integer(32, 8) + 5
    count, k = integer(40, 4), body[44]
    bits = "".join(f"{byte:08b}" for byte in body[45:])
    positions, at, least = [], 0, 0
    for _ in range(count):
        zeros = bits.index("1", at) - at
        at += zeros + 1
        gap = (zeros << k) | int(bits[at : at + k] or "0", 2)
        at += k
        positions.append(least + gap)
        least += gap + 1
    assert set(bits[at:]) <= {"0"} and len(bits) - at < 8
    return positions


def status(session, root):
    """A licence is in its shard from the moment its revocation is answered, and not before."""
    claims = verified(issued_licence(session))
    place = claims["status"]["status_list"]
    number = int(place["uri"].rsplit("/", 1)[1])
    keys = key_set(root)

    def is_revoked():
        shard = ask("GET", f"/api/licenses/status/{number}/shard")
        ours = place["idx"] in revoked_positions(shard, number, keys[2])
        token = ask("GET", f"/api/licenses/status/{number}", accept="application/statuslist+jwt")
        assert in_status_list(token.decode(), place, keys[2]) == ours
        return ours

    assert not is_revoked()
    ask("POST", f"/api/licenses/{claims['jti']}/revoke", {}, session)
    assert is_revoked()
    listed = json.loads(ask("GET", "/api/licenses/revocations"))
    assert claims["jti"] in [entry["jti"] for entry in listed]
    signed = ask("GET", "/api/licenses/revocations", accept="application/revocations+jwt")
    signed = jwt.decode(signed.decode(), Ed25519PublicKey.from_public_bytes(keys[2][0]), ["EdDSA"], issuer=URL)
    assert signed["revocations"] == listed


def in_status_list(token, place, status_keys):
    """The licence's bit in the standard's status list token."""
    import zlib

    key = Ed25519PublicKey.from_public_bytes(status_keys[0])
    assert jwt.get_unverified_header(token)["typ"] == "statuslist+jwt"
    claims = jwt.decode(token, key, ["EdDSA"])
    assert claims["sub"] == place["uri"]
    entry = claims["status_list"]
    packed = entry["lst"] + "=" * (-len(entry["lst"]) % 4)
    octets = zlib.decompress(base64.urlsafe_b64decode(packed))
    assert entry["bits"] == 1 and len(octets) == 8192
    return octets[place["idx"] // 8] >> (place["idx"] % 8) & 1 == 1


def main():
    owner = session()
    token = issued_licence(owner)
    claims = verified(token)
    with open(f"{FOLDER}/licence.txt", "w") as file:
        print(token, file=file)
    with open(f"{FOLDER}/broken.txt", "w") as file:
        for code, broken in broken_tokens(token, claims):
            print(code, broken, file=file)
    with open(f"{FOLDER}/root.jwk") as file:
        x = json.load(file)["keys"][0]["x"]
    status(owner, base64.urlsafe_b64decode(x + "="))
    print(f"PyJWT {jwt.__version__}: licence, key set, shard and status list read")


main()
