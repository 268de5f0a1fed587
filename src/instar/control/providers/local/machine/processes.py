"""Finding and ending every process of a server, whoever its parent is by now.

Under a uid of its own, a server's processes are exactly those with that uid (they can't gain another one:
`no_new_privs`). Without one they are found by what they can't easily shed: descent from the machine, the
program they run, their working directory, the marker in their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MARKER = "INSTAR_SERVER"
"""Its value is the server's directory: names repeat among control planes on one machine, paths don't."""
POLL = 0.005
_PPID, _TTY = 1, 4  # fields of /proc/<pid>/stat, counted from the state


def pids() -> Iterator[int]:
    """Give the id of every process on this machine but ourselves."""
    own = os.getpid()
    with os.scandir("/proc") as entries:
        names = [entry.name for entry in entries]
    return (int(name) for name in names if name.isdigit() and int(name) != own)


def descendants(ancestor: int) -> set[int]:
    """Find the living processes that descend from one."""
    parents = {pid: int(fields[_PPID]) for pid in pids() if (fields := _stat(pid))}
    found: set[int] = set()
    layer = {ancestor}
    while layer:
        layer = {pid for pid, parent in parents.items() if parent in layer} - found
        found |= layer
    return found


def of_server(uid: int | None, mark: str, places: Iterable[str]) -> set[int]:
    """Find the living processes of a server: by its uid, else by marker and places (its own paths)."""
    if uid is not None:
        return {pid for pid in pids() if _stat(pid) and _uid(pid) == uid}
    marker = f"{MARKER}={mark}".encode()
    below = tuple(f"{place}/" for place in places)
    return {pid for pid in pids() if _uid(pid) == os.getuid() and _is_marked(pid, marker, below)}


def end(find: Callable[[], set[int]], patience: float, limit: float = 10.0) -> set[int]:
    """End all processes that `find` finds: SIGTERM, and after `patience` seconds SIGKILL, until none is left.

    Gives those that are still there after `limit` further seconds.
    """
    began = time.monotonic()
    asked: set[int] = set()
    while left := find():
        waited = time.monotonic() - began
        if waited > patience + limit:
            return left
        if waited > patience:
            send(left, signal.SIGKILL)
        else:
            send(left - asked, signal.SIGTERM)
            asked |= left
        time.sleep(POLL)
    return set()


def send(targets: Iterable[int], number: int) -> None:
    """Send a signal to each process that is still there."""
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stat(pid: int) -> list[str] | None:
    """Give the fields of a living process from its state on, None for one that has ended."""
    try:
        with Path(f"/proc/{pid}/stat").open() as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def _uid(pid: int) -> int | None:
    try:
        with Path(f"/proc/{pid}/status").open() as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Uid:")), None)
    except (FileNotFoundError, ProcessLookupError):
        return None


def _is_marked(pid: int, marker: bytes, below: tuple[str, ...]) -> bool:
    fields = _stat(pid)
    if fields is None:
        return False
    with contextlib.suppress(OSError):
        proc = Path(f"/proc/{pid}")
        if str((proc / "exe").readlink()).startswith(below):
            return True
        # A shell that an operator left standing in the directory has a terminal; daemons have none.
        if fields[_TTY] == "0" and f"{(proc / 'cwd').readlink()}/".startswith(below):
            return True
        return marker in (proc / "environ").read_bytes().split(b"\0")
    return False
