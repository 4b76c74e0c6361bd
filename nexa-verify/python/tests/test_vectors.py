"""The conformance file: what this package answers agrees with every case."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Optional

from conftest import Case, cases, check
from nexa_verify import NexaError

# How many cases there are: a run that skips some is no run.
CASES = 852


def test_every_case_of_the_conformance_file() -> None:
    found = cases()
    disagreements = [text for text in map(disagreement, found) if text is not None]
    assert not disagreements, "\n".join(disagreements)
    assert len(found) == CASES


def disagreement(case: Case) -> Optional[str]:
    expected = {"code": case["code"], "decision": case["decision"], "facts": case["facts"]}
    found = answer(case)
    return None if found == expected else f"{case['name']}: {found} instead of {expected}"


def answer(case: Case) -> Dict[str, Any]:
    try:
        report = check(case)
    except NexaError as refused:
        return {"code": refused.code, "decision": "deny", "facts": {}}
    members: Dict[str, Any] = {}
    for part in (report.device, report.license, report):
        if part is not None:
            members.update(dataclasses.asdict(part))
    facts = {name: plain(members.get(name)) for name in case["facts"]}
    return {"code": report.code, "decision": report.decision.value, "facts": facts}


def plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
