"""The supervisor of a server, from taking it over to being told to stop.

1. Claim the boot: a second supervisor for the same boot ends at once.
2. Take the server over: stop the machine before, end whatever is left of it.
3. Swap in the next root, if one was made ready.
4. Keep the guest agent running, and reap what it leaves behind.

SIGHUP says that another boot is wanted: the supervisor claims it, stops everything and goes on at 3, which
spares the start of another interpreter. SIGTERM ends the agent, then all else, with patience; SIGQUIT ends
everything at once. A supervisor for an older boot than the one that is wanted gives up wherever it stands.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from ...directories import records  # noqa: TID252 - the package has another name in a bare interpreter
from . import cgroup, processes, takeover
from .agent import Agent, become_subreaper, clear_run
from .lock import RUNNING, MachineLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

VERSION = 2
"""Another number than a running machine's own has it replaced at the next boot, instead of told of it."""
SIGNALS = {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD}
STOP_LIMIT, LINGER = 30.0, 0.5
"""Seconds for the agent to end, and for what it leaves behind."""
TICK = 1.0
NEXT = Path("next", "root")
"""Below the server's directory: the root that is ready to take the place of the one before."""
CONSOLE_LIMIT = 1 << 20


def main() -> None:
    """Run detached; the caller's process ends when the boot is claimed, here or by another supervisor."""
    server, boot = Path(sys.argv[1]), int(sys.argv[2])
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        os._exit(0 if os.read(reading, 1) else 1)
    os.close(reading)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = Supervisor(server, boot)
    claimed = supervisor.lock.take(boot)
    os.write(writing, b".")
    os.close(writing)
    if claimed:
        supervisor.run()


class Supervisor:
    """One boot of the server in directory `server`."""

    def __init__(self, server: Path, boot: int) -> None:
        self.server, self.boot = server, boot
        self.lock = MachineLock(server)
        self.record: dict[str, Any] = {}
        self._dismissed = self._insisted = False

    def run(self) -> None:
        """Take over, and serve one boot after another until the server is to stop."""
        if self._take_over():
            become_subreaper()
            while self._change_root():
                self._serve()

    def _serve(self) -> None:
        """Boot, watch until told otherwise, and end everything that the boot began."""
        clear_run(self.server, self.record)
        group = cgroup.make(cgroup.name(self.record), self.record["ram"])
        agent = Agent(self.server, self.record, group)
        agent.start()
        self._tell("running")
        empty_trash(self.server / "trash")
        self._stop(agent, self._watch(agent))

    def _is_wanted(self) -> bool:
        record = records.glimpse(self.server / "server.json")
        self.record = record or {}
        return record is not None and record["boot"] == self.boot

    def _tell(self, phase: str, reason: str = "") -> None:
        told = {"v": VERSION, "pid": os.getpid(), "boot": self.boot, "phase": phase, "reason": reason}
        records.write(self.server / "machine.json", told, durable=False)

    def _take_over(self) -> bool:
        if not self._is_wanted():
            return False
        patience = self.record["patience"]
        while not self.lock.take(RUNNING):
            if not takeover.stop_machine(self.lock, patience, self._is_wanted):
                return False
        self._tell("booting")
        left = takeover.sweep(self.record["uid"], str(self.server), self.record["places"], patience)
        if left:
            self._tell("failed", f"processes {sorted(left)} of the server before could not be ended")
        return not left

    def _change_root(self) -> bool:
        """Rename the next root into place; False when this boot is not wanted any more."""
        while not self._is_given_up():
            if (lock := records.try_lock(self.server.with_suffix(".lock"))) is not None:
                try:
                    return self._is_wanted() and self._swap_if_ready()
                finally:
                    os.close(lock)
            time.sleep(processes.POLL)
        return False

    def _is_given_up(self) -> bool:
        return self._dismissed or signal.SIGTERM in signal.sigpending() or not self._is_wanted()

    def _swap_if_ready(self) -> bool:
        if self.record["next"]["ready"]:
            swap(self.server)
        return True

    def _watch(self, agent: Agent) -> float:
        """Look after the agent until it is to end; gives the seconds that it has for that."""
        while not self._dismissed:
            if self._hear(agent.next_start(TICK)) == signal.SIGHUP and self._claim_next():
                return float(self.record["patience"])
            agent.reap()
            if not self._dismissed:
                agent.start_if_due()
            rotate(self.server / "console.log")
        return STOP_LIMIT

    def _claim_next(self) -> bool:
        """Take on the boot that is wanted, if it is another one and nobody else did."""
        if self._is_wanted() or not self.record or not self.lock.take(self.record["boot"]):
            return False
        self.boot = self.record["boot"]
        return True

    def _stop(self, agent: Agent, patience: float) -> None:
        """End the agent, which ends its database, then what it left behind; kill what overstays.

        Without an agent, what is left gets the agent's time: it may be a database.
        """
        linger = LINGER if agent.pid else patience
        agent.signal(signal.SIGTERM)
        self._wait_while(lambda: agent.reap() and agent.pid is not None, patience)
        processes.send(processes.descendants(os.getpid()), signal.SIGTERM)
        self._wait_while(agent.reap, linger)
        while agent.reap():
            processes.send(processes.descendants(os.getpid()), signal.SIGKILL)
            self._hear(processes.POLL)

    def _wait_while(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while condition() and time.monotonic() < deadline and not self._insisted:
            self._hear(processes.POLL)

    def _hear(self, seconds: float) -> int | None:
        """Wait for a signal and give its number, None when there was none."""
        told = signal.sigtimedwait(SIGNALS, seconds)
        number = told.si_signo if told else None
        self._dismissed = self._dismissed or number in (signal.SIGTERM, signal.SIGQUIT)
        self._insisted = self._insisted or number == signal.SIGQUIT
        return number


def swap(server: Path) -> None:
    """Put the next root into place and the one before into the trash; repeatable after a crash anywhere."""
    root, following = server / "root", server / NEXT
    if not following.exists():
        return
    with contextlib.suppress(FileNotFoundError):
        root.rename(server / "trash" / f"root-{time.time_ns()}")
    following.rename(root)
    records.sync_directory(server)


def empty_trash(directory: Path) -> None:
    """Delete what was put aside, in a process of its own that gives way to all others."""
    if not any(directory.iterdir()) or os.fork():
        return
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        os.nice(19)
        from ...directories.trash import empty  # noqa: TID252 -  imported late: it takes longer than all the rest

        empty(directory)
    finally:
        os._exit(0)


def rotate(console: Path) -> None:
    """Keep a long console log as its predecessor and begin it anew; those who write it append."""
    with contextlib.suppress(FileNotFoundError):
        if console.stat().st_size > CONSOLE_LIMIT:
            console.with_suffix(".log.1").write_bytes(tail(console, CONSOLE_LIMIT))
            os.truncate(console, 0)


def tail(path: Path, limit: int) -> bytes:
    """Read the last `limit` bytes of a file, however large its writer made it."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
        return file.read(limit)
