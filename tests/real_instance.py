"""An instance of a real control plane: what a user, an operator and the machine see of it."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

import grounds
from access import Access, ask
from instar.control.guests.authority import Authority
from instar.control.guests.channel import Channel, Channels
from instar.control.providers.directories.handles import key_of
from instar.wire.errors import GuestUnreachable
from instar.wire.rest import Instance
from instar.wire.states import ServiceStatus
from real_control_plane import ControlPlane
from real_engines import Engine
from writer import Writer

DATABASE, USER = "shop", "ada"


@dataclass
class RealInstance:
    """An instance with a database and a user."""

    plane: ControlPlane
    id: str
    password: str = field(repr=False)
    engine: Engine

    @classmethod
    def create(
        cls,
        plane: ControlPlane,
        version: str | None = None,
        *,
        engine: Engine | None = None,
        name: str = "live",
        wait: bool = True,
    ) -> "RealInstance":
        """Create an instance, of the engine's old release unless told otherwise; waits until it serves."""
        password, engine = secrets.token_urlsafe(12), engine or plane.images.engine
        made = plane.client.instances.create(
            name,
            flavor="1",
            volume_size=1,
            datastore=engine.datastore,
            version=version or engine.old,
            databases=[DATABASE],
            users=[{"name": USER, "password": password, "databases": [{"name": DATABASE}]}],
        )
        if wait:
            assert made.operation
            plane.wait(made.operation["id"])
        return cls(plane, made.id, password, engine)

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
        """Connect to PostgreSQL as a user would."""
        with psycopg.connect(self.conninfo(user, password), autocommit=True) as connection:
            yield connection

    def access(self, user: str = USER, password: str | None = None, database: str = DATABASE) -> Access:
        """Give a user's way in."""
        return self.engine.access(self.address, user, password or self.password, database)

    def ask(self, query: str, user: str = USER, password: str | None = None) -> list[Any]:
        """Ask the database; gives the rows, as plain values where there is one column."""
        return ask(self.access(user, password), query)

    @contextmanager
    def written_to(self) -> Iterator[Writer]:
        """Have a client write throughout; at the end all that was acknowledged to it must be there."""
        writer = Writer(self.access())
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
        """The directory of its server: the one that has its volume, where it has two."""
        has_volume = None
        with suppress(FileNotFoundError):  # a volume that is deleted has none
            has_volume = json.loads((self.volume.parent / "volume.json").read_text())["attached_to"]
        return self._room / "servers" / key_of(has_volume or f"instar-{self.id}")

    @property
    def servers(self) -> list[Path]:
        """The directories of all its servers, be they stopped."""
        names = (f"instar-{self.id}", f"instar-{self.id}-2")
        places = (self._room / "servers" / key_of(name) for name in names)
        return [place for place in places if place.exists()]

    @property
    def volume(self) -> Path:
        """The content of its data volume."""
        return self._room / "volumes" / key_of(f"instar-{self.id}") / "data"

    @property
    def _room(self) -> Path:
        return self.plane.home / self.plane.ground.provider

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

    @property
    def container(self) -> str:
        """The name of its container that runs."""
        names = grounds.engine("ps", "--format", "{{.Names}}").split()
        return next(name for name in names if self.server.name in name)

    def in_guest(self, *words: str) -> str:
        """Run a program in its container, as the machine's owner may; gives what it prints."""
        return grounds.engine("exec", self.container, *words).strip()

    def processes(self, pattern: str = "") -> list[psutil.Process]:
        """List its processes whose command line matches; all of them unless told otherwise."""
        return grounds.matching(self.plane.ground.processes(self.server, self.volume), pattern)

    def guest_processes(self) -> list[psutil.Process]:
        """List the processes of its present server, without the machine that supervises them."""
        machines = self.machines()
        return [each for each in self.processes() if each not in machines]

    def agents(self) -> list[psutil.Process]:
        """List its agents."""
        return self.processes(r"instar/agent/__main__\.py")

    def postmasters(self) -> list[psutil.Process]:
        """List its database servers."""
        return self.processes(self.engine.server)

    def machines(self) -> set[psutil.Process]:
        """List what looks after its agent."""
        return self.plane.ground.machines(self.server, self.volume)

    def cut_power(self) -> None:
        """Kill everything of it at once, the machine included."""
        while left := self.processes():
            grounds.kill(set(left))

    def is_one_of_each(self) -> bool:
        """Tell whether exactly one machine, one agent and one database server are at work."""
        return [len(self.machines()), len(self.agents()), len(self.postmasters())] == [1, 1, 1]


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process that was seen before has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
