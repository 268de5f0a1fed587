"""Every cell there is: each story struck at each of its points by each fault that can strike there."""

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import picture
import taps
from life_stories import TALES, Tale
from small_world import Kept, small_world
from taps import Point, Tap

KILLED, FROZEN, LOST_ANSWER, PASSING, REFUSED = "killed", "frozen", "lost answer", "passing", "refused"
GENTLE = (FROZEN, LOST_ANSWER, PASSING)
"""Faults that lose no worker for good."""
FAULTS = (KILLED, FROZEN, LOST_ANSWER, PASSING, REFUSED)


@dataclass(frozen=True)
class Cell:
    """One fault at one point of one story."""

    tale: Tale
    point: Point
    fault: str

    def __str__(self) -> str:
        return f"{self.tale.name}-{self.point}-{self.fault.replace(' ', '_')}"


def all_cells() -> Iterator[Cell]:
    """Give every cell of every story."""
    for tale in TALES:
        for point in rehearse(tale).points:
            for fault in _strikes(point):
                yield Cell(tale, point, fault)


def _strikes(point: Point) -> Iterator[str]:
    """Give the faults that can strike at a point.

    Where a worker stands still, nothing is kept of what it does not write; so of its looks into the record
    store it is enough to have them fail.
    """
    called_out, before = point.room in ("provider", "guest"), point.when == "before"
    if point.call != "read" and (point.room, point.call, point.when) != ("store", "write", "before"):
        yield KILLED
    if (
        point.call == taps.ENTRY
        or (point.call, point.when) == ("write", "after")
        or (called_out and not before)
    ):
        yield FROZEN
    if point.call != taps.ENTRY and point.call != "commit":
        if not before and point.call != "read":
            yield LOST_ANSWER
        if before:
            yield PASSING
        if before and called_out:
            yield REFUSED


@dataclass(frozen=True)
class Rehearsal:
    """A story as it goes when nothing happens: its points, and the world as it was where each step began."""

    instance_id: str
    operation_id: str
    points: tuple[Point, ...]
    kept: dict[str, Kept]
    seen: dict[str, Any]
    deeds: Counter[str]

    @property
    def end(self) -> str:
        """The end in words."""
        record = self.seen["record"]
        return "gone" if record["deleted"] else f"{record['status']} on {record['version']}"


@functools.cache
def rehearse(tale: Tale) -> Rehearsal:
    """Run a story with nothing happening."""
    with small_world() as world:
        instance_id = tale.before(world)
        operation_id = tale.begin(world, instance_id)
        kept = {"claim": world.keep()}
        tap = Tap(entered=lambda step: kept.setdefault(step, world.keep()))
        world.drive(world.worker(tap))
        instance_id = instance_id or world.operation(operation_id).instance_id
        seen, deeds = picture.take(world, instance_id), picture.deeds(world, instance_id)
    return Rehearsal(instance_id, operation_id, tuple(tap.passed), kept, seen, deeds)
