"""Threads: a verifier and a client are shared, and answer as they would alone."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

from conftest import Case, cases, client_of, documents, expected
from nexa_verify import Report, Verifier, Wanted, _client, _inputs, _library

THREADS = 8


def test_threads_share_a_verifier() -> None:
    plain = [case for case in cases() if not {"key_set", "status_keys", "max_lifetime_s"} & set(case["expect"])]
    valid = next(case for case in plain if case["code"] == "valid" and "device" not in case["expect"])
    same = [case for case in plain if case["keys"] == valid["keys"] and expected(case) == expected(valid)]
    assert len(same) > 50
    verifier = Verifier(valid["keys"], **expected(valid))

    def check(case: Case) -> tuple[str, str]:
        revocations = json.dumps(case["expect"]["revocations"]) if "revocations" in case["expect"] else None
        report = verifier.check(case["token"], now=case["time"], revocations=revocations)
        return report.code, report.decision.value

    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(check, same * 5))
    assert found == [(case["code"], case["decision"]) for case in same] * 5


def test_threads_share_a_client(case: Callable[[str], Case]) -> None:
    revoked = case("key-set/shard")
    client = client_of(revoked)
    for wanted, data in documents(revoked):
        client.receive(wanted, data)

    def turn(number: int) -> Report:
        for wanted, data in documents(revoked):
            client.receive(wanted, data)
            client.failed(wanted)
        client.restore(client.save("laptop"), "laptop")
        return client.check(revoked["token"], revoked["time"])

    with ThreadPoolExecutor(THREADS) as pool:
        assert {report.code for report in pool.map(turn, range(400))} == {"revoked"}


def test_host_clocks_of_several_threads_do_not_seem_to_run_back(case: Callable[[str], Case]) -> None:
    client, token = client_of(case("key-set/shard")), case("key-set/shard")["token"]
    with ThreadPoolExecutor(THREADS) as pool:
        clocks = [report.clock for report in pool.map(lambda _: client.check(token), range(2000))]
    assert all(clock is not None and clock.stepped_back_s == 0 for clock in clocks)


def test_whatever_reads_or_changes_a_client_holds_its_lock(case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch) -> None:
    revoked = case("key-set/shard")
    client, calls = client_of(revoked), []

    def held(by: Any) -> bool:
        """Seen from another thread, since the one that holds it may take it again."""
        with ThreadPoolExecutor(1) as other:
            return not other.submit(by.acquire, False).result()

    def locked(function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any) -> Any:
            assert held(client._lock)
            calls.append(function.__name__)
            return function(*arguments)

        return noted

    monkeypatch.setattr(_client, "call", locked(_library.call))
    # Clocks that are read outside could be those of two threads in the other order.
    monkeypatch.setattr(_inputs, "wall_clock", locked(_inputs.wall_clock))
    monkeypatch.setattr(_inputs, "monotonic_clock", locked(_inputs.monotonic_clock))
    for wanted, data in documents(revoked):
        client.receive(wanted, data)
    client.failed(Wanted("key_set"))
    client.restore(client.save("laptop"), "laptop")
    assert client.check(revoked["token"], revoked["time"]).code == "revoked"
    assert calls == ["call"] * 5 + ["wall_clock", "monotonic_clock", "call"]
