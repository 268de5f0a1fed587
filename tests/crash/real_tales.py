"""The stories that faults strike in, with real machines: what comes before, how each begins and ends."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from striking_plane import StrikingPlane

from guest_images import Images
from instar.client.errors import OperationFailed
from instar.control.engine.outcomes import Step
from instar.control.operations import ways_back
from instar.control.operations.context import Context
from instar.control.operations.stories import STORIES
from instar.wire.rest import Operation
from instar.wire.states import OperationState
from real_control_plane import TIMEOUT
from real_instance import DATABASE, USER, RealInstance
from waiting import until

PROBE = {
    "database": DATABASE,
    "sql": "SELECT current_setting('server_version_num')::int < 180000",
    "expected": "t",
}
"""Holds before an upgrade to 18 and not after it."""


@dataclass
class Stage:
    """A control plane, and the instance that the last story left."""

    plane: StrikingPlane
    images: Images
    instance: RealInstance | None = None

    def at_rest(self) -> RealInstance:
        """Give an instance that serves on 17.10, the last story's where that is one."""
        self.plane.ensure_running()
        self.plane.withdraw()
        self.plane.use_image("17.10", self.images.postgresql_17.digest)
        self.plane.wait_until_idle()
        if self.instance is not None and not self._is_as_new(self.instance):
            self.plane.client.instances.delete(self.instance.id)
            self.instance = None
        self.instance = self.instance or self.new(wait=True)
        mark(self.instance)
        return self.instance

    def new(self, *, wait: bool = False) -> RealInstance:
        """Create an instance."""
        password = secrets.token_urlsafe(12)
        made = self.plane.client.instances.create(
            "struck",
            flavor="1",
            volume_size=1,
            version="17.10",
            databases=[DATABASE],
            users=[{"name": USER, "password": password, "databases": [{"name": DATABASE}]}],
        )
        if wait:
            self.plane.wait((made.operation or {})["id"])
        return RealInstance(self.plane, made.id, password)

    def upgraded(self, version: str) -> RealInstance:
        """Give an instance that was upgraded, and can go back."""
        last = self.instance
        if last and last.shown.status == "ACTIVE" and last.version == version and last.shown.undo:
            return last
        instance = self.at_rest()
        self.plane.wait(upgrades(version)(self, instance))
        return instance

    def refused_by_probe(self) -> RealInstance:
        """Give an instance whose probe will not like 18."""
        instance = self.at_rest()
        self.plane.client.probes.create(instance.id, "release", **PROBE)
        return instance

    def broken(self) -> RealInstance:
        """Give an instance whose upgrade to 18.6 ended in ERROR."""
        instance = self.refused_by_probe()
        with suppress(OperationFailed):
            self.plane.wait(upgrades("18.6")(self, instance))
        assert instance.shown.status == "ERROR"
        return instance

    def held(self, step: str) -> RealInstance:
        """Give an instance whose upgrade to 18.6 stands still before a step."""
        instance = self.at_rest()
        self.plane.order("upgrade", step)
        upgrades("18.6")(self, instance)
        until(self.plane.reached, TIMEOUT)
        return instance

    def last_operation(self, instance: RealInstance) -> Operation:
        """Give the instance's newest operation."""
        return next(iter(self.plane.client.operations.list(instance.id)))

    def _is_as_new(self, instance: RealInstance) -> bool:
        """Bring the last instance back where it can be; tells whether it is as good as a new one."""
        shown = instance.shown
        if shown.status != "ACTIVE":
            return False
        for probe in self.plane.client.probes.list(instance.id):
            self.plane.client.probes.delete(instance.id, probe.name)
        if shown.undo and shown.undo.possible:
            self.plane.wait(undoes(self, instance))
        return instance.version == "17.10" and instance.shown.undo is None


def mark(instance: RealInstance) -> None:
    """Write what must be there whatever happens."""
    with instance.connect() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS marks (n serial)")
        connection.execute("INSERT INTO marks DEFAULT VALUES")


Begin = Callable[[Stage, RealInstance], Operation]


def upgrades(version: str, **options: str) -> Begin:
    """Begin an upgrade; the same version means its other image."""

    def begin(stage: Stage, instance: RealInstance) -> Operation:
        if version == "17.10":
            stage.plane.use_image(version, stage.images.postgresql_17_new_agent.digest)
        started = stage.plane.client.instances.upgrade(instance.id, version, **options)
        assert started
        return started

    return begin


