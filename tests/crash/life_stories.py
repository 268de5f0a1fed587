"""The stories that faults strike in: what happens before, how each is begun, and its only right end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from small_world import CALLER, SmallWorld

from instar.control.operations import (
    access,
    attachment,
    close_undo,
    create,
    delete,
    force_delete,
    groups,
    reboot,
    resize,
    resize_volume,
    restart,
    rollback,
    stop,
    turn_back,
    undo_window,
    upgrade,
)
from instar.control.store.tables import Operation
from instar.wire import rest
from instar.wire.errors import GuestError, ProviderError
from instar.wire.plans import UpgradeOptions


@dataclass(frozen=True)
class End:
    """Where a story leaves the record and the machine; `written` is what clients find in the database.

    `undoable` names the version that an undo would lead to, `kept` says that it would be by the old server.
    """

    state: str = "SUCCEEDED"
    status: str = "ACTIVE"
    version: str = "17.10"
    running: str = "17.10"
    snapshots: int = 0
    undoable: str | None = None
    written: tuple[str, ...] = ("shop", "early")
    gone: bool = False
    serves: bool = True
    kept: bool = False


@dataclass(frozen=True)
class Tale:
    """A story to be struck: `before` makes the instance, `begin` submits and gives the operation's id."""

    name: str
    begin: Callable[[SmallWorld, str], str]
    end: End
    before: Callable[[SmallWorld], str]


def serving(world: SmallWorld) -> str:
    """Make an instance of 17.10 that a client has written to."""
    instance_id = create.request(world.desk, CALLER, WANTED).instance_id
    world.settle()
    write(world, instance_id, "early")
    return instance_id


WANTED = rest.CreateInstance.model_validate(
    {
        "name": "demo",
        "flavorRef": "1",
        "volume": {"size": 1},
        "datastore": {"type": "postgresql", "version": "17.10"},
        "databases": [{"name": "shop"}],
    }
)


def write(world: SmallWorld, instance_id: str, name: str) -> None:
    """Have a client write."""
    world.guests.databases[instance_id].databases.append(name)


def upgrades(version: str, **options: Any) -> Callable[[SmallWorld, str], str]:
    """Begin an upgrade."""

    def begin(world: SmallWorld, instance_id: str) -> str:
        chosen = UpgradeOptions(**options)
        return upgrade.request(world.desk, CALLER, instance_id, version, chosen).operation_id

    return begin


def fails_to_upgrade(
    version: str, hook: str = "post_upgrade", **options: Any
) -> Callable[[SmallWorld, str], str]:
    """Begin an upgrade whose guest fails for good."""

    def begin(world: SmallWorld, instance_id: str) -> str:
        world.guests.failing[hook] = GuestError("The database refuses its configuration")
        return upgrades(version, **options)(world, instance_id)

    return begin


def gets_no_snapshot(world: SmallWorld, instance_id: str) -> str:
    """Begin an upgrade of a volume that there is no room to snapshot."""
    world.provider.dials.fail_always("snapshot_volume", ProviderError("There is no room"))
    return upgrades("18.6")(world, instance_id)


def gets_no_standby(world: SmallWorld, instance_id: str) -> str:
    """Begin an upgrade whose new server can't be made."""
    world.provider.dials.fail_always("ensure_server", ProviderError("No host has room for it"))
    return upgrades("18.6", **REPLACE)(world, instance_id)


def upgraded(version: str, **options: Any) -> Callable[[SmallWorld], str]:
    """Make an instance that was upgraded, and written to since."""

    def before(world: SmallWorld) -> str:
        instance_id = serving(world)
        upgrades(version, **options)(world, instance_id)
        world.settle()
        write(world, instance_id, "late")
        return instance_id

    return before


def broken(version: str, **options: Any) -> Callable[[SmallWorld], str]:
    """Make an instance whose upgrade ended in ERROR."""

    def before(world: SmallWorld) -> str:
        instance_id = serving(world)
        fails_to_upgrade(version, **options)(world, instance_id)
        world.settle()
        return instance_id

    return before


def undoes(world: SmallWorld, instance_id: str) -> str:
    """Begin to undo the last upgrade, accepting what that loses."""
    kept = world.instance(instance_id).undo or {}
    since = kept.get("snapshot_at")
    return rollback.request(world.desk, CALLER, instance_id, discard_writes_since=since).operation_id


def last_operation(world: SmallWorld, instance_id: str) -> str:
    """Name the instance's newest operation."""
    with world.house.store.read() as session:
        rows = session.query(Operation).where(Operation.instance_id == instance_id)
        return rows.order_by(Operation.created.desc()).first().id


def rolls_back(world: SmallWorld, instance_id: str) -> str:
    """Have an operator lead a failed upgrade back."""
    operation_id = last_operation(world, instance_id)
    return turn_back.roll_back(world.desk, CALLER, operation_id).operation_id


