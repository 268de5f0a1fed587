"""The one database server of a guest: whether its files are usable, how it is started and stopped."""

from collections.abc import Mapping
from typing import Any

from instar.agent.datastores import desire
from instar.agent.datastores.base import Guest
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family import configuration
from instar.agent.datastores.mysql_family.daemon import Daemon, Tick, nobody
from instar.agent.datastores.mysql_family.dialect import Dialect, series
from instar.agent.datastores.mysql_family.layout import Layout
from instar.wire.errors import GuestError


class Server:
    """The database server of a guest."""

    def __init__(self, guest: Guest, dialect: Dialect) -> None:
        self.guest, self.dialect = guest, dialect
        self.layout = Layout.of(guest)

    def daemon(self) -> Daemon:
        """Give the server on this volume's data directory, whether there is one or not."""
        return Daemon(
            dialect=self.dialect,
            layout=self.layout,
            data=self.layout.data,
            address=self.guest.address,
            port=self.guest.port,
            version=self.guest.manifest.engine_version,
        )

    def serve(self, tick: Tick = nobody) -> None:
        """Start the database and let clients in; from now on it should run. Repeatable."""
        self.guest.take_volume()
        daemon = self.usable()
        desire.write(self.layout.state, Desire.RUNNING)
        self.bring_up(daemon, tick)

    def look_after(self) -> None:
        """Start the server if it does not run, and let clients in; for those who look often."""
        daemon = self.usable()
        if not daemon.lets_in():
            self.bring_up(daemon)

    def bring_up(self, daemon: Daemon, tick: Tick = nobody) -> None:
        """Have the server run, ready, with clients let in."""
        self.write_defaults()
        daemon.start(tick, open=True)

    def begin(self, wanted: Mapping[str, Any] | None, tick: Tick = nobody) -> Daemon:
        """Start the server with clients kept out, with users' values in place; None keeps those before.

        One that runs closed goes on running, unless it would have to read other values. Repeatable.
        """
        daemon = self.usable()
        if configuration.differs(self.layout, self.dialect, wanted):
            daemon.stop(tick)
            configuration.replace(self.layout, self.dialect, wanted)
        self.write_defaults()
        daemon.start(tick)
        return daemon

    def open(self, tick: Tick = nobody) -> None:
        """Let clients in: a restart, unless they are in already. Repeatable."""
        self.bring_up(self.usable(), tick)

    def stop(self, tick: Tick = nobody) -> None:
        """Stop the database; from now on it should not run. Repeatable."""
        desire.write(self.layout.state, Desire.STOPPED)
        self.daemon().stop(tick)

    def usable(self) -> Daemon:
        """Give the server on data files that this image can use. Raises GuestError when there are none, or
        a newer series has worked in them.
        """
        daemon = self.daemon()
        if not daemon.exists():
            raise GuestError(
                f"The volume holds no data directory of {self.dialect.title}",
                seen=f"nothing at {daemon.data}",
                remedy="Attach the right volume, or put it back to its snapshot.",
            )
        if (newest := daemon.opened_by()) and series(newest) > series(daemon.version):
            raise GuestError(
                f"{self.dialect.title} {daemon.version} can't use data files that {newest} has worked in",
                seen=f"{daemon.data} was opened by {newest}",
                remedy="Put the volume back to its snapshot, or use an image of that version.",
            )
        return daemon

    def write_defaults(self) -> None:
        """Write what follows from the server's size."""
        ram = self.guest.facts.get("ram", "")
        configuration.write_defaults(self.layout, self.dialect, int(ram) if ram.isdecimal() else None)
