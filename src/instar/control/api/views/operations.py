"""Operations in answers: as a line of a list, and whole with their steps."""

from collections.abc import Iterator, Sequence
from typing import Any

from instar.control.api.views.viewer import present, timestamp
from instar.control.operations.stories import STORIES
from instar.control.store.tables import Operation, StepRecord
from instar.wire import rest
from instar.wire.states import OperationState, StepState

_SPEAKING = ("post_upgrade", "verify", "come_back")
"""Steps that tell what they found in the database, in their order."""


def summary(operation: Operation, now: float, verbs: list[str]) -> rest.Operation:
    """Show what a list shows; `now` is the store's clock, for what is still under way."""
    return rest.Operation(**_summary(operation, now, verbs))


def detail(
    operation: Operation, records: Sequence[StepRecord], now: float, verbs: list[str]
) -> rest.Operation:
    """Show an operation with the steps it went through and those still before it."""
    passed = [_passed(record, operation, now) for record in records]
    steps = [*passed, *_ahead(operation, records)]
    return rest.Operation(**_summary(operation, now, verbs), steps=steps)


def _summary(operation: Operation, now: float, verbs: list[str]) -> dict[str, Any]:
    return present(
        id=operation.id,
        kind=operation.kind,
        instance_id=operation.instance_id,
        instance_name=operation.instance.name,
        state=operation.state,
        step=operation.cursor,
        reason=operation.reason,
        deadline=timestamp(operation.deadline) if operation.state == OperationState.OPEN else None,
        created=timestamp(operation.created),
        started=timestamp(operation.started),
        ended=timestamp(operation.ended),
        seconds=round((operation.ended or now) - operation.created, 3),
        downtime_seconds=operation.downtime,
        outage=operation.outage,
        overridden=operation.outputs.get("preflight", {}).get("overridden") or None,
        findings=_findings(operation.outputs),
        text_ordering=_rebuilt(operation.outputs),
        actor=operation.actor,
        inputs=operation.inputs,
        error=operation.error,
        turned_back_at=operation.outputs.get("way_back", {}).get("from"),
        came_back=operation.outputs.get("way_back", {}).get("done", False),
        verbs=verbs,
    )


def _findings(outputs: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Gather what the steps found that speak to the database; the same is told once."""
    found = [each for step in _SPEAKING for each in outputs.get(step, {}).get("findings", [])]
    return [each for at, each in enumerate(found) if each not in found[:at]] or None


def _rebuilt(outputs: dict[str, Any]) -> dict[str, Any] | None:
    """Tell of the last rebuild of indexes; an operation that turned back has made two."""
    told = [outputs.get(step, {}).get("text_ordering") or {} for step in _SPEAKING]
    return next((each for each in reversed(told) if each.get("count")), None)


def _passed(record: StepRecord, operation: Operation, now: float) -> rest.Step:
    underway = record.ended is None
    return rest.Step(
        **present(
            name=record.name,
            stretch=record.stretch,
            state=record.state,
            started=timestamp(record.started),
            ended=timestamp(record.ended),
            seconds=round((record.ended or now) - record.started, 3),
            reason=operation.reason if underway else "",
            percent=operation.percent if underway else None,
            error=record.error,
        )
    )


def _ahead(operation: Operation, records: Sequence[StepRecord]) -> Iterator[rest.Step]:
    """Give the story's steps behind the cursor: pending while the operation is open, else skipped."""
    story = STORIES.get(operation.kind)
    here = story.find(operation.cursor) if story else None
    if story is None or here is None:
        return
    state = StepState.PENDING if operation.state == OperationState.OPEN else StepState.SKIPPED
    step = here if not records else story.after(here)
    while step is not None:
        yield rest.Step(name=step.name, stretch=step.stretch, state=state)
        step = story.after(step)
