"""The stories that faults strike in, with real machines: what comes before, how each begins and ends."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from striking_plane import StrikingPlane

from access import tell
from guest_images import Images
from instar.client.errors import OperationFailed
from instar.control.engine.outcomes import Step
from instar.control.operations import ways_back
from instar.control.operations.context import Context
from instar.control.operations.planning import strategies
from instar.control.operations.stories import STORIES
from instar.wire.rest import Operation
from instar.wire.states import OperationState
from real_control_plane import TIMEOUT
from real_engines import Engine
from real_instance import DATABASE, RealInstance
from waiting import until

OLD, NEW = "old", "new"
"""Two releases of an engine, whatever their versions are called."""


@dataclass
class Stage:
    """A control plane, and the instance that the last story left."""

    plane: StrikingPlane
    images: Images
    instance: RealInstance | None = None

    @property
    def engine(self) -> Engine:
        """The engine of all instances."""
        return self.images.engine

    def version(self, release: str) -> str:
        """Give the name of a release's version."""
        return {OLD: self.engine.old, NEW: self.engine.new}[release]

    def at_rest(self) -> RealInstance:
        """Give an instance that serves on the old release, the last story's where that is one."""
        self.plane.ensure_running()
        self.plane.withdraw()
        self.plane.use_image(self.engine.old, self.images.old.digest)
        self.plane.wait_until_idle()
        if self.instance is not None and not self._is_as_new(self.instance):
            self.plane.client.instances.delete(self.instance.id)
            self.instance = None
        self.instance = self.instance or self.new(wait=True)
        mark(self.instance)
        return self.instance

    def new(self, *, wait: bool = False) -> RealInstance:
        """Create an instance."""
        return RealInstance.create(self.plane, name="struck", wait=wait)

    def upgraded(self, release: str) -> RealInstance:
        """Give an instance that was upgraded, and can go back."""
        last, version = self.instance, self.version(release)
        if last and last.shown.status == "ACTIVE" and last.version == version and last.shown.undo:
            return last
        instance = self.at_rest()
        self.plane.wait(upgrades(release)(self, instance))
        return instance

    def refused_by_probe(self) -> RealInstance:
        """Give an instance with a probe that holds before an upgrade to the new release, and not after."""
        instance = self.at_rest()
        self.plane.client.probes.create(
            instance.id, "release", database=DATABASE, sql=self.engine.is_old, expected="1"
        )
        return instance

    def broken(self) -> RealInstance:
        """Give an instance whose upgrade to the new release ended in ERROR."""
        instance = self.refused_by_probe()
        with suppress(OperationFailed):
            self.plane.wait(upgrades(NEW)(self, instance))
        assert instance.shown.status == "ERROR"
        return instance

    def held(self, step: str) -> RealInstance:
        """Give an instance whose upgrade to the new release stands still before a step."""
        instance = self.at_rest()
        self.plane.order("upgrade", step)
        upgrades(NEW)(self, instance)
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
        return instance.version == self.engine.old and instance.shown.undo is None


def mark(instance: RealInstance) -> None:
    """Write what must be there whatever happens."""
    tell(
        instance.access(),
        "CREATE TABLE IF NOT EXISTS marks (at timestamp NOT NULL)",
        "INSERT INTO marks VALUES (now())",
    )


Begin = Callable[[Stage, RealInstance], Operation]


def upgrades(release: str, **options: str) -> Begin:
    """Begin an upgrade; the old release means its other image."""

    def begin(stage: Stage, instance: RealInstance) -> Operation:
        version = stage.version(release)
        if release == OLD:
            stage.plane.use_image(version, stage.images.new_agent.digest)
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
        engine = stage.engine
        name, value, _ = engine.setting
        group = group or client.create("web", {name: value}, datastore=engine.datastore, version=engine.old)
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
    release: str = OLD
    state: OperationState = OperationState.SUCCEEDED
    snapshots: tuple[int, ...] = (0,)
    is_written_to: bool = True
    gone: bool = False


def _names(steps: tuple[Step[Context], ...], until: str | None = None) -> tuple[str, ...]:
    names = tuple(step.name for step in steps)
    return names[: names.index(until) + 1] if until else names


UPGRADE = STORIES["upgrade"]
REBUILDING = strategies.steps_of("rebuild", UPGRADE.steps)
START_AGAIN, RETURN, _ = UPGRADE.ways_back
assert RETURN[: len(ways_back.RETURN)] == ways_back.RETURN
FAILED = OperationState.FAILED


def _steps(kind: str) -> tuple[str, ...]:
    return _names(STORIES[kind].steps)


TALES = (
    RealTale("create", "create", _steps("create"), lambda stage: stage.new(), creates, is_written_to=False),
    RealTale("configure", "configure", _steps("configure"), Stage.at_rest, configures),
    RealTale("restart", "restart", _steps("restart"), Stage.at_rest, restarts),
    RealTale("upgrade, same release", "upgrade", _names(REBUILDING), Stage.at_rest, upgrades(OLD),
             snapshots=(0, 1)),
    RealTale("undo, same release", "rollback", _steps("rollback"), lambda stage: stage.upgraded(OLD),
             undoes),
    RealTale("upgrade, major", "upgrade", _names(REBUILDING), Stage.at_rest, upgrades(NEW), NEW,
             snapshots=(1,)),
    RealTale("undo, major", "rollback", _steps("rollback"), lambda stage: stage.upgraded(NEW), undoes,
             is_written_to=False),
    RealTale("upgrade that fails and goes back", "upgrade",
             _names(REBUILDING, until="post_upgrade") + _names(RETURN), Stage.refused_by_probe,
             upgrades(NEW, on_failure="rollback"), state=FAILED),
    RealTale("rollback of a failed upgrade", "upgrade", _names(RETURN), Stage.broken, rolls_back,
             state=FAILED, is_written_to=False),
    RealTale("abort before the rebuild", "upgrade", _names(START_AGAIN), lambda stage: stage.held("snapshot"),
             aborts, state=FAILED, is_written_to=False),
    RealTale("abort after the rebuild", "upgrade", _names(RETURN), lambda stage: stage.held("post_upgrade"),
             aborts, state=FAILED, is_written_to=False),
    RealTale("delete", "delete", _steps("delete"), Stage.at_rest, deletes, is_written_to=False, gone=True),
)  # fmt: skip
