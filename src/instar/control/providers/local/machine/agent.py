"""The server's first process, the guest agent: how it is started, started again, and reaped."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

from . import cgroup, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = "usr/bin/instar-guest-agent"
FIRST_DELAY, LONGEST_DELAY, STEADY = 0.1, 5.0, 10.0
"""Seconds until a dead agent is started again, at first and at most; after `STEADY` it counts as well."""
OPEN_FILES, PROCESSES = 65536, 4096
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38


def become_subreaper() -> None:
    """Have every orphan below us become our child, daemonised ones included."""
    _prctl(_PR_SET_CHILD_SUBREAPER)


def clear_run(server: Path, record: dict[str, Any]) -> None:
    """Put a new, empty directory in the place of `<root>/run`, whatever the guest made of that."""
    root = os.open(server / "root", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename("run", server / "trash" / f"run-{time.time_ns()}", src_dir_fd=root)
        os.mkdir("run", 0o755, dir_fd=root)
        if record["uid"] is not None:
            os.chown("run", record["uid"], record["uid"], dir_fd=root, follow_symlinks=False)
    finally:
        os.close(root)


class Agent:
    """The agent of a server: `pid` while it runs."""

    def __init__(self, server: Path, record: dict[str, Any], group: Path | None) -> None:
        self._server, self._record, self._group = server, record, group
        self.pid: int | None = None
        self._started = 0.0
        self._due = 0.0
        self._delay = FIRST_DELAY

    def start(self) -> None:
        """Start the agent."""
        self._started = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            _execute(self._server, self._record, self._group)

    def start_if_due(self) -> None:
        """Start the agent again when it died and its delay is over."""
        if self.pid is None and time.monotonic() >= self._due:
            self.start()

    def next_start(self, at_most: float) -> float:
        """Give the seconds until the agent is due, or `at_most`."""
        return at_most if self.pid is not None else min(at_most, max(0.0, self._due - time.monotonic()))

    def signal(self, number: int) -> None:
        """Send the agent a signal, if it runs."""
        if self.pid is not None:
            processes.send([self.pid], number)

    def reap(self) -> bool:
        """Collect every child that has ended; False when none is left at all."""
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                if pid == self.pid:
                    self._note_end()
            return True
        return False

    def _note_end(self) -> None:
        now = time.monotonic()
        self.pid = None
        if now - self._started > STEADY:
            self._delay = FIRST_DELAY
        self._due = now + self._delay
        self._delay = min(2 * self._delay, LONGEST_DELAY)


def _execute(server: Path, record: dict[str, Any], group: Path | None) -> None:
    """Become the agent, in the child; never returns."""
    root = str(server / "root")
    environment = {
        "PATH": f"{root}/usr/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": root,
        "TMPDIR": str(Path(root, "tmp")),
        "LANG": "C.UTF-8",
        processes.MARKER: str(server),
    }
    try:
        _redirect(server / "console.log")
        os.setsid()
        if group is not None:
            cgroup.enter(group)
        _confine(record["uid"])
        os.chdir(root)
        os.umask(0o077)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        os.execve(f"{root}/{PROGRAM}", [PROGRAM, "--root", root], environment)  # noqa: S606
    except OSError as error:
        print(f"The guest agent can't be started: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def _redirect(console: Path) -> None:
    output = os.open(console, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)


def _confine(uid: int | None) -> None:
    _prctl(_PR_SET_NO_NEW_PRIVS)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    if uid is None:
        return
    _limit(resource.RLIMIT_NPROC, PROCESSES)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _prctl(option: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")
