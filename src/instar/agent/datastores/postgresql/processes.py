"""Processes that work in a directory: a server's are found by where they stand, whoever started them."""

import os
import select
import signal
from collections.abc import Iterable
from pathlib import Path


def working_in(directories: Iterable[Path]) -> list[int]:
    """Find the processes whose working directory is one of these or lies below."""
    roots = [os.path.realpath(each) for each in directories]
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (here := directory_of(int(entry.name))) is not None:
            here = here.removesuffix(" (deleted)")
            if any(here == root or here.startswith(f"{root}/") for root in roots):
                found.append(int(entry.name))
    return found


def directory_of(pid: int) -> str | None:
    """Tell where a process of ours works; None when there is no such process."""
    try:
        return str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return None


def kill(pids: Iterable[int]) -> None:
    """End processes at once, and wait until they are gone."""
    for pid in pids:
        send(pid, signal.SIGKILL)
    for pid in pids:
        wait(pid, 10.0)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def wait(pid: int, timeout: float) -> bool:
    """Wait for a process's end, child or not; tells whether it has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], timeout)[0])
    finally:
        os.close(handle)
