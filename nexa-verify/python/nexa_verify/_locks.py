"""The locks of clients. A fork waits until no other thread is inside, so that the child finds every client whole and free."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Final, List

# One fork at a time, or each of two could wait for what the other holds; and no new lock between the list and the fork.
_gate: Final = threading.RLock()
# No WeakSet: another thread that drops a client could disturb the walk over one. `valuerefs` answers a list in one step.
_locks: Final[weakref.WeakValueDictionary[int, threading.RLock]] = weakref.WeakValueDictionary()
# Of each fork that is going on. There are two where a signal's handler forks in the midst of a fork.
_held: Final[List[List[threading.RLock]]] = []


def new_lock() -> threading.RLock:
    """A lock for one client. Its thread may take it again, as a signal's handler does that checks or forks in between."""
    lock = threading.RLock()
    with _gate:
        _locks[id(lock)] = lock
    return lock


def _acquire_all() -> None:
    _gate.acquire()
    held: List[threading.RLock] = []
    _held.append(held)
    for reference in _locks.valuerefs():
        lock = reference()
        if lock is not None:
            lock.acquire()
            held.append(lock)


def _release_all() -> None:
    for lock in _held.pop():
        lock.release()
    _gate.release()


os.register_at_fork(before=_acquire_all, after_in_parent=_release_all, after_in_child=_release_all)
