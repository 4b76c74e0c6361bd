"""Against a real server (`NEXA_BINARY`): key set, shard, revocation and rotation, and the example of the README."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator
from urllib import request

import pytest

from conftest import REPOSITORY
from nexa_verify import Client, Decision, Verifier

BINARY = os.environ.get("NEXA_BINARY")
APP = "agentyk-engine"
DEVICE = {"fingerprint": "my-laptop"}
DAY = 86_400

pytestmark = pytest.mark.skipif(BINARY is None, reason="NEXA_BINARY names no server")


class Server:
    """A server of its own, with a tenant that issues licences."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url, self.session = folder, url, ""
        owner = {"email": "ada@example.com", "password": "correct horse", "tenantName": "Acme"}
        self.post("/api/auth/register", owner)
        self.session = self.post("/api/auth/login", owner)["accessToken"]

    def post(self, path: str, body: Dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.session}"}
        with request.urlopen(request.Request(self.url + path, json.dumps(body).encode(), headers)) as answer:
            return json.load(answer)

    def get(self, path: str) -> str:
        with request.urlopen(self.url + path) as answer:
            return str(answer.read().decode())

    def license(self) -> str:
        device = {**DEVICE, "platform": "linux"}
        return str(self.post("/api/licenses/issue", {"appId": APP, "device": device})["license"])

    def run(self, *arguments: str) -> str:
        assert BINARY is not None
        return subprocess.run(
            [BINARY, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def root(self) -> str:
        return self.run("keyset", "export", "--root", "--data", str(self.folder / "data"))

    def client(self) -> Client:
        return Client(root=self.root(), issuer=self.url, audience=APP, device=DEVICE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    assert BINARY is not None
    arguments = [BINARY, "serve", "--data", str(folder / "data"), "--listen", "127.0.0.1:0", "--log", "error"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("listening on "):
                yield Server(folder, line.split()[2])
                break
        else:
            pytest.fail(f"no server: {(folder / 'log').read_text()}")
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_client_learns_all_it_wants_and_of_a_revocation(server: Server) -> None:
    token, client = server.license(), server.client()
    report = client.update(token)
    assert (report.code, report.decision, report.problems, report.wanted) == ("valid", Decision.ALLOW, (), None)
    assert (report.revocation, report.freshness) == ("not_revoked", "fresh")
    assert report.license is not None and report.license.audience == APP

    server.post(f"/api/licenses/{report.license.jti}/revoke", {})
    # A day later by its own clocks; what it has is old then, and a delta comes.
    later = client.update(token, now=time.time() + DAY)
    assert (later.code, later.problems) == ("revoked", ())
    again = server.client()
    again.restore(client.save("my-laptop"), "my-laptop")
    assert again.check(token).code == "revoked"


def test_a_licence_for_another_device(server: Server) -> None:
    token = server.license()
    other = Client(root=server.root(), issuer=server.url, audience=APP, device={"fingerprint": "another"})
    assert other.update(token).code == "other_device"


def test_the_plain_check_with_published_keys_and_list(server: Server) -> None:
    token = server.license()
    verifier = Verifier(server.get("/.well-known/jwks.json"), issuer=server.url, audience=APP, device=DEVICE)
    report = verifier.check(token, revocations=server.get("/api/licenses/revocations"))
    assert (report.code, report.revocation) == ("valid", "not_revoked")
    assert report.license is not None
    server.post(f"/api/licenses/{report.license.jti}/revoke", {})
    report = verifier.check(token, revocations=server.get("/api/licenses/revocations"))
    assert report.code == "revoked" and not report


def test_the_example(server: Server, tmp_path: Path) -> None:
    (tmp_path / "root.jwk").write_text(server.root())
    (tmp_path / "app.jwt").write_text(server.license() + "\n")
    example = REPOSITORY / "nexa-verify/python/examples/app.py"

    def run(*limited: str) -> subprocess.CompletedProcess[str]:
        command = [*limited, sys.executable, str(example), server.url]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    def printed() -> list[str]:
        ended = run()
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.splitlines()

    allowed = "allow: valid, revocation not_revoked, fresh"
    first = printed()
    assert first[0].startswith("begins anew: ") and first[1:] == [allowed]
    assert printed() == [allowed]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["app.jwt", "app.state", "root.jwk"]

    # A disk that is full in the midst of writing: the state is the one from before.
    kept = (tmp_path / "app.state").read_bytes()
    full = run("sh", "-c", 'ulimit -f 0 && exec "$@"', "sh")
    assert full.returncode == 1 and "File too large" in full.stderr
    assert (tmp_path / "app.state").read_bytes() == kept and printed() == [allowed]

    (tmp_path / "app.state").write_bytes(b"damaged")
    assert printed()[0].startswith("begins anew: state_")
