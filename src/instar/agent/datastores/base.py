"""Every hook of a datastore, on one page: when it is called, what it does, whether it may be repeated.

A datastore overrides what it needs. Hooks that take long are run as named jobs and are given a `report`
function for progress; brief ones are calls. A hook that fails raises `GuestError` with what was seen and a
remedy; a hook that a datastore does not have raises `NotSupported`.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from instar.wire.agent import (
    ComeBackParams,
    ConfigurationParams,
    DatabaseSpec,
    DatabaseStatus,
    Manifest,
    PostUpgradeParams,
    PrepareParams,
    ProbesAnswer,
    ProbesParams,
    ReadBack,
    UpgradeCheck,
    UpgradeParams,
    UserSpec,
)
from instar.wire.errors import NotSupported


class Report(Protocol):
    """How a job tells how far it is.

    Movement is what differs from the last report: another message, percentage, or `measure` (bytes, files,
    lines, whatever work makes more of). Long work reports about every second. Raises when the job is to end:
    because it gives way to another, or because nothing has moved for longer than anyone waits for it.
    """

    def __call__(self, message: str, percent: float | None = None, measure: float = 0) -> None: ...


class Datastore:
    """Base of all datastores: each hook here refuses with `NotSupported`."""

    name = ""

    # -- the agent's own life ---------------------------------------------------------------------------

    def bring_back(self) -> None:
        """Start the database if it should run and does not; called when the agent starts and every moment
        after, never while a job runs. An error is reported by `status` until this succeeds. Repeatable.
        """

    def shut_down(self) -> None:
        """Stop the database because the server goes down; it still should run. Repeatable."""

    def load(self) -> None:
        """Import what hooks need and a start does not, while nobody waits for it."""

    # -- jobs -------------------------------------------------------------------------------------------

    def prepare(self, params: PrepareParams, report: Report) -> dict[str, Any]:
        """Make the database on a blank volume and start it; start the one that a volume holds. Repeatable."""
        raise self._lacks("prepare")

    def start(self, report: Report) -> dict[str, Any]:
        """Start the database and let clients in; succeeds when it runs already. Repeatable."""
        raise self._lacks("start")

    def stop(self, report: Report) -> dict[str, Any]:
        """Stop the database cleanly; succeeds when it is stopped already. Repeatable."""
        raise self._lacks("stop")

    def restart(self, report: Report) -> dict[str, Any]:
        """Stop and start the database. Repeatable."""
        raise self._lacks("restart")

    def pre_upgrade(self, params: UpgradeParams, report: Report) -> dict[str, Any]:
        """Check again, save configuration to the volume, keep clients out, stop the database, let go of it.

        Gives `upgrade_info`, a JSON object, which the new image's `post_upgrade` receives; its `read_back` is
        a ReadBack of what there was when nobody could change it any more. On any failure the database serves
        again before the error is raised. It ends so, Failed with code `cancelled`, when a job of hook `start`
        is started: somebody wants the upgrade no more. Repeatable.
        """
        raise self._lacks("pre_upgrade")

    def post_upgrade(self, params: PostUpgradeParams, report: Report) -> dict[str, Any]:
        """Take the volume, put configuration in place, upgrade the data files, start with clients kept out,
        and check through the private socket. Hook `start` lets clients in afterwards.

        Fails when something that was there before the upgrade is missing, a setting is not as it was or a
        blocking probe does not pass. Fails with code `untouched` when the old image can still serve the data
        files as they are. In the answer `read_back` is a ReadBack, `findings` tells what differs, `probes`
        what came of each. Repeatable after a crash at any point.
        """
        raise self._lacks("post_upgrade")

    def come_back(self, params: ComeBackParams, report: Report) -> dict[str, Any]:
        """Serve again on the old image, after the server was rebuilt onto it and perhaps the volume put back
        to a snapshot: undo what a half-done upgrade left, start, check, and only then let clients in.

        Fails, and touches nothing, when only a snapshot helps: a newer version has worked in these data
        files, or clients have written to converted copies of them. `read_back` in the answer is a ReadBack
        from before clients were let in. Repeatable after a crash at any point.
        """
        raise self._lacks("come_back")

    def apply_configuration(self, params: ConfigurationParams, report: Report) -> dict[str, Any]:
        """Put all values that users set in place of those before, and have the running database heed them.

        Gives a ConfigurationApplied. When the database refuses one, nothing has changed, and the error names
        the parameter; BadRequest for one that is fixed. Repeatable.
        """
        raise self._lacks("apply_configuration")

    def settle(self, report: Report) -> dict[str, Any]:
        """What an upgrade leaves for when clients are served again: statistics, old files.

        It ends, Failed with code `cancelled`, as soon as another job is started. Repeatable.
        """
        return {}

    # -- calls ------------------------------------------------------------------------------------------

    def status(self) -> DatabaseStatus:
        """Tell how the database is, by asking it; never raises for a database that is down."""
        raise self._lacks("status")

    def check_upgrade(self, params: UpgradeParams) -> UpgradeCheck:
        """Gather everything that stands in the way of the upgrade, with the database up; changes nothing."""
        raise self._lacks("check_upgrade")

    def read_back(self) -> ReadBack:
        """Read from the running database what it is, for verification."""
        raise self._lacks("read_back")

    def run_probes(self, params: ProbesParams) -> ProbesAnswer:
        """Put queries with expected answers to the database, each in a read-only transaction of a few
        seconds; one that can't be put has not passed.
        """
        raise self._lacks("run_probes")

    def resized(self, ram: int) -> None:
        """Hear that the server has `ram` MiB from now on; what follows from it does so at the next start.
        Repeatable.
        """
        raise self._lacks("resized")

    def grow_volume(self) -> None:
        """Have the volume's file system take up the room that the volume has got, with the database up.
        Repeatable.
        """
        raise self._lacks("grow_volume")

    def list_databases(self) -> list[DatabaseSpec]:
        """List the databases that are the user's, sorted by name."""
        raise self._lacks("list_databases")

    def create_databases(self, databases: list[DatabaseSpec]) -> None:
        """Make databases; BadRequest when one exists."""
        raise self._lacks("create_databases")

    def delete_database(self, name: str) -> None:
        """Drop a database, disconnecting who uses it; NotFound when it is missing."""
        raise self._lacks("delete_database")

    def list_users(self) -> list[UserSpec]:
        """List the users that are the user's, with the databases each may use, sorted by name."""
        raise self._lacks("list_users")

    def create_users(self, users: list[UserSpec]) -> None:
        """Make users; BadRequest when one exists or a database is unknown."""
        raise self._lacks("create_users")

    def update_user(self, name: str, host: str, change: UserSpec) -> None:
        """Rename a user or set its password (None means keep); NotFound when it is missing."""
        raise self._lacks("update_user")

    def delete_user(self, name: str, host: str) -> None:
        """Drop a user, giving what it owns to the administrator; NotFound when it is missing."""
        raise self._lacks("delete_user")

    def grant(self, name: str, host: str, databases: list[str]) -> None:
        """Let a user use databases. Repeatable."""
        raise self._lacks("grant")

    def revoke(self, name: str, host: str, database: str) -> None:
        """Take that back; NotFound when there was no such grant."""
        raise self._lacks("revoke")

    def root_enabled(self) -> bool:
        """Tell whether the superuser may log in over the network."""
        raise self._lacks("root_enabled")

    def enable_root(self, password: str) -> UserSpec:
        """Let the superuser in over the network with this password. Repeatable."""
        raise self._lacks("enable_root")

    def disable_root(self) -> None:
        """Shut the superuser out; NotFound when it was never let in."""
        raise self._lacks("disable_root")

    def _lacks(self, hook: str) -> NotSupported:
        return NotSupported(f"Datastore {self.name or type(self).__name__} has no hook {hook}")


