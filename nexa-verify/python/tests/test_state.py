"""The state of a client: kept, restored, damaged, of another device; and the clock that it carries on."""

from __future__ import annotations

from typing import Callable

import pytest

from conftest import Case, client_of, documents
from nexa_verify import Client, NexaError, Report

NAME = "key-set/shard"
LAPTOP = "my-laptop"


def informed(case: Case) -> Client:
    client = client_of(case)
    for wanted, data in documents(case):
        client.receive(wanted, data)
    return client


def check(client: Client, case: Case, later_s: int = 0) -> Report:
    return client.check(case["token"], case["time"] + later_s)


def test_a_restored_client_knows_what_the_first_one_learnt(case: Callable[[str], Case]) -> None:
    first = informed(case(NAME))
    before = check(first, case(NAME))
    assert before.code == "revoked"
    state = first.save(LAPTOP)

    second = client_of(case(NAME))
    assert check(second, case(NAME)).license is None, "without the state there are no keys"
    second.restore(bytearray(state), LAPTOP)
    assert check(second, case(NAME)) == before
    assert second.save(LAPTOP.encode()) == state


def test_the_clock_does_not_run_back_over_a_restart(case: Callable[[str], Case]) -> None:
    first = informed(case(NAME))
    check(first, case(NAME), later_s=5000)
    second = client_of(case(NAME))
    second.restore(first.save(LAPTOP), LAPTOP)
    clock = check(second, case(NAME), later_s=1000).clock
    assert clock is not None
    assert (clock.trusted, clock.stepped_back_s) == (case(NAME)["time"] + 5000, 4000)


def test_the_monotonic_clock_finds_a_wall_clock_that_was_turned_back(case: Callable[[str], Case]) -> None:
    client, now = informed(case(NAME)), case(NAME)["time"]
    client.check(case(NAME)["token"], now, monotonic=100)
    clock = client.check(case(NAME)["token"], now - 600, monotonic=160.9).clock
    assert clock is not None and clock.trusted == now + 60


def test_a_time_that_is_told_goes_without_the_hosts_monotonic_clock(case: Callable[[str], Case]) -> None:
    """Which began elsewhere: the time between the first look and the third would be another."""
    client, now, token = informed(case(NAME)), case(NAME)["time"], case(NAME)["token"]
    client.check(token, now, monotonic=100)
    client.check(token, now)
    clock = client.check(token, now, monotonic=160).clock
    assert clock is not None and clock.trusted == now + 60


def test_a_damaged_state_is_refused_with_its_code_and_changes_nothing(case: Callable[[str], Case]) -> None:
    first = informed(case(NAME))
    check(first, case(NAME))
    state = first.save(LAPTOP)
    damaged = {
        b"": "state_length",
        state[:-1]: "state_tampered",
        state + b"\0": "state_tampered",
        b"\0" * len(state): "state_magic",
        state * 20: "state_length",
        bytes([*state[:100], state[100] ^ 1, *state[101:]]): "state_tampered",
    }
    client = informed(case(NAME))
    for bad, code in damaged.items():
        with pytest.raises(NexaError) as refused:
            client.restore(bad, LAPTOP)
        assert refused.value.code == code and not isinstance(refused.value, ValueError)
    with pytest.raises(NexaError) as refused:
        client.restore(state, "another laptop")
    assert refused.value.code == "state_tampered"
    assert check(client, case(NAME)).code == "revoked"


def test_every_flipped_byte_is_found(case: Callable[[str], Case]) -> None:
    state = informed(case(NAME)).save(LAPTOP)
    client = client_of(case(NAME))
    for at in range(len(state)):
        with pytest.raises(NexaError):
            client.restore(state[:at] + bytes([state[at] ^ 0x80]) + state[at + 1 :], LAPTOP)
