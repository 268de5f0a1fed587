"""The hooks of MySQL's family, each led to the file that tells its story.

What speaks to a running database is imported when it is first needed, or when nobody waits (`load`): the
driver takes longer to load than the agent takes to start.
"""

import importlib
from functools import partial
from typing import Any

from instar.agent import volume
from instar.agent.datastores import desire
from instar.agent.datastores.base import Datastore, Guest, Report
from instar.agent.datastores.desire import Desire
from instar.agent.datastores.mysql_family.dialect import Dialect
from instar.agent.datastores.mysql_family.server import Server
from instar.wire.agent import (
    ComeBackParams,
    ConfigurationParams,
    DatabaseSpec,
    DatabaseStatus,
    PostUpgradeParams,
    PrepareParams,
    ProbesAnswer,
    ProbesParams,
    ReadBack,
    UpgradeCheck,
    UpgradeParams,
    UserSpec,
)
from instar.wire.errors import GuestError, InstarError
from instar.wire.states import ServiceStatus

PROBES_BUDGET = 8.0
"""Seconds for all probes of a call, whose asker waits for little longer."""
_PARTS = ("arrival", "readiness", "tables", "settling", "leaving", "returning", "probes")


class FamilyDatastore(Datastore):
    """Base of the family's datastores: each brings its name and its dialect."""

    dialect: Dialect

    def __init__(self, guest: Guest) -> None:
        self._server = Server(guest, self.dialect)
        self._reason = ""

    # -- the agent's own life ---------------------------------------------------------------------------

    def load(self) -> None:
        """Import the parts of the hooks that are needed most, in the order in which an upgrade takes them."""
        for part in _PARTS:
            importlib.import_module(f"{__package__}.{part}")

    def bring_back(self) -> None:
        """Start the database if it should run and does not."""
        if self._server.guest.volume_is_released:
            return
        self._server.guest.take_volume(patience=0)
        if desire.read(self._server.layout.state) is not Desire.RUNNING:
            self._reason = ""
            return
        try:
            self._server.look_after()
        except InstarError as error:
            self._reason = error.body.sentence()
            raise
        self._reason = ""

    def shut_down(self) -> None:
        """Stop the database; it still should run."""
        self._server.daemon().stop()

    # -- jobs -------------------------------------------------------------------------------------------

    def prepare(self, params: PrepareParams, report: Report) -> dict[str, Any]:
        """Make the database and let clients in."""
        from instar.agent.datastores.mysql_family import creation

        return creation.prepare(self._server, params, report)

    def start(self, report: Report) -> dict[str, Any]:
        """Start the database and let clients in."""
        report("starting", None)
        self._server.serve(partial(report, "starting", None))
        return {}

    def stop(self, report: Report) -> dict[str, Any]:
        """Stop the database cleanly."""
        report("stopping", None)
        self._server.stop(partial(report, "stopping", None))
        return {}

    def restart(self, report: Report) -> dict[str, Any]:
        """Stop and start the database."""
        report("stopping", None)
        self._server.usable().stop(partial(report, "stopping", None))
        return self.start(report)

    def pre_upgrade(self, params: UpgradeParams, report: Report) -> dict[str, Any]:
        """Leave the old image in good order; gives `upgrade_info`."""
        from instar.agent.datastores.mysql_family import leaving

        self._refuse_stale(params)
        return leaving.leave(self._server, params, report)

    def post_upgrade(self, params: PostUpgradeParams, report: Report) -> dict[str, Any]:
        """Bring the volume's database to this image's version, with clients kept out."""
        from instar.agent.datastores.mysql_family import arrival

        return arrival.arrive(self._server, params, report)

    def come_back(self, params: ComeBackParams, report: Report) -> dict[str, Any]:
        """Serve the data files again that a newer image was to take over."""
        from instar.agent.datastores.mysql_family import returning

        return returning.come_back(self._server, params, report)

    def apply_configuration(self, params: ConfigurationParams, report: Report) -> dict[str, Any]:
        """Put users' values in place and in force."""
        from instar.agent.datastores.mysql_family import applying

        return applying.apply(self._server, params, report)

    def settle(self, report: Report) -> dict[str, Any]:
        """What an upgrade leaves for later."""
        from instar.agent.datastores.mysql_family import settling

        return settling.settle(self._server, report)

    # -- calls ------------------------------------------------------------------------------------------

    def status(self) -> DatabaseStatus:
        """Tell how the database is, by asking it."""
        guest = self._server.guest
        if guest.volume_is_released:
            return DatabaseStatus(status=ServiceStatus.SHUTDOWN, reason="The data volume was let go of.")
        try:
            guest.check_volume()
        except InstarError as error:
            return DatabaseStatus(status=ServiceStatus.FAILED, reason=error.body.sentence())
        found = self._running() if self._server.daemon().pid() else self._down()
        return found.model_copy(update={"volume_used": volume.used(self._server.layout.volume)})

    def check_upgrade(self, params: UpgradeParams) -> UpgradeCheck:
        """Gather everything that stands in the way of the upgrade."""
        from instar.agent.datastores.mysql_family import checks

        self._refuse_stale(params)
        return checks.check(self._server, params)

    def read_back(self) -> ReadBack:
        """Read from the running database what it is."""
        from instar.agent.datastores.mysql_family import inspection, sessions

        with sessions.session(self._server.usable()) as connection:
            return inspection.read_back(connection, self._server.daemon())

    def run_probes(self, params: ProbesParams) -> ProbesAnswer:
        """Put probes to the database."""
        from instar.agent.datastores.mysql_family import probes

        return ProbesAnswer(results=probes.run(self._server.usable(), params.probes, PROBES_BUDGET))

    def resized(self, ram: int) -> None:
        """Have what follows from the server's memory do so at the next start."""
        self._server.guest.resize(ram)

    def grow_volume(self) -> None:
        """Have the volume's file system take up the volume's room."""
        self._server.guest.grow_volume()

    def list_databases(self) -> list[DatabaseSpec]:
        """List the user's databases."""
        from instar.agent.datastores.mysql_family import databases, sessions

        with sessions.session(self._server.usable()) as connection:
            return databases.listing(connection)

    def create_databases(self, databases: list[DatabaseSpec]) -> None:
        """Make databases."""
        from instar.agent.datastores.mysql_family.databases import create

        create(self._server.usable(), databases)

    def delete_database(self, name: str) -> None:
        """Drop a database."""
        from instar.agent.datastores.mysql_family import databases

        databases.drop(self._server.usable(), name)

    def list_users(self) -> list[UserSpec]:
        """List the user's users."""
        from instar.agent.datastores.mysql_family import sessions, users

        with sessions.session(self._server.usable()) as connection:
            return users.listing(connection)

    def create_users(self, users: list[UserSpec]) -> None:
        """Make users."""
        from instar.agent.datastores.mysql_family.users import create

        create(self._server.usable(), users)

    def update_user(self, name: str, host: str, change: UserSpec) -> None:
        """Rename a user, move it to another host, or set its password."""
        from instar.agent.datastores.mysql_family import users

        users.update(self._server.usable(), name, host, change)

    def delete_user(self, name: str, host: str) -> None:
        """Drop a user."""
        from instar.agent.datastores.mysql_family import users

        users.drop(self._server.usable(), name, host)

    def grant(self, name: str, host: str, databases: list[str]) -> None:
        """Let a user use databases."""
        from instar.agent.datastores.mysql_family import users

        users.grant(self._server.usable(), name, host, databases)

    def revoke(self, name: str, host: str, database: str) -> None:
        """Take a database from a user."""
        from instar.agent.datastores.mysql_family import users

        users.revoke(self._server.usable(), name, host, database)

    def root_enabled(self) -> bool:
        """Tell whether the superuser may log in over the network."""
        from instar.agent.datastores.mysql_family import sessions, users

        with sessions.session(self._server.usable()) as connection:
            return users.root_enabled(connection)

    def enable_root(self, password: str) -> UserSpec:
        """Let the superuser in over the network."""
        from instar.agent.datastores.mysql_family import users

        return users.enable_root(self._server.usable(), password)

    def disable_root(self) -> None:
        """Shut the superuser out."""
        from instar.agent.datastores.mysql_family import users

        users.disable_root(self._server.usable())

    # -- guards -----------------------------------------------------------------------------------------

    def _refuse_stale(self, params: UpgradeParams) -> None:
        """Raise GuestError for a request that was meant for another image, such as the one before."""
        wanted, here = params.source_image_digest, self._server.guest.manifest.digest
        if wanted and wanted != here:
            raise GuestError(
                "This request is meant for another image than the one that runs here; nothing was done",
                seen=f"meant for {wanted}, here runs {here}",
                remedy="The instance has moved on. Ask for the upgrade again if it is due.",
            )

    # -- status -----------------------------------------------------------------------------------------

    def _down(self) -> DatabaseStatus:
        wanted = desire.read(self._server.layout.state)
        if wanted is Desire.RUNNING:
            reason = self._reason or "The database should run and does not."
            return DatabaseStatus(status=ServiceStatus.FAILED, reason=reason)
        if wanted is Desire.NOTHING and not self._server.layout.exists():
            return DatabaseStatus(status=ServiceStatus.NEW)
        return DatabaseStatus(status=ServiceStatus.SHUTDOWN)

    def _running(self) -> DatabaseStatus:
        from instar.agent.datastores.mysql_family import inspection, sessions

        daemon = self._server.daemon()
        try:
            with sessions.session(daemon) as connection:
                version = inspection.engine_version(connection)
        except InstarError as error:
            return DatabaseStatus(status=ServiceStatus.FAILED, reason=error.body.sentence())
        if daemon.lets_in():
            return DatabaseStatus(status=ServiceStatus.HEALTHY, engine_version=version)
        return DatabaseStatus(
            status=ServiceStatus.SHUTDOWN, engine_version=version, reason="Clients are not let in yet."
        )
