"""Reports: what they allow, what they hold, and that they stay what they are."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from collections.abc import Mapping
from typing import Any, Callable

import pytest

from conftest import Case, cases, check
from nexa_verify import Decision, NexaError, Report
from nexa_verify._report import of_json


def test_decisions_and_reports_are_true_where_they_allow() -> None:
    allowed = 0
    for case in cases():
        try:
            report = check(case)
        except NexaError:
            continue
        assert bool(report) == bool(report.decision) == (case["decision"] == "allow")
        allowed += bool(report)
    assert allowed > 100


def test_entitlements_go_with_the_decision_and_limits_with_the_licence() -> None:
    entitlements = limits = 0
    for case in cases():
        if not {"entitlements", "limits"} & set(case["facts"]) or case["decision"] != "allow":
            continue
        now, over = check(case), check({**case, "time": case["time"] + 10**9})
        assert now.license is not None and over.license is not None and over.code == "expired"
        for name in now.license.entitlements:
            assert now.allows(name) and not over.allows(name)
            entitlements += 1
        for name, limit in now.license.limits.items():
            assert now.limit(name) == limit == over.limit(name)
            limits += 1
        assert not now.allows("nothing of that name") and now.limit("nothing of that name") is None
    assert entitlements >= 2 and limits >= 2, (entitlements, limits)


def test_a_refused_licence_has_neither() -> None:
    refused = next(case for case in cases() if case["code"] == "signature_wrong")
    report = check(refused)
    assert report.license is None and report.limit("projects") is None and not report.allows("export")


def test_a_report_cannot_be_changed_but_copied_compared_and_sent(case: Callable[[str], Case]) -> None:
    report = check(case("shard/own-device"))
    assert report.license is not None and report.device is not None and report.clock is not None
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.decision = Decision.ALLOW  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.license.expires_at = 0  # type: ignore[misc]
    assert copy.deepcopy(report) == report == pickle.loads(pickle.dumps(report))
    assert hash(report) == hash(copy.deepcopy(report))
    assert dataclasses.asdict(report)["license"]["jti"] == report.license.jti
    assert json.loads(report.json)["code"] == report.code


def test_limits_cannot_be_changed_either(case: Callable[[str], Case]) -> None:
    report = check(case("valid/terms"))
    assert report.license is not None and report.license.limits
    limits: Any = report.license.limits
    before, name = dict(limits), next(iter(limits))
    changes: list[Callable[[Any], object]] = [
        lambda held: held.__setitem__(name, 10**9),
        lambda held: held.__delitem__(name),
        lambda held: held.__ior__({name: 10**9}),
        lambda held: held.update({name: 10**9}),
        lambda held: held.setdefault("another", 10**9),
        lambda held: held.pop(name),
        lambda held: held.popitem(),
        lambda held: held.clear(),
    ]
    copied, sent = copy.deepcopy(report).license, pickle.loads(pickle.dumps(report)).license
    assert copied is not None
    for held in (limits, copied.limits, sent.limits):
        for change in changes:
            with pytest.raises(TypeError, match="limits do not change"):
                change(held)
        assert held == before
    # Those that a dict has and this list knows nothing of would change it.
    known = {"__setitem__", "__delitem__", "__ior__", "update", "setdefault", "pop", "popitem", "clear"}
    of_mappings = {name for name in dir(dict) if not hasattr(Mapping, name) and not hasattr(object, name)}
    assert of_mappings - known <= {"__or__", "__ror__", "__reversed__", "__class_getitem__", "copy", "fromkeys"}
    assert report.limit(name) == before[name]
    assert json.loads(json.dumps(dataclasses.asdict(report.license)))["limits"] == before
    assert {**limits} == limits.copy() == before and type(limits.copy()) is dict


def test_members_of_later_versions_are_ignored(case: Callable[[str], Case]) -> None:
    report = check(case("shard/own-device"))
    members: dict[str, Any] = json.loads(report.json)
    for part in (members, members["license"], members["device"], members["clock"]):
        part["of_a_later_version"] = {"any": ["thing"]}
    assert of_json(json.dumps(members)) == report


def test_a_verifier_has_neither_clock_nor_wanted(case: Callable[[str], Case]) -> None:
    plain = next(case for case in cases() if case["code"] == "valid" and "key_set" not in case["expect"])
    report = check(plain)
    assert report.code == "valid" and report.clock is None and report.wanted is None and report.problems == ()
