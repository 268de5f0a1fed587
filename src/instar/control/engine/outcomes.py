"""What a step gives back, and what a story is made of. The runner alone acts on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from instar.control.store.tables import Operation
from instar.wire.errors import InstarError, NoWayBack
from instar.wire.states import InstanceStatus, Stretch

Ctx = TypeVar("Ctx")


@dataclass(frozen=True)
class Done:
    """The step is done: its output, what changes on the instance's row with it, what was measured of the
    outage so far, which is kept on the operation's row, and `details` that the last event is to tell, too.
    """

    output: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    outage: Mapping[str, Any] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Run the step again in `seconds`; the deadline extends when `moved` is more than ever in this step."""

    seconds: float
    reason: str
    moved: float | None = None
    percent: float | None = None


@dataclass(frozen=True)
class Fail:
    """The step failed for good; the story says where that leads. `record` changes on the instance's row all
    the same.
    """

    error: InstarError
    outage: Mapping[str, Any] | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Goto:
    """The step is done and the cursor moves to the named step instead of the next one."""

    step: str
    output: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    outage: Mapping[str, Any] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Wait | Fail | Goto


WayBack = Callable[[Operation], str]
"""Names the first step of the way back from where an operation stands. Raises NoWayBack."""


@dataclass(frozen=True)
class Step(Generic[Ctx]):
    """One step of a story.

    `patience` is how many seconds it may wait with nothing measurable moving. On failure the cursor goes to
    the step that `way_back` names; without one, the instance is left as it was when `harmless`, else in
    ERROR. `way_back` is a name, or a function that decides by the operation's row; a function is heeded only
    when somebody asked for the way back (`Operation.asked_back`). An abort ends a `harmless` step and takes
    the way back of any other. An `optional` step's failure is told and the story goes on. `aliases` are names
    that older releases gave this step.
    """

    name: str
    run: Callable[[Ctx], Outcome]
    stretch: Stretch = Stretch.PREPARE
    patience: float = 120.0
    harmless: bool = False
    optional: bool = False
    way_back: str | WayBack | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story(Generic[Ctx]):
    """An operation's kind: its steps in order, then the rows of steps that are its ways back.

    The operation succeeds after the last of `steps`, and the instance's status becomes `ends_as`; after the
    last step of a way back it has failed with the error that led there, and the instance is as it was before.
    `status` is the instance's while the operation is open (None leaves it alone). An `exclusive` story takes
    the instance's one slot. A `quiet` one writes no events, is not held by the
    concurrency cap, and is forgotten soon after its end; an `urgent` one is claimed before all others.
    """

    kind: str
    steps: tuple[Step[Ctx], ...]
    ways_back: tuple[tuple[Step[Ctx], ...], ...] = ()
    status: InstanceStatus | None = None
    ends_as: InstanceStatus = InstanceStatus.ACTIVE
    exclusive: bool = True
    quiet: bool = False
    urgent: bool = False

    def find(self, cursor: str) -> Step[Ctx] | None:
        """Give the step of that name, or that once had it."""
        for step in chain(self.steps, *self.ways_back):
            if cursor == step.name or cursor in step.aliases:
                return step
        return None

    def after(self, step: Step[Ctx]) -> Step[Ctx] | None:
        """Give the step that follows on the same row, None after the last."""
        row = next(row for row in (self.steps, *self.ways_back) if step in row)
        index = row.index(step) + 1
        return row[index] if index < len(row) else None

    def is_way_back(self, step: Step[Ctx]) -> bool:
        """Tell whether the step leads back."""
        return step not in self.steps

    def back_from(self, step: Step[Ctx], operation: Operation) -> Step[Ctx]:
        """Give the first step of the way back from a step. Raises NoWayBack; StoryError for a bad name."""
        if step.way_back is None:
            raise NoWayBack(f"From step {step.name} of {self.kind} no way leads back")
        name = step.way_back if isinstance(step.way_back, str) else step.way_back(operation)
        back = self.find(name)
        if back is None:
            raise StoryError(f"Step {step.name} of {self.kind} has no way back called {name}")
        return back


class StoryError(InstarError):
    """The running release knows no step under an operation's cursor, or a step gave back no outcome."""

    code = "story"