def undoes(stage: Stage, instance: RealInstance) -> Operation:
    """Begin to undo, accepting what that loses."""
    kept = instance.shown.undo
    since = kept.loses_writes_since if kept else None
    started = stage.plane.client.instances.rollback(instance.id, discard_writes_since=since)
    assert started
    return started


def rolls_back(stage: Stage, instance: RealInstance) -> Operation:
    """Have an operator lead a failed upgrade back."""
    return stage.plane.client.operations.rollback(stage.last_operation(instance))


def aborts(stage: Stage, instance: RealInstance) -> Operation:
    """Have an operator abort the upgrade that stands still, and let it go."""
    operation = stage.plane.client.operations.abort(stage.last_operation(instance))
    held = stage.plane.reached()
    assert held
    held.unlink()
    return operation


def configures(stage: Stage, instance: RealInstance) -> Operation:
    """Attach a configuration group, or take it off again."""
    client = stage.plane.client.configurations
    if instance.shown.configuration:
        started = client.detach(instance.id)
    else:
        group = next((each for each in client.list() if each.name == "web"), None)
        group = group or client.create("web", {"work_mem": 8192}, version="17.10")
        started = client.attach(instance.id, group.id)
    assert started
    return started


def restarts(stage: Stage, instance: RealInstance) -> Operation:
    """Begin to restart a database."""
    started = stage.plane.client.instances.restart(instance.id)
    assert started
    return started


def deletes(stage: Stage, instance: RealInstance) -> Operation:
    """Begin to delete an instance."""
    started = stage.plane.client.instances.delete(instance.id)
    assert started
    return started


def creates(stage: Stage, instance: RealInstance) -> Operation:
    """Give the operation that creates an instance, begun already."""
    return stage.last_operation(instance)


@dataclass(frozen=True)
class RealTale:
    """A story: its operation's kind, the steps that it passes, and its end.

    `is_written_to`: a client writes throughout, and every write that was acknowledged must be found.
    """

    name: str
    kind: str
    steps: tuple[str, ...]
    before: Callable[[Stage], RealInstance]
    begin: Begin
    version: str = "17.10"
    running: str = "17.10"
    state: OperationState = OperationState.SUCCEEDED
    snapshots: tuple[int, ...] = (0,)
    is_written_to: bool = True
    gone: bool = False


def _names(steps: tuple[Step[Context], ...], until: str | None = None) -> tuple[str, ...]:
    names = tuple(step.name for step in steps)
    return names[: names.index(until) + 1] if until else names


UPGRADE = STORIES["upgrade"]
START_AGAIN, RETURN = UPGRADE.ways_back
assert RETURN[: len(ways_back.RETURN)] == ways_back.RETURN
FAILED = OperationState.FAILED


def _steps(kind: str) -> tuple[str, ...]:
    return _names(STORIES[kind].steps)


TALES = (
    RealTale("create", "create", _steps("create"), lambda stage: stage.new(), creates, is_written_to=False),
    RealTale("configure", "configure", _steps("configure"), Stage.at_rest, configures),
    RealTale("restart", "restart", _steps("restart"), Stage.at_rest, restarts),
    RealTale("upgrade, same release", "upgrade", _steps("upgrade"), Stage.at_rest, upgrades("17.10"),
             snapshots=(0, 1)),
    RealTale("undo, same release", "rollback", _steps("rollback"), lambda stage: stage.upgraded("17.10"),
             undoes),
    RealTale("upgrade, major", "upgrade", _steps("upgrade"), Stage.at_rest, upgrades("18.6"), "18.6", "18.6",
             snapshots=(1,)),
    RealTale("undo, major", "rollback", _steps("rollback"), lambda stage: stage.upgraded("18.6"), undoes,
             is_written_to=False),
    RealTale("upgrade that fails and goes back", "upgrade",
             _names(UPGRADE.steps, until="post_upgrade") + _names(RETURN), Stage.refused_by_probe,
             upgrades("18.6", on_failure="rollback"), state=FAILED),
    RealTale("rollback of a failed upgrade", "upgrade", _names(RETURN), Stage.broken, rolls_back,
             state=FAILED, is_written_to=False),
    RealTale("abort before the rebuild", "upgrade", _names(START_AGAIN), lambda stage: stage.held("snapshot"),
             aborts, state=FAILED, is_written_to=False),
    RealTale("abort after the rebuild", "upgrade", _names(RETURN), lambda stage: stage.held("post_upgrade"),
             aborts, state=FAILED, is_written_to=False),
    RealTale("delete", "delete", _steps("delete"), Stage.at_rest, deletes, is_written_to=False, gone=True),
)  # fmt: skip
