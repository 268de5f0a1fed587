"""What a step gives back, and what a story is made of. The runner alone acts on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from instar.wire.errors import InstarError
from instar.wire.states import InstanceStatus, Stretch

Ctx = TypeVar("Ctx")


@dataclass(frozen=True)
class Done:
    """The step is done: its output, and what changes on the instance's row with it."""

    output: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Wait:
    """Run the step again in `seconds`; the deadline extends when `moved` is more than ever in this step."""

    seconds: float
    reason: str
    moved: float | None = None
    percent: float | None = None


@dataclass(frozen=True)
class Fail:
    """The step failed for good; the story says where that leads."""

    error: InstarError


@dataclass(frozen=True)
class Goto:
    """The step is done and the cursor moves to the named step instead of the next one."""

    step: str
    output: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Wait | Fail | Goto


@dataclass(frozen=True)
class Step(Generic[Ctx]):
    """One step of a story.

    `patience` is how many seconds it may wait with nothing measurable moving. On failure the cursor goes to
    the step named by `way_back`; without one, the instance is left as it was when `harmless`, else in ERROR.
    An `optional` step's failure is told and the story goes on. `aliases` are names that older releases gave
    this step.
    """

    name: str
    run: Callable[[Ctx], Outcome]
    stretch: Stretch = Stretch.PREPARE
    patience: float = 120.0
    harmless: bool = False
    optional: bool = False
    way_back: str | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Story(Generic[Ctx]):
    """An operation's kind: its steps in order, then the steps of its ways back.

    The operation succeeds after the last of `steps`, and the instance's status becomes `ends_as`; after the
    last of `ways_back` it has failed with the error that led there, and the instance is as it was before.
    `status` is the instance's while the operation is open (None leaves it alone). An `exclusive` story takes
    the instance's one slot. A `quiet` one writes no events and is forgotten soon after its end.
    """

    kind: str
    steps: tuple[Step[Ctx], ...]
    ways_back: tuple[Step[Ctx], ...] = ()
    status: InstanceStatus | None = None
    ends_as: InstanceStatus = InstanceStatus.ACTIVE
    exclusive: bool = True
    quiet: bool = False

    def find(self, cursor: str) -> Step[Ctx] | None:
        """Give the step of that name, or that once had it."""
        for step in (*self.steps, *self.ways_back):
            if cursor == step.name or cursor in step.aliases:
                return step
        return None

    def after(self, step: Step[Ctx]) -> Step[Ctx] | None:
        """Give the step that follows on the same list, None after the last."""
        row = self.steps if step in self.steps else self.ways_back
        index = row.index(step) + 1
        return row[index] if index < len(row) else None


class StoryError(InstarError):
    """The running release knows no step under an operation's cursor, or a step gave back no outcome."""

    code = "story"