def held_at(step: str, hold: Callable[[SmallWorld], None], **options: Any) -> Callable[[SmallWorld], str]:
    """Make an instance whose upgrade to 18.6 does not get beyond a step, for now."""

    def before(world: SmallWorld) -> str:
        instance_id = serving(world)
        hold(world)
        operation_id = upgrades("18.6", **options)(world, instance_id)
        standing = lambda: world.operation(operation_id)  # noqa: E731
        world.drive(world.worker(), lambda: (standing().cursor, standing().reason != "") == (step, True))
        return instance_id

    return before


def withholds(verb: str) -> Callable[[SmallWorld], None]:
    """Have a verb of the provider's fail in passing."""
    error = ProviderError("Come back later", retryable=True)
    return lambda world: world.provider.dials.fail_always(verb, error)


def falls_silent(world: SmallWorld) -> None:
    """Have the guest fail in passing when it is to upgrade the data."""
    world.guests.failing["post_upgrade"] = GuestError("Come back later", retryable=True)


def aborts(world: SmallWorld, instance_id: str) -> str:
    """Have an operator abort the open upgrade; what held it up is over."""
    operation_id = last_operation(world, instance_id)
    turn_back.abort(world.desk, CALLER, operation_id)
    world.provider.dials.always.clear()
    world.guests.failing.clear()
    return operation_id


def attaches(world: SmallWorld, instance_id: str) -> str:
    """Attach a configuration group."""
    wanted = rest.NewConfiguration.model_validate(
        {"name": "web", "values": {"work_mem": 8192}, "datastore": {"type": "postgresql", "version": "17.10"}}
    )
    group = groups.create(world.desk, CALLER, wanted)
    return attachment.attach(world.desk, CALLER, instance_id, group).operation_id


def closes_window(world: SmallWorld, instance_id: str) -> str:
    """Have the undo window closed, as its time is over."""
    world.leaps.leapt += 3600
    assert close_undo.close_due(world.house.store) == 1
    return last_operation(world, instance_id)


def beyond_window(**options: Any) -> Callable[[SmallWorld], str]:
    """Make an upgraded instance whose undo window is over."""

    def before(world: SmallWorld) -> str:
        instance_id = serving(world)
        undo_window.request(world.desk, CALLER, instance_id, 0)
        upgrades("18.6", **options)(world, instance_id)
        world.settle()
        return instance_id

    return before


def creates(world: SmallWorld, instance_id: str) -> str:
    """Begin to create an instance."""
    return create.request(world.desk, CALLER, WANTED).operation_id


def deletes(world: SmallWorld, instance_id: str) -> str:
    """Begin to delete an instance."""
    return delete.request(world.desk, CALLER, instance_id).operation_id


def restarts(world: SmallWorld, instance_id: str) -> str:
    """Begin to restart a database."""
    return restart.request(world.desk, CALLER, instance_id).operation_id


def reboots(world: SmallWorld, instance_id: str) -> str:
    """Begin to reboot a server."""
    return reboot.request(world.desk, CALLER, instance_id).operation_id


def resizes(world: SmallWorld, instance_id: str) -> str:
    """Begin to give a server another size."""
    return resize.request(world.desk, CALLER, instance_id, "2").operation_id


def fails_to_resize(world: SmallWorld, instance_id: str) -> str:
    """Begin to give a server another size, on which its machine is not known to the provider."""
    world.provider.dials.fail_always("inspect_volume", ProviderError("Nobody knows"))
    return resizes(world, instance_id)


def grows(world: SmallWorld, instance_id: str) -> str:
    """Begin to have a volume grow."""
    return resize_volume.request(world.desk, CALLER, instance_id, 3).operation_id


def stops(world: SmallWorld, instance_id: str) -> str:
    """Begin to stop a database."""
    return stop.request(world.desk, CALLER, instance_id).operation_id


def rebuilds(world: SmallWorld, instance_id: str) -> str:
    """Begin to put the version's image onto an instance again."""
    return upgrade.request(world.desk, CALLER, instance_id, None, UpgradeOptions()).operation_id


def deletes_by_force(world: SmallWorld, instance_id: str) -> str:
    """Begin to delete an instance with its open upgrade; what held that up is over."""
    world.provider.dials.always.clear()
    return force_delete.request(world.desk, CALLER, instance_id).operation_id


def limits(world: SmallWorld, instance_id: str) -> str:
    """Begin to let in others than before."""
    wanted = rest.Access(allowed_cidrs=["10.0.0.0/8"])
    submitted = access.request(world.desk, CALLER, instance_id, wanted)
    assert submitted is not None
    return submitted.operation_id


