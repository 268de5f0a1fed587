"""An instance of a real control plane: what a user, an operator and the machine see of it."""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psutil
import psycopg

from instar.control.guests.authority import Authority
from instar.control.guests.channel import Channel, Channels
from instar.control.providers.local import handles
from instar.wire.errors import GuestUnreachable
from instar.wire.rest import Instance
from instar.wire.states import ServiceStatus
from real_control_plane import ControlPlane, processes_below
from writer import Writer

DATABASE, USER = "shop", "ada"


@dataclass
class RealInstance:
    """An instance with a database and a user."""

    plane: ControlPlane
    id: str
    password: str = field(repr=False)

    @classmethod
    def create(cls, plane: ControlPlane, version: str = "17.10") -> "RealInstance":
        """Create an instance and wait until it serves."""
        password = secrets.token_urlsafe(12)
        made = plane.client.instances.create(
            "live",
            flavor="1",
            volume_size=1,
            version=version,
            databases=[DATABASE],
            users=[{"name": USER, "password": password, "databases": [{"name": DATABASE}]}],
        )
        assert made.operation
        plane.wait(made.operation["id"])
        return cls(plane, made.id, password)

    # -- as a user sees it

    @property
    def shown(self) -> Instance:
        """What the control plane tells of it."""
        return self.plane.client.instances.get(self.id)

    @property
    def version(self) -> str:
        """The datastore version on record."""
        return str((self.shown.datastore or {})["version"])

    @property
    def address(self) -> str:
        """Its address."""
        assert self.shown.ip
        return self.shown.ip[0]

    def conninfo(self, user: str = USER, password: str | None = None) -> str:
        """How to connect."""
        return f"host={self.address} user={user} password={password or self.password} dbname={DATABASE}"

    @contextmanager
    def connect(self, user: str = USER, password: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        """Connect as a user would."""
        with psycopg.connect(self.conninfo(user, password), autocommit=True) as connection:
            yield connection

    def ask(self, query: LiteralString, user: str = USER, password: str | None = None) -> list[Any]:
        """Ask the database; gives the rows, as plain values where there is one column."""
        with self.connect(user, password) as connection:
            rows = connection.execute(query).fetchall()
        return [row[0] if len(row) == 1 else row for row in rows]

    @contextmanager
    def written_to(self) -> Iterator[Writer]:
        """Have a client write throughout; at the end all that was acknowledged to it must be there."""
        writer = Writer(self.conninfo())
        writer.start()
        writer.wait_for(20)
        yield writer
        writer.wait_for(20)
        tally = writer.stop()
        assert (tally.lost, tally.acknowledged > 40) == (0, True), tally

    def upgrade(self, version: str, **options: str) -> None:
        """Upgrade and wait until that has succeeded."""
        self.plane.wait(self.plane.client.instances.upgrade(self.id, version, **options))

    # -- as an operator sees it

    @property
    def agent(self) -> Channel:
        """The channel to its agent."""
        return Channels(Authority(self.plane.home / "tls")).at(self.id, self.address)

    @property
    def server(self) -> Path:
        """The directory of its server."""
        return self.plane.home / "local/servers" / handles.key_of(f"instar-{self.id}")

    @property
    def volume(self) -> Path:
        """The content of its data volume."""
        return self.plane.home / "local/volumes" / handles.key_of(f"instar-{self.id}") / "data"

    def is_healthy(self) -> bool:
        """Tell whether its agent answers and says that the database serves."""
        try:
            return self.agent.status().status == ServiceStatus.HEALTHY
        except GuestUnreachable:
            return False

    def configure(self, line: str, major: int = 17) -> None:
        """Add a line to the values that were set through Instar, and restart the database."""
        with (self.volume / f"postgresql/{major}/instar.conf").open("a") as file:
            file.write(f"{line}\n")
        self.plane.wait(self.plane.client.instances.restart(self.id))

    # -- as the machine sees it

    def processes(self, pattern: str = "") -> list[psutil.Process]:
        """List its processes whose command line matches; all of them unless told otherwise."""
        found = [*processes_below(self.server), *processes_below(self.volume), *self._machines()]
        return [each for each in {*found} if re.search(pattern, _command(each))]

    def guest_processes(self) -> list[psutil.Process]:
        """List the processes of its present server, without the machine that supervises them."""
        return [each for each in self.processes() if each not in self._machines()]

    def agents(self) -> list[psutil.Process]:
        """List its agents."""
        return self.processes(r"instar/agent/__main__\.py")

    def postmasters(self) -> list[psutil.Process]:
        """List its database servers."""
        return self.processes(r"bin/postgres -D")

    def cut_power(self) -> None:
        """Kill everything of it at once, the machine included."""
        while left := self.processes():
            for process in left:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def is_one_of_each(self) -> bool:
        """Tell whether exactly one machine, one agent and one database server are at work."""
        return [len(self._machines()), len(self.agents()), len(self.postmasters())] == [1, 1, 1]

    def _machines(self) -> list[psutil.Process]:
        return [
            each
            for each in psutil.process_iter()
            if "machine.supervisor" in _command(each) and str(self.server) in _command(each)
        ]


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process that was seen before has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
