"""The one database server of a guest: which data directory it uses, how it is started and stopped."""

from collections.abc import Mapping
from typing import Any

from instar.agent import durable
from instar.agent.datastores import desire
from instar.agent.datastores.base import Guest
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.postgresql import configuration, crossing, ordering_note
from instar.agent.datastores.postgresql.cluster import Cluster, Tick, nobody
from instar.agent.datastores.postgresql.layout import Layout
from instar.wire.errors import GuestError

BUILTIN_LOCALES = 17
"""The first major version with a locale provider of its own: text ordering that no library can change."""


class Server:
    """The database server of a guest."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.layout = Layout.of(guest)

    def cluster(self, major: int | None = None) -> Cluster:
        """Give the cluster of a major version, this image's unless told otherwise."""
        layout = self.layout
        return Cluster(
            programs=layout.programs(major or layout.major),
            data=layout.data(major or layout.major),
            sockets=layout.sockets(),
            log=layout.log,
            address=self.guest.address,
            port=layout.port,
        )

    def serve(self, tick: Tick = nobody) -> None:
        """Start the database and let clients in; from now on it should run. Repeatable."""
        self.guest.take_volume()
        cluster = self.usable()
        desire.write(self.layout.state, Desire.RUNNING)
        self.bring_up(cluster, tick)

    def bring_up(self, cluster: Cluster, tick: Tick = nobody) -> None:
        """Start a cluster if it does not run, and let clients in."""
        if not cluster.is_open():
            self.begin(cluster, None, tick)
            self.open(cluster)

    def begin(self, cluster: Cluster, wanted: Mapping[str, Any] | None, tick: Tick = nobody) -> None:
        """Start a cluster with clients kept out, with users' values in place; None keeps those before.

        A server that runs goes on running, unless it would have to read other values. Repeatable.
        """
        if configuration.differs(cluster.data, wanted):
            cluster.stop(tick)
            configuration.replace(cluster.data, wanted)
        self.write_defaults()
        cluster.start(tick)

    def open(self, cluster: Cluster) -> None:
        """Let clients in. Repeatable."""
        crossing.lets_in(self.layout)
        ordering_note.lets_in(cluster.data, ordering_note.of(self.guest.manifest))
        cluster.let_in()

    def is_home(self, cluster: Cluster) -> bool:
        """Tell whether this image may let clients in unasked; another one may order text otherwise."""
        return ordering_note.is_home(cluster.data, ordering_note.of(self.guest.manifest))

    def stop(self, tick: Tick = nobody) -> None:
        """Stop the database; from now on it should not run. Repeatable."""
        desire.write(self.layout.state, Desire.STOPPED)
        self.cluster().stop(tick)

    def usable(self) -> Cluster:
        """Give the cluster of this image's version. Raises GuestError when the volume holds none."""
        majors = self.layout.majors()
        if self.layout.major in majors and majors[-1] == self.layout.major:
            return self.cluster()
        raise GuestError(
            f"The volume holds no data directory that PostgreSQL {self.layout.major} can use",
            seen=f"major versions {', '.join(map(str, majors)) or 'none'} below {self.layout.clusters}",
            remedy="Attach the right volume, put it back to its snapshot, or use the image of its version.",
        )

    def write_defaults(self) -> None:
        """Write what follows from the server's size."""
        ram = self.guest.facts.get("ram", "")
        text = configuration.defaults(int(ram) if ram.isdecimal() else None)
        durable.write(self.cluster().data / "instar_defaults.conf", text)

    def initdb_options(self) -> list[str]:
        """Give the options that a first data directory is made with."""
        options = ["--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]
        if self.layout.major >= BUILTIN_LOCALES:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return options
