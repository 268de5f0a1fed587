"""Every story, struck at every point by every fault, in one process: each ends as if nothing had happened."""

from collections.abc import Iterable
from typing import Any

import fault_rows
import picture
import pytest
from cells import GENTLE, REFUSED, Cell, all_cells, rehearse
from fault_rows import Row
from life_stories import TALES, Tale
from small_world import CALLER, SmallWorld, small_world
from taps import Killed, Tap, passing_error, refusal

from instar.control.operations import close_undo, resume, turn_back
from instar.control.operations.stories import STORIES

CELLS = tuple(all_cells())


def marked(cells: Iterable[Cell]) -> list[Any]:
    """Have the cells run always, but for the gentler faults of stories that differ in the strategy alone."""
    return [
        pytest.param(
            cell,
            id=str(cell),
            marks=[pytest.mark.crash_all] if "replace" in cell.tale.name and cell.fault in GENTLE else [],
        )
        for cell in cells
    ]


@pytest.mark.parametrize("tale", TALES, ids=lambda tale: tale.name)
def test_a_story_ends_as_stated(tale: Tale) -> None:
    seen = rehearse(tale).seen
    record, machine = seen["record"], seen["machine"]
    assert seen["leaks"] == []
    assert (record["status"], record["fault"], record["version"]) == (tale.end.status, None, tale.end.version)
    assert record["undo"][0] == tale.end.undoable
    if tale.end.gone:
        assert (machine["server"], machine["snapshots"], machine["port"], machine["guest"]) == (
            None,
            None,
            False,
            None,
        )
        return
    assert machine["server"] == (record["image"], True, False, True)
    assert machine["at"], "the instance's server has the instance's port"
    old = (record["image"], False, True, False, "") if tale.end.kept else None
    assert (machine["kept"] and machine["kept"][1:]) == (old and old[1:])
    assert machine["guest"] == (tale.end.running, record["image"], tale.end.serves)
    assert machine["database"][:2] == (tale.end.running, tale.end.written)
    assert machine["snapshots"] == tale.end.snapshots
    assert record["engine_version"] == tale.end.running


@pytest.mark.parametrize("cell", marked(cell for cell in CELLS if cell.fault != REFUSED))
def test_a_struck_story_ends_as_if_nothing_had_happened(cell: Cell) -> None:
    rehearsal = rehearse(cell.tale)
    with small_world(rehearsal.kept[cell.point.step]) as world:
        run(world, cell)
        assert world.operation(rehearsal.operation_id).state == cell.tale.end.state
        assert picture.take(world, rehearsal.instance_id) == rehearsal.seen
        twice = picture.deeds(world, rehearsal.instance_id) - rehearsal.deeds
        assert twice == {}, "done or told more often than when nothing happens"
    fault_rows.write(row(cell, rehearsal.end, ""))


def run(world: SmallWorld, cell: Cell) -> None:
    """Run the rest of a story, with the fault striking at its point."""
    tap = Tap(armed=cell.point)
    tap.strike = lambda: strike(world, cell)
    try:
        world.drive(world.worker(tap))
    except Killed:
        world.settle()
    assert tap.armed is None, "the point was not passed"


def strike(world: SmallWorld, cell: Cell) -> None:
    """Do what the fault does; a frozen worker goes on when another one has done all that there was to do."""
    match cell.fault:
        case "killed":
            raise Killed
        case "frozen":
            world.settle()
        case "lost answer" | "passing":
            raise passing_error(cell.point.room)
        case "refused":
            raise refusal(cell.point.room)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.fault == REFUSED], ids=str)
def test_what_was_refused_leaves_a_way_on(cell: Cell) -> None:
    rehearsal = rehearse(cell.tale)
    with small_world(rehearsal.kept[cell.point.step]) as world:
        run(world, cell)
        instance_id, way = rehearsal.instance_id, ""
        if world.instance(instance_id).status == "ERROR":
            assert verbs(world, rehearsal.operation_id)[:1] == ["resume"]
            resume.request(world.desk, CALLER, rehearsal.operation_id)
            world.settle()
            way = ", resumed"
        elif world.operation(rehearsal.operation_id).state != cell.tale.end.state:
            assert picture.leaks(world, world.instance(instance_id)) == []
            cell.tale.begin(world, instance_id)
            world.settle()
            way = ", asked for again"
        seen = picture.take(world, instance_id)
        if is_optional(cell):  # what could not be deleted is kept, until the closing of undo windows comes by
            seen["machine"]["snapshots"] = rehearsal.seen["machine"]["snapshots"]
            seen["record"]["window"] = rehearsal.seen["record"]["window"]
            seen["leaks"] = left_when_windows_are_closed(world, instance_id)
        assert seen == rehearsal.seen
    fault_rows.write(row(cell, rehearsal.end, way))


def left_when_windows_are_closed(world: SmallWorld, instance_id: str) -> list[str]:
    world.leaps.leapt += 7 * 86400
    close_undo.close_due(world.house.store)
    world.settle()
    return picture.leaks(world, world.instance(instance_id))


def row(cell: Cell, end: str, way: str) -> Row:
    return Row("fake", cell.tale.name, cell.point.step, cell.fault, f"{end}{way}")


def is_optional(cell: Cell) -> bool:
    """Tell whether the step's failure is told of, and the story goes on."""
    found = [story.find(cell.point.step) for story in STORIES.values()]
    return any(step is not None and step.optional for step in found)


def verbs(world: SmallWorld, operation_id: str) -> list[str]:
    with world.house.store.read() as session:
        return turn_back.verbs(session, session.get_one(turn_back.Operation, operation_id))
