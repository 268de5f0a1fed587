"""One data directory and the server on it: started, found again, stopped.

The server has a session of its own and outlives the agent; it is found again by its process id. Whether it
lets clients in is part of its command line: one that is closed has no network, so that no account, `root`
with all its privileges included, gets in but through the private socket, and an agent that may be killed has
nothing to remember. Letting clients in is a restart (measured: 0.1 s to stop, 0.25 s to start; a listening
socket that drops what arrives until it is told to let it in costs a client that knocks meanwhile its kernel's
first retransmission, 1 s).
"""

import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from instar.agent import commands, durable, processes
from instar.agent.datastores.mysql_family import accounts, configuration, refusals
from instar.agent.datastores.mysql_family.dialect import Dialect, series
from instar.agent.datastores.mysql_family.layout import Layout
from instar.wire.errors import GuestError

POLL = 0.005
PATIENCE = 600.0
"""Seconds that a start may take in which the server neither prints nor works, and a stop nobody watches."""
LARGEST_LOG = 64 << 20
_LOOKED_AT = 64 << 10
"""Bytes of the log's end."""
_CLEAN = re.compile(r"\[Note\] \S*(?:mariadbd|mysqld): (?!.*\nVersion: )")
"""The server's last word, in whatever language: it has come to its end, after each of its engines has."""
_OPEN, _CLOSED = "--skip-networking=0", "--skip-networking=1"
_PROTOCOL = 10
"""First byte of a greeting; an error's is 255."""

FIXED = frozenset(
    {
        "aria_log_dir_path",
        "basedir",
        "bind_address",
        "datadir",
        "init_file",
        "innodb_data_home_dir",
        "innodb_log_group_home_dir",
        "innodb_undo_directory",
        "log_error",
        "pid_file",
        "port",
        "secure_file_priv",
        "skip_grant_tables",
        "skip_name_resolve",
        "skip_networking",
        "socket",
        "tmpdir",
    }
)
"""What belongs to the instance's identity and is given on the command line, above all files: what there is of
the data lies on the volume, whatever they say.
"""

Tick = Callable[[int], None]
"""Called about every second with a number that changes as the work goes on; what it raises ends the wait."""


def nobody(measure: int) -> None:
    """Watch without a word."""


