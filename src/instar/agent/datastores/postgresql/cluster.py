"""One data directory and the server on it: made, started, found again, stopped.

The server has a session of its own and outlives the agent; it is found again by its postmaster.pid.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from instar.agent import commands, durable, processes, volume
from instar.agent.datastores.postgresql import access, identity, refusals
from instar.wire.errors import GuestError

POLL = 0.005
PATIENCE = 600.0
"""Seconds that a start may take while the server prints nothing, and a stop that nobody watches."""
LARGEST_LOG = 64 << 20
_LOOKED_AT = 64 << 10
"""Bytes of the log's end."""
_STATUS_LINE = 7
_SHUT_DOWN = "shut down"

Tick = Callable[[int], None]
"""Called about every second with a number that changes as the work goes on; what it raises ends the wait."""


def nobody(measure: int) -> None:
    """Watch without a word."""


@dataclass(frozen=True)
class Cluster:
    """A data directory with its engine, and where its server is reached."""

    programs: Path
    data: Path
    sockets: Path
    log: Path
    address: str
    port: int

    # -- what is ----------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Tell whether there is a data directory."""
        return (self.data / "PG_VERSION").is_file()

    def postmaster(self) -> int | None:
        """Give the server's process id, None when it does not run."""
        lines = self._pid_lines()
        if not lines or not lines[0].isdecimal():
            return None
        pid = int(lines[0])
        if processes.directory_of(pid) != os.path.realpath(self.data) or processes.wait(pid, 0):
            return None
        return pid

    def is_ready(self) -> bool:
        """Tell whether the server says that it accepts connections."""
        lines = self._pid_lines()
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def is_open(self) -> bool:
        """Tell whether the server runs and lets clients in."""
        return self.postmaster() is not None and self.is_ready() and access.is_open(self.data)

    def control(self) -> dict[str, str]:
        """Read pg_control: label -> value, as pg_controldata prints them."""
        text = commands.run([self.programs / "pg_controldata", "-D", self.data])
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        return {label.strip(): value.strip() for label, value in pairs}

    def is_shut_down(self) -> bool:
        """Tell whether the data directory was left in good order."""
        return self.control().get("Database cluster state") == _SHUT_DOWN

    # -- what is done -----------------------------------------------------------------------------------

    def make(self, options: Sequence[str], tick: Tick) -> None:
        """Make the data directory with initdb; what an interrupted one left, running or not, goes first.

        No server may run on a directory beside this one.
        """
        processes.kill(processes.working_in([self.data.parent]))
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        words: list[str | Path] = [self.programs / "initdb", "-D", self.data, "-U", access.ADMINISTRATOR]
        words += ["-A", "trust", *options]
        commands.run(identity.named(words), tick=lambda _: tick(volume.used(self.data)), cwd=self.data.parent)

    def start(self, tick: Tick = nobody) -> None:
        """Start the server with clients kept out, wait until it accepts connections; adopts a running one.

        Raises GuestError with the last lines of its log.
        """
        since = self._log_size()
        if self.postmaster() is None:
            self.clear_remains()
            access.write(self.data, access.CLOSED)
            since = self._launch()
        self._await_ready(since, tick)

    def stop(self, tick: Tick = nobody) -> None:
        """Stop the server cleanly, ending its clients' sessions; succeeds when it does not run."""
        pid = self.postmaster()
        if pid is None:
            return
        processes.send(pid, signal.SIGINT)
        deadline = time.monotonic() + PATIENCE
        while not processes.wait(pid, commands.TICK):
            tick(self._shutting_down())
            if tick is nobody and time.monotonic() > deadline:
                raise GuestError(
                    f"The database did not stop within {PATIENCE:g} s",
                    seen=self._last_lines(),
                    retryable=True,
                )

    def let_in(self) -> None:
        """Let clients in over the network. Repeatable."""
        self._switch(access.OPEN)

    def shut_out(self) -> None:
        """Let no new client in over the network; those who are in stay. Repeatable."""
        self._switch(access.CLOSED)

    def clear_remains(self) -> None:
        """End what works in the data directory and remove what a killed server left.

        Its process id may by now be another's, or a zombie's, and would bar the way.
        """
        processes.kill(processes.working_in([self.data]))
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f".s.PGSQL.{self.port}.lock").unlink(missing_ok=True)

    def _shutting_down(self) -> int:
        """Tell how much the server's processes have done; the last one writes what is dirty, and ends."""
        return sum(processes.effort(pid) for pid in processes.working_in([self.data]))

    def _switch(self, hba: str) -> None:
        access.write(self.data, hba)
        if pid := self.postmaster():
            processes.send(pid, signal.SIGHUP)

    def _launch(self) -> int:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG:
            durable.rename(self.log, self.log.with_suffix(".log.1"))
        since = self._log_size()
        settings = {
            "listen_addresses": self.address,
            "port": str(self.port),
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "hba_file": str(self.data / "pg_hba.conf"),
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        words = [str(self.programs / "postgres"), "-D", str(self.data)]
        words += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                words,
                cwd=self.data,
                env=commands.ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name="postmaster", daemon=True).start()
        self._await_pid_file(process, since)
        return since

    def _await_pid_file(self, process: subprocess.Popen[bytes], since: int) -> None:
        while self._pid_lines()[:1] != [str(process.pid)]:
            if processes.wait(process.pid, POLL):
                raise self._did_not_start(since)

    def _await_ready(self, since: int, tick: Tick) -> None:
        deadline, place, said, told = time.monotonic() + PATIENCE, since, 0, time.monotonic()
        while not self.is_ready():
            pid = self.postmaster()
            if pid is None or processes.wait(pid, POLL):
                raise self._did_not_start(since)
            if (size := self._log_size()) > place:
                if news := self._own_words(place):
                    deadline, said = time.monotonic() + PATIENCE, said + len(news)
                place = size
            if time.monotonic() > told + commands.TICK:
                told = time.monotonic()
                tick(said)
            if time.monotonic() > deadline:
                raise GuestError(
                    "The database accepts no connections", seen=self._last_lines(), retryable=True
                )

    def _pid_lines(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _did_not_start(self, since: int) -> GuestError:
        brief, remedy = refusals.by_server(lines := self._last_lines(since))
        return GuestError(brief, seen=commands.decisive_first(lines), remedy=remedy)

    def _last_lines(self, since: int = 0) -> str:
        return "\n".join(self._own_words(since).splitlines()[-commands.TOLD_LINES :])

    def _own_words(self, since: int) -> str:
        """Give what the end of the log tells, but for clients who knock."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(since, self._log_size() - _LOOKED_AT))
            return refusals.without_knocks(log.read().decode("utf-8", "replace"))
