"""`update`: what it fetches, what it makes of what cannot be had, and that it comes to an end."""

from __future__ import annotations

from typing import Any, Callable, List

import pytest

from conftest import Case, client_of, document, documents
from nexa_verify import ArgumentTypeError, Client, Wanted

NAME = "key-set/shard"


def served(case: Case) -> Callable[[str], bytes]:
    def fetch(url: str) -> bytes:
        return document(case, "key_set" if url.endswith("/.well-known/nexa-keyset") else "shard")

    return fetch


def test_what_is_wanted_is_fetched_until_nothing_is(case: Callable[[str], Case]) -> None:
    one, urls = case(NAME), []
    client = client_of(one)

    def fetch(url: str) -> bytes:
        urls.append(url)
        return served(one)(url)

    report = client.update(one["token"], fetch=fetch, now=one["time"])
    assert (report.code, report.problems, report.wanted) == ("revoked", (), None)
    assert urls[0] == one["expect"]["issuer"] + "/.well-known/nexa-keyset" and len(urls) == 2
    assert report == client.update(one["token"], fetch=fetch, now=one["time"]) and len(urls) == 2


def test_what_cannot_be_had_is_noted_and_not_asked_for_again(case: Callable[[str], Case]) -> None:
    one, asked = case(NAME), []

    def unreachable(url: str) -> bytes:
        asked.append(url)
        raise RuntimeError("no network")

    client = client_of(one)
    report = client.update(one["token"], fetch=unreachable, now=one["time"])
    assert len(asked) == 1 and not report
    (problem,) = report.problems
    assert problem.code == "not_fetched" and "no network" in problem.message
    assert problem.wanted == Wanted("key_set", None, None, "missing", asked[0])
    assert client.update(one["token"], fetch=unreachable, now=one["time"] + 59).problems == ()
    assert len(client.update(one["token"], fetch=unreachable, now=one["time"] + 60).problems) == 1


def test_what_is_refused_is_noted_with_the_rules_code(case: Callable[[str], Case]) -> None:
    one = case(NAME)
    report = client_of(one).update(one["token"], fetch=lambda url: b"<html>", now=one["time"])
    (problem,) = report.problems
    assert problem.code.startswith("key_set_") and problem.message and not report


def test_a_refused_shard_leaves_the_key_set(case: Callable[[str], Case]) -> None:
    one = case(NAME)

    def fetch(url: str) -> bytes:
        return served(one)(url) if url.endswith("keyset") else b"\0" * 300

    report = client_of(one).update(one["token"], fetch=fetch, now=one["time"])
    assert [problem.wanted.document for problem in report.problems] == ["shard"]
    assert report.license is not None and report.revocation == "no_data"


@pytest.mark.parametrize("issuer", ["file:///etc", "ftp://127.0.0.1", "http//127.0.0.1", "", "http\0://x"])
def test_no_other_url_reaches_the_function_that_fetches(case: Callable[[str], Case], issuer: str) -> None:
    def fetch(url: str) -> bytes:
        raise AssertionError(url)

    client = Client(root=case(NAME)["keys"], issuer=issuer, audience="editor", device={"cpu": "c"})
    (problem,) = client.update("token", fetch=fetch, now=1).problems
    assert problem.code == "url_refused"


def test_the_helper_of_its_own_is_used_unless_told(case: Callable[[str], Case]) -> None:
    client = Client(root=case(NAME)["keys"], issuer="http://127.0.0.1:1", audience="editor", device={"cpu": "c"})
    (problem,) = client.update("token").problems
    assert problem.code == "not_fetched" and "http://127.0.0.1:1/.well-known/nexa-keyset" in problem.message


def test_a_function_that_answers_no_bytes_is_the_callers_fault(case: Callable[[str], Case]) -> None:
    wrong: Any = lambda url: "text"  # noqa: E731
    with pytest.raises(ArgumentTypeError, match="fetch"):
        client_of(case(NAME)).update("token", fetch=wrong, now=1)


def test_the_function_that_fetches_may_use_the_client(case: Callable[[str], Case]) -> None:
    """No lock is held while something is fetched."""
    one = case(NAME)
    client, codes = client_of(one), []

    def fetch(url: str) -> bytes:
        codes.append(client.check(one["token"], one["time"]).code)
        client.save("laptop")
        return served(one)(url)

    assert client.update(one["token"], fetch=fetch, now=one["time"]).code == "revoked"
    assert len(codes) == 2


def test_after_eight_documents_it_answers_with_what_it_has(case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch) -> None:
    one, asked = case(NAME), []
    client = client_of(one)
    never_content = client.check(one["token"], one["time"])
    assert never_content.wanted is not None
    monkeypatch.setattr(client, "check", lambda token, now: never_content)

    def fetch(url: str) -> bytes:
        asked.append(url)
        return b""

    report = client.update(one["token"], fetch=fetch, now=one["time"])
    assert len(asked) == len(report.problems) == 8 and report.wanted == never_content.wanted


def test_it_ends_whatever_comes(case: Callable[[str], Case]) -> None:
    """Deltas that do not fit, shards of other numbers, key sets of others: after eight documents it answers."""
    one = case(NAME)
    answers: List[bytes] = [data for _, data in documents(one)] + [document(case("delta/adds-it"), "delta"), b"", b"\0" * 16384]
    for shift in range(len(answers)):
        asked: List[str] = []

        def fetch(url: str) -> bytes:
            asked.append(url)
            return answers[(len(asked) + shift) % len(answers)]

        client_of(one).update(one["token"], fetch=fetch, now=one["time"])
        assert 1 <= len(asked) <= 8
