"""The cells of the suite with real parts: what may strike, where, and how a struck story ends well."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import fault_rows
import pytest
from fault_rows import Row
from real_tales import OLD, TALES, RealTale, Stage, mark
from striking_plane import FAULTS

from instar.client.errors import NotFound, OperationFailed
from instar.wire.rest import Operation
from real_control_plane import TIMEOUT
from real_engines import Engine
from real_instance import RealInstance
from waiting import until

TAKEN_OVER = "operation taken over by another worker"


@dataclass(frozen=True)
class RealCell:
    """One fault at one moment of one step."""

    tale: RealTale
    step: str
    moment: str
    fault: str

    def __str__(self) -> str:
        return f"{self.tale.name}-{self.place}-{self.fault}".replace(" ", "_").replace(",", "")

    @property
    def place(self) -> str:
        """The step, and the moment in it where that is not its entry."""
        return self.step if self.moment == "entry" else f"{self.step}: {self.moment or 'job under way'}"


JOBS = {"prepare", "pre_upgrade", "post_upgrade", "come_back", "leave", "restart", "tidy", "apply"}
"""Steps that have the guest run a job that takes its time."""
MOMENTS = {
    ("postgresql", "upgrade, major", "post_upgrade"): ("pg_upgrade",),
    ("mariadb", "upgrade, major", "post_upgrade"): ("bringing system tables up to date",),
}
"""Moments of a job that matter most: its message then has these words."""


def cells_of(tale: RealTale, engine: Engine) -> list[RealCell]:
    """List a story's cells."""

    def own(step: str) -> tuple[str, ...]:
        return MOMENTS.get((engine.datastore, tale.name, step), ())

    moments = {step: ("entry", *([""] if step in JOBS else []), *own(step)) for step in tale.steps}
    return [
        RealCell(tale, step, moment, fault)
        for fault in FAULTS
        for step in tale.steps
        for moment in moments[step]
    ]


def interleaved(engine: Engine) -> list[RealCell]:
    """Put an undo behind each upgrade, so that most stories find their instance as they want it."""
    by_name = {tale.name: cells_of(tale, engine) for tale in TALES}
    pairs = [("upgrade, same release", "undo, same release"), ("upgrade, major", "undo, major")]
    order = [
        cell
        for pair in pairs
        for two in zip_longest(*(by_name.pop(name) for name in pair))
        for cell in two
        if cell
    ]
    return [*order, *(cell for cells in by_name.values() for cell in cells)]


def marked(cells: list[RealCell], representative: set[tuple[str, str, str, str]]) -> list[Any]:
    """Have the representative ones (story, step, moment, fault) run always, the others when asked for."""
    names = {(cell.tale.name, cell.step, cell.moment, cell.fault): cell for cell in cells}
    assert names.keys() >= representative
    return [
        pytest.param(cell, id=str(cell), marks=[] if name in representative else [pytest.mark.crash_all])
        for name, cell in names.items()
    ]


def strike(stage: Stage, cell: RealCell, where: str) -> None:
    """Tell the story, strike in it, and see that it ends well; the row tells of it under the name `where`."""
    stage.plane.ensure_running()
    instance = cell.tale.before(stage)
    stage.plane.order(cell.tale.kind, cell.step, cell.moment)
    with instance.written_to() if cell.tale.is_written_to else nullcontext():
        operation = cell.tale.begin(stage, instance)
        missed = stage.plane.strike(cell.fault, instance, operation)
        operation, ways = way_to_the_end(stage, cell, instance, operation)
        thaw(stage)
    found = check(stage, cell, instance)
    end = "; ".join(filter(None, [", ".join([found, *ways]), missed]))
    seconds = operation.downtime_seconds
    fault_rows.write(Row(where, cell.tale.name, cell.place, cell.fault, end, seconds=seconds))


def way_to_the_end(
    stage: Stage, cell: RealCell, instance: RealInstance, operation: Operation
) -> tuple[Operation, list[str]]:
    """Follow a story to its end: what failed is resumed, what was refused is asked for again."""
    ways: list[str] = []
    while True:
        operation = end_of(stage, operation)
        status = "gone" if cell.tale.gone and operation.state == "SUCCEEDED" else instance.shown.status
        if operation.state == cell.tale.state and status != "ERROR":
            return operation, ways
        assert len(ways) < 3, (ways, operation.error)
        if status == "ERROR":
            assert "resume" in operation.verbs, operation
            until(lambda: instance.agents() or cell.step == "server", TIMEOUT)
            operation = stage.plane.client.operations.resume(operation)
            ways.append("resumed")
        else:
            until(instance.is_healthy, TIMEOUT)
            operation = cell.tale.begin(stage, instance)
            ways.append("asked for again")


def end_of(stage: Stage, operation: Operation) -> Operation:
    """Wait for an operation's end, whichever it is."""
    try:
        return stage.plane.client.operations.wait(operation, TIMEOUT)
    except OperationFailed as failed:
        return failed.operation


def thaw(stage: Stage) -> None:
    """Have a frozen worker go on, and find that it has lost what it had, if not its life."""
    if stage.plane.frozen is None:
        return
    log = stage.plane.home / "worker.log"
    before = log.read_text().count(TAKEN_OVER)
    if stage.plane.thaw():
        until(lambda: log.read_text().count(TAKEN_OVER) > before, TIMEOUT)


def check(stage: Stage, cell: RealCell, instance: RealInstance) -> str:
    """Read back record, machine and data; gives the end in words."""
    tale = cell.tale
    if tale.gone:
        with pytest.raises(NotFound):
            assert instance.shown.status == "DELETED"
        until(lambda: instance.processes() == [] and not instance.servers and not instance.volume.exists())
        stage.instance = None
        return "gone"
    until(instance.is_one_of_each, TIMEOUT)
    until(instance.is_healthy, TIMEOUT)
    shown = instance.shown
    version = stage.version(tale.release)
    assert (shown.status, shown.fault, instance.version) == ("ACTIVE", None, version)
    assert instance.ask(instance.engine.is_old) == [tale.release == OLD]
    if tale.name == "create":
        mark(instance)
        stage.plane.client.instances.delete(instance.id)
    else:
        assert instance.ask("SELECT count(*) > 0 FROM marks") == [True]
        assert snapshots(instance) in tale.snapshots
        until(lambda: stage.plane.leaked() == [], TIMEOUT)  # what was deleted goes in the background
    return f"ACTIVE on {version}"


def snapshots(instance: RealInstance) -> int:
    """Count the snapshots of an instance's volume."""
    record = json.loads((instance.volume.parent / "volume.json").read_text())
    return len(record["snapshots"])
