"""State in files: JSON that is whole at every moment, and locks between processes."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from pathlib import Path

from .frozen import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LONGEST_WAIT = 60.0
"""Seconds that a lock is waited for; whoever holds one ends processes at most, which takes half of that."""
_POLL = 0.005


def read(path: Path) -> dict[str, Any] | None:
    """Read a record, None when there is none. Raises ValueError when it is damaged."""
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not isinstance(record, dict):
        raise ValueError("it is no JSON object")
    return record


def glimpse(path: Path) -> dict[str, Any] | None:
    """Read a record, None when there is none or it is damaged."""
    try:
        return read(path)
    except ValueError:
        return None


def write(path: Path, record: dict[str, Any], *, durable: bool = True) -> None:
    """Replace a record; after a crash, or a power cut when `durable`, the old or the new one is there, whole.

    A record has one writer at a time: whoever holds its lock.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    with temporary.open("w") as file:
        json.dump(record, file, indent=1)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.rename(path)
    if durable:
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory outlast a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def try_lock(path: Path, *, make: bool = False) -> int | None:
    """Take a lock if it is free: a file descriptor, which holds it until it is closed.

    One that does not exist counts as taken, unless it is to be made.
    """
    return _lock(path, os.O_RDWR | (os.O_CREAT if make else 0), fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool:
    """Tell whether somebody holds the lock at `path`."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock at `path`, waiting for it. Whoever holds it may delete its file.

    A process that was frozen while it held the lock is ended. Raises TimeoutError when somebody else holds it
    for longer than `LONGEST_WAIT`.
    """
    deadline, watch = time.monotonic() + LONGEST_WAIT, Watch(path)
    while (handle := try_lock(path, make=True)) is None:
        watch.look()
        if time.monotonic() > deadline:
            said = f"somebody else has been at work on it for {LONGEST_WAIT:g} seconds"
            raise TimeoutError(errno.ETIMEDOUT, said, str(path))
        time.sleep(_POLL)
    try:
        yield
    finally:
        os.close(handle)


def _lock(path: Path, flags: int, how: int) -> int | None:
    try:
        handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, how)
        if os.path.samestat(path.stat(), os.fstat(handle)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None