@dataclass(frozen=True)
class Daemon:
    """A data directory with its engine, and where its server is reached."""

    dialect: Dialect
    layout: Layout
    data: Path
    address: str
    port: int
    version: str
    """Of this image's engine."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Options above all others."""

    # -- what is ----------------------------------------------------------------------------------------

    @property
    def socket(self) -> Path:
        """The private socket."""
        return self.layout.run() / "mysqld.sock"

    @property
    def main_file(self) -> Path:
        """The option file that the server reads first."""
        return self.layout.configuration / self.dialect.main_file

    def exists(self) -> bool:
        """Tell whether there is a data directory."""
        return self.data.is_dir()

    def pid(self) -> int | None:
        """Give the server's process id, None when it does not run."""
        try:
            text = self._pid_file().read_text().strip()
        except FileNotFoundError:
            return None
        if not text.isdecimal():
            return None
        pid = int(text)
        if processes.directory_of(pid) != os.path.realpath(self.data) or processes.wait(pid, 0):
            return None
        return pid

    def is_ready(self) -> bool:
        """Tell whether the server greets who comes to its private socket; its log has a line of each such
        knock.
        """
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(5.0)
            try:
                knock.connect(str(self.socket))
                greeting = knock.recv(5)
            except OSError:
                return False
        return len(greeting) == 5 and greeting[4] in (_PROTOCOL, 255)

    def is_open(self) -> bool:
        """Tell whether the server runs, is ready, and lets clients in."""
        return self.lets_in() is True and self.is_ready()

    def lets_in(self) -> bool | None:
        """Tell whether the server that runs was started to let clients in; None when none runs."""
        if (pid := self.pid()) is None:
            return None
        return _OPEN.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")

    def is_shut_down(self) -> bool:
        """Tell whether no server runs, and the last one left the data directory in good order."""
        return self.pid() is None and self._clean_mark().exists()

    def opened_by(self) -> str:
        """Give the newest version that was ever started on these files; empty when none was."""
        try:
            return self._opened_mark().read_text().strip()
        except FileNotFoundError:
            return ""

    # -- what is done -----------------------------------------------------------------------------------

    def start(self, tick: Tick = nobody, *, open: bool = False) -> None:
        """Start the server, with clients kept out unless `open`, and wait until it is ready. Repeatable.

        One that runs is adopted, or started anew when it has the other gate. Raises GuestError with what its
        log tells.
        """
        if self.lets_in() not in (None, open):
            self.stop(tick)
        since = self._log_size()
        if self.pid() is None:
            self.clear_remains()
            since = self._launch(open)
        self._await_ready(since, tick)

    def stop(self, tick: Tick = nobody) -> None:
        """Stop the server, ending its clients' sessions; succeeds when it does not run.

        `is_shut_down` tells whether it came to a good end.
        """
        pid = self.pid()
        if pid is None:
            return
        since = self._log_size()
        processes.send(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while not processes.wait(pid, commands.TICK):
            tick(processes.effort(pid))
            if tick is nobody and time.monotonic() > deadline:
                raise GuestError(
                    f"The database did not stop within {PATIENCE:g} s",
                    seen=refusals.decisive_first(self._own_words(since)),
                    retryable=True,
                )
        if _CLEAN.search(self._own_words(since)):
            durable.write(self._clean_mark(), self.version)

    def clear_remains(self) -> None:
        """End what works in the data directory and remove what a killed server left."""
        processes.kill(processes.working_in([self.data]))
        self._pid_file().unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)

    def command_line(self, open: bool) -> list[str]:
        """Give the words that start the server; those after the option file go above it."""
        options = {
            "basedir": self.dialect.basedir(self.layout.root),
            **dict.fromkeys(("datadir", *self.dialect.data_directories), self.data),
            "tmpdir": self.layout.scratch,
            "secure-file-priv": self.layout.files,
            "socket": self.socket,
            "pid-file": self.layout.run() / "mysqld.pid",
            "log-error": self.layout.log,
            "init-file": self._init_file(),
            "bind-address": self.address,
            "port": self.port,
            "skip-name-resolve": 1,
            "skip-grant-tables": 0,
            **({} if open else self.dialect.closed),
            **self.extra,
        }
        words = [str(self.layout.root / self.dialect.server), f"--defaults-file={self.main_file}"]
        words += [f"--{name}={value}" for name, value in options.items()]
        return [*words, _OPEN if open else _CLOSED]

    # -- how --------------------------------------------------------------------------------------------

    def _launch(self, open: bool) -> int:
        for directory in (self.layout.log.parent, self.layout.scratch, self.layout.files):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self.layout.log
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            durable.rename(log, log.with_suffix(".log.1"))
        self._note_opening()
        configuration.note_start(self.layout, self.dialect)
        accounts.arrange(self.dialect, self._init_file(), self.layout.run(), secrets.token_urlsafe(24))
        since = self._log_size()
        with log.open("ab") as output:
            process = subprocess.Popen(
                self.command_line(open),
                cwd=self.data,
                env=commands.ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        durable.write(self._pid_file(), str(process.pid))
        threading.Thread(target=process.wait, name="database", daemon=True).start()
        return since

    def _note_opening(self) -> None:
        """Remember who works in these files from now on: an older version can't read them any more."""
        if self._clean_mark().exists():
            self._clean_mark().unlink()
            durable.sync_directory(self._clean_mark().parent)
        before = self.opened_by()
        if not before or series(before) < series(self.version):
            durable.write(self._opened_mark(), self.version)

    def _await_ready(self, since: int, tick: Tick) -> None:
        deadline, seen, told = time.monotonic() + PATIENCE, -1, time.monotonic()
        while not self.is_ready():
            pid = self.pid()
            if pid is None or processes.wait(pid, POLL):
                raise self._did_not_start(since)
            if time.monotonic() > told + commands.TICK:
                told, effort = time.monotonic(), self._log_size() + processes.effort(pid)
                if effort != seen:
                    seen, deadline = effort, time.monotonic() + PATIENCE
                tick(effort)
            if time.monotonic() > deadline:
                raise GuestError(
                    "The database accepts no connections",
                    seen=refusals.decisive_first(self._own_words(since)),
                    retryable=True,
                )

    def _did_not_start(self, since: int) -> GuestError:
        brief, remedy = refusals.by_server(log := self._own_words(since))
        return GuestError(brief, seen=refusals.decisive_first(log), remedy=remedy)

    def _own_words(self, since: int) -> str:
        """Give what the end of the log tells."""
        if not self.layout.log.exists():
            return ""
        with self.layout.log.open("rb") as log:
            log.seek(max(since, self._log_size() - _LOOKED_AT))
            return log.read().decode("utf-8", "replace")

    def _log_size(self) -> int:
        return self.layout.log.stat().st_size if self.layout.log.exists() else 0

    def _pid_file(self) -> Path:
        """Ours: the server writes its own when it has recovered, and empties it for a moment."""
        return self.layout.run() / "database.pid"

    def _init_file(self) -> Path:
        return self.layout.run() / "accounts.sql"

    def _clean_mark(self) -> Path:
        return self.layout.engine / "clean"

    def _opened_mark(self) -> Path:
        return self.layout.engine / "opened_by"
