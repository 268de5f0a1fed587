"""Locks whose holder is frozen: it can't let go, and must not go on where it stood, so it is ended.

Whoever may hold a lock here may be killed at any moment: another carries on. The kernel tells who holds one
(`/proc/locks`), and who is stopped by a signal.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

PATIENCE = 5.0
"""Seconds on end that a holder may be stopped, as somebody may do who looks into it."""

_LOOK = 0.5
_PROC = Path("/proc")


class Watch:
    """Looks at who holds a lock while it is waited for."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._next, self._pid, self._since = 0.0, 0, 0.0

    def look(self) -> None:
        """End the holder if it has been frozen for too long; looks now and then, however often called."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOK
        pid = holder(self._lock)
        if pid == 0 or not _is_stopped(pid):
            self._pid = 0
        elif pid != self._pid:
            self._pid, self._since = pid, now
        elif now - self._since >= PATIENCE:
            _end(pid, self._lock)


def holder(lock: Path) -> int:
    """Give the id of the process that holds the lock at a path, 0 when none does."""
    try:
        inode = str(lock.stat().st_ino)
    except FileNotFoundError:
        return 0
    for line in (_PROC / "locks").read_text().splitlines():
        _, kind, _, _, pid, place, *_ = line.split()  # one that waits has an arrow where this has its kind
        if kind == "FLOCK" and place.rpartition(":")[2] == inode and _has(int(pid), lock):
            return int(pid)
    return 0


def _has(pid: int, path: Path) -> bool:
    """Tell whether a process has a file open: other file systems have files of the same number."""
    try:
        return any(each.samefile(path) for each in (_PROC / str(pid) / "fd").iterdir() if each.exists())
    except OSError:
        return False


def _is_stopped(pid: int) -> bool:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def _end(pid: int, lock: Path) -> None:
    import logging  # only here: supervisors start sooner without it

    log = logging.getLogger(__name__)
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if holder(lock) == pid and _is_stopped(pid):
            log.warning("frozen process ended, others wait for what it holds: pid=%d lock=%s", pid, lock)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except (ProcessLookupError, PermissionError) as error:
        log.warning("frozen process can't be ended: pid=%d lock=%s error=%s", pid, lock, error)
    finally:
        os.close(handle)
