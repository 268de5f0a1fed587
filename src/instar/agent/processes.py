"""Processes on the guest: waited for, ended, and found by where they work, whoever started them."""

import os
import re
import select
import signal
from collections.abc import Iterable
from pathlib import Path

_USER_TIME, _SYSTEM_TIME = 11, 12
"""Where they stand in /proc/PID/stat, counted after the program's name."""


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


def holding(path: Path) -> list[str]:
    """Name the processes that work or have a file open below a path, such as `postgres (711)`."""
    root = os.path.realpath(path)
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and any(f"{each}/".startswith(f"{root}/") for each in _held_by(entry)):
            found.append(f"{_name_of(entry)} ({entry.name})")
    return sorted(found)


def _held_by(entry: Path) -> list[str]:
    try:
        return [str(each.readlink()) for each in (entry / "cwd", entry / "root", *(entry / "fd").iterdir())]
    except OSError:
        return []


def _name_of(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return "a process"


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


def effort(pid: int) -> int:
    """Tell how much a process has done: it grows with the bytes it wrote and the CPU time it used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        written = re.search(r"wchar: (\d+)", Path(f"/proc/{pid}/io").read_text())
    except OSError:
        return 0
    return int(fields[_USER_TIME]) + int(fields[_SYSTEM_TIME]) + int(written[1] if written else 0)
