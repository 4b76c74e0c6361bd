"""Forks, as of servers with several workers: parent and child find the client free, and as it was, whoever was inside."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, List

import pytest

from conftest import Case, client_of, documents
from nexa_verify import Client, _client, _library, _locks

NAME = "key-set/shard"

# Python 3.12 and later warn of every fork beside threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def informed(case: Case) -> Client:
    client = client_of(case)
    for wanted, data in documents(case):
        client.receive(wanted, data)
    return client


def free_and_whole(client: Client, case: Case) -> bool:
    """Looked at by another thread than the one that forked, which might hold the lock itself."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(client.check, case["token"], case["time"]).result().code == "revoked"


def fork(client: Client, case: Case) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(5)  # ends a child that hangs
            status = 0 if free_and_whole(client, case) and free_and_whole(informed(case), case) else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), "the child hangs"
    assert status == 0


def test_a_fork_waits_for_the_thread_that_is_inside(case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch) -> None:
    one = case(NAME)
    client, inside, forked = informed(one), threading.Event(), threading.Event()
    still_inside: List[bool] = []

    def slow(*arguments: Any, **others: Any) -> None:
        inside.set()
        # Nobody sets it before the fork is over: a fork that does not wait finds the lock held.
        still_inside.append(not forked.wait(0.3))
        _library.call(*arguments, **others)

    with monkeypatch.context() as patched, ThreadPoolExecutor(1) as other:
        patched.setattr(_client, "call", slow)
        check = other.submit(client.check, one["token"], one["time"])
        assert inside.wait(10)
        patched.undo()
        fork(client, one)
        forked.set()
        assert check.result().code == "revoked"
    assert still_inside == [True]
    assert free_and_whole(client, one)


def test_two_threads_fork_while_others_check(case: Callable[[str], Case]) -> None:
    one, ends = case(NAME), threading.Event()
    clients = [informed(one) for _ in range(3)]

    def work(client: Client) -> None:
        while not ends.is_set():
            client.restore(client.save("laptop"), "laptop")
            # Clients come and go meanwhile.
            assert informed(one).check(one["token"], one["time"]).code == "revoked"

    def forks(client: Client) -> None:
        for _ in range(10):
            fork(client, one)

    with ThreadPoolExecutor(6) as pool:
        working = [pool.submit(work, client) for client in clients]
        try:
            for forking in [pool.submit(forks, client) for client in clients[:2]]:
                forking.result()
        finally:
            ends.set()
        for ended in working:
            ended.result()


def test_a_signals_handler_forks_and_checks_in_the_midst_of_a_check(
    case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, handled = case(NAME), []
    client = informed(one)

    def handler(number: int, frame: object) -> None:
        handled.append(client.check(one["token"], one["time"]).code)
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0

    def interrupted(*arguments: Any, **others: Any) -> None:
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGUSR1)
        _library.call(*arguments, **others)

    before = signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(20)  # ends these tests if they hang
    try:
        monkeypatch.setattr(_client, "call", interrupted)
        assert client.check(one["token"], one["time"]).code == "revoked"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGUSR1, before)
    assert handled == ["revoked"]
    assert free_and_whole(client, one)


def test_a_lock_goes_with_its_client(case: Callable[[str], Case]) -> None:
    lock = weakref.ref(client_of(case(NAME))._lock)
    gc.collect()
    assert lock() is None and all(reference() is not None for reference in _locks._locks.valuerefs())
