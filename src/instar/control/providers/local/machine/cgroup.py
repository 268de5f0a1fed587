"""A control group (v2) for each server, where the system lets us: a limit on memory, and an exact kill."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOME = "instar"


def mount() -> Path | None:
    """Find where control groups (v2) are mounted, None when they are not or not ours to use."""
    if os.getuid() != 0:
        return None
    with Path("/proc/self/mounts").open() as file:
        points = [Path(line.split()[1]) for line in file if line.split()[2] == "cgroup2"]
    return next((point for point in points if os.access(point, os.W_OK)), None)


def limits_memory() -> bool:
    """Tell whether groups made here have a memory limit."""
    top = mount()
    with contextlib.suppress(OSError):
        return top is not None and "memory" in (top / "cgroup.subtree_control").read_text().split()
    return False


def name(record: dict[str, Any]) -> str:
    """Name a server's group; the uid tells apart servers of two control planes that have the same name."""
    return f"{record['key']}-{record['uid']}"


def make(group_name: str, memory: int) -> Path | None:
    """Find or make a server's group, with a limit of `memory` MiB; None where there are no groups."""
    top = mount()
    if top is None:
        return None
    group = top / HOME / group_name
    try:
        group.mkdir(parents=True, exist_ok=True)
        if limits_memory():
            (top / HOME / "cgroup.subtree_control").write_text("+memory")
            (group / "memory.max").write_text(str(memory * 2**20))
    except OSError:
        return None
    return group


def enter(group: Path) -> None:
    """Put this process, and so all that it will start, into the group."""
    with contextlib.suppress(OSError):
        (group / "cgroup.procs").write_text("0")


def remove(group_name: str) -> None:
    """Kill what is left in a server's group and delete the group."""
    top = mount()
    if top is None:
        return
    with contextlib.suppress(OSError):
        (top / HOME / group_name / "cgroup.kill").write_text("1")
    with contextlib.suppress(OSError):
        (top / HOME / group_name).rmdir()
