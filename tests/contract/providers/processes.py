"""Work done in processes of their own, and what became of those of a server."""

import os
import signal
import sys
from collections.abc import Callable

from harnesses import Rig, until

CHANGES = {
    "os.rename",
    "os.mkdir",
    "os.remove",
    "os.rmdir",
    "os.symlink",
    "os.chmod",
    "open",
    "subprocess.Popen",
}


def in_child(work: Callable[[], object], die_at: int = 0) -> int:
    """Do work in a process of its own, killed at its `die_at`-th change to a file; gives how many it made."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    return int(watched(work, count, lambda: str(seen)) or 0)


def watched(work: Callable[[], object], look: Callable[[], object], answer: Callable[[], str]) -> str:
    """Do work in a process of its own, with a look before each change to a file; gives what it answers."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        looking = False

        def hook(event: str, _args: object) -> None:
            nonlocal looking
            if event in CHANGES and not looking:
                looking = True
                look()
                looking = False

        try:
            sys.addaudithook(hook)
            work()
            looking = True
            os.write(writing, answer().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answered:
        said = answered.read()
    os.waitpid(pid, 0)
    return said


def last_generation(rig: Rig, boots: int) -> list[int]:
    """Wait until the last boot has started its processes (four for each boot), and give their ids."""
    until(lambda: len(rig.boots()) == boots and len(rig.pids()) == 4 * boots, f"{boots} boots")
    return rig.pids()[-4:]