class Guest(Protocol):
    """What an agent gives to its datastore: where things are on this server, and what was injected."""

    @property
    def root(self) -> str:
        """The server's root directory; "/" on a whole system."""

    @property
    def volume(self) -> str:
        """Where the data volume is mounted."""

    @property
    def address(self) -> str:
        """The address that the database listens on."""

    @property
    def port(self) -> int:
        """The port that the database listens on."""

    @property
    def instance_id(self) -> str:
        """Whose database this is."""

    @property
    def facts(self) -> Mapping[str, str]:
        """All of guest_info.conf, such as `ram` (MiB)."""

    @property
    def manifest(self) -> Manifest:
        """What this server's image is."""

    def take_volume(self, *, new: bool = False, patience: float = ...) -> None:
        """Mount the data volume, waiting for it to appear. Raises GuestError. Repeatable.

        A blank one is formatted only when it is to be `new`.
        """

    def check_volume(self) -> None:
        """Look whether the data volume is in place, at once. Raises GuestError."""

    def release_volume(self) -> None:
        """Let go of the data volume. Repeatable."""

    def grow_volume(self) -> None:
        """Have the volume's file system take up the volume's room. Raises GuestError. Repeatable."""

    def resize(self, ram: int) -> None:
        """Note that the server has `ram` MiB. Repeatable."""

    @property
    def volume_is_released(self) -> bool:
        """Tell whether the data volume was let go of: until it is taken again, nothing looks at it."""