LATE = ("shop", "early", "late")
REPLACE: dict[str, Any] = {"strategy": "replace"}
BACK = End(state="FAILED")
TALES = (
    Tale("create", creates, End(written=("shop",)), lambda world: ""),
    Tale("upgrade-same", upgrades("17.11"),
         End(version="17.11", running="17.11", snapshots=1, undoable="17.10"), serving),
    Tale("upgrade-major", upgrades("18.6"),
         End(version="18.6", running="18.6", snapshots=1, undoable="17.10"), serving),
    Tale("upgrade-again", upgrades("18.6"),
         End(version="18.6", running="18.6", snapshots=1, undoable="17.11", written=LATE), upgraded("17.11")),
    Tale("upgrade-same-fails", fails_to_upgrade("17.11", on_failure="rollback"), BACK, serving),
    Tale("upgrade-major-fails", fails_to_upgrade("18.6", on_failure="rollback"), BACK, serving),
    Tale("snapshot-fails", gets_no_snapshot, BACK, serving),
    Tale("abort-at-stage", aborts, BACK, held_at("stage", withholds("stage"))),
    Tale("abort-at-snapshot", aborts, BACK, held_at("snapshot", withholds("snapshot_volume"))),
    Tale("abort-at-rebuild", aborts, BACK, held_at("rebuild", withholds("rebuild_server"))),
    Tale("abort-at-post_upgrade", aborts, BACK, held_at("post_upgrade", falls_silent)),
    Tale("rollback-same", rolls_back, BACK, broken("17.11")),
    Tale("rollback-major", rolls_back, BACK, broken("18.6")),
    Tale("undo-same", undoes, End(written=LATE), upgraded("17.11")),
    Tale("undo-major", undoes, End(), upgraded("18.6")),
    Tale("close-window", closes_window, End(version="18.6", running="18.6"), beyond_window()),
    Tale("replace-same", upgrades("17.11", **REPLACE),
         End(version="17.11", running="17.11", snapshots=1, undoable="17.10", kept=True), serving),
    Tale("replace-major", upgrades("18.6", **REPLACE),
         End(version="18.6", running="18.6", snapshots=1, undoable="17.10", kept=True), serving),
    Tale("replace-again", upgrades("18.6", **REPLACE),
         End(version="18.6", running="18.6", snapshots=1, undoable="17.11", written=LATE, kept=True),
         upgraded("17.11", **REPLACE)),
    Tale("rebuild-replaced", upgrades("18.6"),
         End(version="18.6", running="18.6", snapshots=1, undoable="17.11", written=LATE),
         upgraded("17.11", **REPLACE)),
    Tale("replace-same-fails", fails_to_upgrade("17.11", on_failure="rollback", **REPLACE), BACK, serving),
    Tale("replace-major-fails", fails_to_upgrade("18.6", on_failure="rollback", **REPLACE), BACK, serving),
    Tale("standby-fails", gets_no_standby, BACK, serving),
    Tale("abort-at-standby", aborts, BACK, held_at("standby", withholds("ensure_server"), **REPLACE)),
    Tale("abort-at-hand_over", aborts, BACK, held_at("hand_over", withholds("hand_over"), **REPLACE)),
    Tale("abort-after-hand_over", aborts, BACK, held_at("post_upgrade", falls_silent, **REPLACE)),
    Tale("rollback-replace-major", rolls_back, BACK, broken("18.6", **REPLACE)),
    Tale("undo-replace-same", undoes, End(written=LATE), upgraded("17.11", **REPLACE)),
    Tale("undo-replace-major", undoes, End(), upgraded("18.6", **REPLACE)),
    Tale("close-window-replaced", closes_window, End(version="18.6", running="18.6"),
         beyond_window(**REPLACE)),
    Tale("force-delete-at-hand_over", deletes_by_force, End(status="DELETED", gone=True),
         held_at("hand_over", withholds("hand_over"), **REPLACE)),
    Tale("delete-replaced", deletes,
         End(status="DELETED", version="18.6", undoable="17.10", gone=True), upgraded("18.6", **REPLACE)),
    Tale("configure", attaches, End(), serving),
    Tale("restart", restarts, End(), serving),
    Tale("reboot", reboots, End(), serving),
    Tale("resize", resizes, End(), serving),
    Tale("resize-fails", fails_to_resize, BACK, serving),
    Tale("resize-volume", grows, End(), serving),
    Tale("stop", stops, End(serves=False), serving),
    Tale("rebuild", rebuilds, End(snapshots=1, undoable="17.10"), serving),
    Tale("force-delete", deletes_by_force, End(status="DELETED", gone=True),
         held_at("rebuild", withholds("rebuild_server"))),
    Tale("access", limits, End(), serving),
    Tale("delete", deletes, End(status="DELETED", gone=True), serving),
    Tale("delete-upgraded", deletes,
         End(status="DELETED", version="18.6", undoable="17.10", gone=True), upgraded("18.6")),
)  # fmt: skip
