"""Stopping a server: its machine first, then whatever is left of it."""

from __future__ import annotations

import os
import signal
import time

from . import processes
from .lock import RUNNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .lock import MachineLock

LAST_RESORT = 1.0
"""Seconds that a machine is given to kill everything below it, before it is killed with them."""

ANSWER = 0.1
"""Seconds that a machine has to take on another boot, before it is replaced."""


def stop_machine(lock: MachineLock, patience: float, allowed: Callable[[], bool]) -> bool:
    """Stop the machine that holds the server: ask, after `patience` seconds insist, at last kill.

    False when `allowed` no longer holds; it is asked after the holder was made out and before a signal is
    sent, so that nobody stops a successor.
    """
    began = time.monotonic()
    sent = None
    while (pid := lock.holder(RUNNING)) is not None:
        number = _insistence(time.monotonic() - began - patience)
        if not allowed():
            return False
        if sent != (pid, number):
            _signal_holder(lock, pid, number, allowed)
            sent = (pid, number)
        time.sleep(processes.POLL)
    return True


def hand_over(lock: MachineLock, boot: int) -> bool:
    """Have the machine that runs go on with `boot`; False when there is none, or it doesn't answer."""
    pid = lock.holder(RUNNING)
    if pid is None:
        return False
    _signal_holder(lock, pid, signal.SIGHUP, lambda: True)
    deadline = time.monotonic() + ANSWER
    while lock.holder(boot) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def sweep(uid: int | None, mark: str, places: Iterable[str], patience: float) -> set[int]:
    """End what no machine looks after any more; gives the processes that would not go."""
    return processes.end(lambda: processes.of_server(uid, mark, places), patience)


def _insistence(overdue: float) -> signal.Signals:
    if overdue < 0:
        return signal.SIGTERM
    return signal.SIGQUIT if overdue < LAST_RESORT else signal.SIGKILL


def _signal_holder(lock: MachineLock, pid: int, number: signal.Signals, allowed: Callable[[], bool]) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if lock.holder(RUNNING) != pid or not allowed():
            return
        orphans = processes.descendants(pid) if number == signal.SIGKILL else set()
        signal.pidfd_send_signal(handle, number)
        processes.send(orphans, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
