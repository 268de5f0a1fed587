"""Writes what came of a step: outcome, cursor, instance and event in one transaction, behind the fence."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.orm import Session

from instar.control.engine import ending
from instar.control.engine.outcomes import Done, Fail, Goto, Outcome, Step, Story, StoryError, Wait
from instar.control.events import record as events
from instar.control.store.tables import Instance, Operation, StepRecord
from instar.wire.errors import Aborted, DeadlinePassed, ErrorBody, InstarError, NoWayBack
from instar.wire.events import StepEvent
from instar.wire.states import StepState

_STEPS: Table = StepRecord.__table__  # type: ignore[assignment]
_BEGIN = insert(_STEPS).inline()
_CLOSE = update(_STEPS).where(
    _STEPS.c.operation_id == bindparam("of_operation"), _STEPS.c.number == bindparam("of_number")
)
"""Made once, and not by way of objects: they are run at every step."""


def enter(session: Session, now: float, operation: Operation, step: Step[Any]) -> None:
    """Put the cursor on a step and start its deadline."""
    operation.cursor = step.name
    operation.started = operation.started or now
    operation.step_started = now
    operation.deadline = now + step.patience
    operation.moved, operation.reason, operation.percent, operation.attempts = None, "", None, 0
    operation.passages += 1
    begun = {
        "operation_id": operation.id,
        "number": operation.passages,
        "name": step.name,
        "stretch": step.stretch,
        "state": StepState.RUNNING,
        "started": now,
    }
    session.connection().execute(_BEGIN, begun)


def write(
    session: Session, now: float, story: Story[Any], operation: Operation, step: Step[Any], outcome: Outcome
) -> None:
    """Write an outcome and where it leads."""
    match outcome:
        case Wait():
            _wait(session, now, story, operation, step, outcome)
        case Done():
            _advance(session, now, story, operation, step, outcome, story.after(step))
        case Goto():
            target = story.find(outcome.step)
            if target is None:
                raise StoryError(f"Step {step.name} of {story.kind} goes to {outcome.step}, which is no step")
            _advance(session, now, story, operation, step, outcome, target)
        case Fail():
            operation.outage = dict(outcome.outage) if outcome.outage is not None else operation.outage
            _put(story, operation, step, outcome.record)
            fail(session, now, story, operation, step, outcome.error)


def fail(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    step: Step[Any] | None,
    error: InstarError,
) -> None:
    """Record a failure and take the way that the story names: back, or out."""
    _close_step(session, now, story, operation, StepState.FAILED, "fail", error.body)
    _turn(session, now, story, operation, step, error)


def break_off(
    session: Session, now: float, story: Story[Any], operation: Operation, error: InstarError
) -> None:
    """Record that an operation was ended from outside where it stands; it takes no way back."""
    step = story.find(operation.cursor)
    _close_step(session, now, story, operation, StepState.FAILED, "fail", error.body)
    operation.error = error.body.model_dump(mode="json")
    ending.end(session, now, story, operation, error.body, harmless=step is not None and step.harmless)


def _turn(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    step: Step[Any] | None,
    error: InstarError,
) -> None:
    if step is not None and step.optional:
        _go_on(session, now, story, operation, story.after(step))
        return
    led_here, operation.error = operation.error, operation.error or error.body.model_dump(mode="json")
    back = _way_back(story, operation, step)
    if step is not None and back is not None:
        take_back(session, now, operation, step, back)
        return
    body = error.body
    if led_here is not None:
        first = ErrorBody.model_validate(led_here)
        seen = f"{body.seen} (it was taken because: {first.sentence()})"
        body = body.model_copy(update={"brief": f"The way back failed: {body.brief}", "seen": seen})
    ending.end(session, now, story, operation, body, harmless=step is not None and step.harmless)


def take_back(session: Session, now: float, operation: Operation, step: Step[Any], back: Step[Any]) -> None:
    """Put the cursor on the first step of a way back; `outputs["way_back"]` tells where from."""
    operation.outputs = {**operation.outputs, "way_back": {"from": step.name}}
    enter(session, now, operation, back)


def policy(inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say that the way back is to be taken on failure, where the request wants that."""
    return {"verb": "policy"} if inputs.get("on_failure") == "rollback" else None


def obey(session: Session, now: float, story: Story[Any], operation: Operation, step: Step[Any]) -> bool:
    """Act on an abort before a step is run; tells whether the cursor left the step.

    One that came too late is told of, and the operation goes on.
    """
    error = _abort(story, operation, step)
    if error is None:
        return False
    if _leads_back(story, operation, step):
        session.flush()  # the step may have been begun just now
        fail(session, now, story, operation, step, error)
        return True
    operation.asked_back = policy(operation.inputs)
    reason = "the abort came too late: no way leads back from here"
    events.step(session, operation, now, StepEvent(step=step.name, outcome="wait", reason=reason))
    return False


def _abort(story: Story[Any], operation: Operation, step: Step[Any]) -> InstarError | None:
    """Give the error that an abort ends an operation with, None when nobody has asked for one."""
    asked = operation.asked_back or {}
    if asked.get("verb") != "abort" or story.is_way_back(step):
        return None
    return Aborted(
        f"Operation {operation.id} was aborted by {asked.get('actor') or 'somebody'}",
        seen=f"at step {step.name}",
    )


def _leads_back(story: Story[Any], operation: Operation, step: Step[Any]) -> bool:
    return step.harmless or _way_back(story, operation, step) is not None


def _way_back(story: Story[Any], operation: Operation, step: Step[Any] | None) -> Step[Any] | None:
    """Give the way back that is to be taken: always one that is named, a decided one only when asked for."""
    if step is None or step.way_back is None:
        return None
    if not isinstance(step.way_back, str) and operation.asked_back is None:
        return None
    try:
        return story.back_from(step, operation)
    except NoWayBack:
        return None


def _wait(
    session: Session, now: float, story: Story[Any], operation: Operation, step: Step[Any], wait: Wait
) -> None:
    if wait.moved is not None and (operation.moved is None or wait.moved > operation.moved):
        operation.moved, operation.deadline = wait.moved, now + step.patience
    if operation.deadline is not None and now > operation.deadline:
        fail(session, now, story, operation, step, _too_late(step, wait))
        return
    if (wait.reason, wait.percent) != (operation.reason, operation.percent) and not story.quiet:
        seconds = now - (operation.step_started or now)
        payload = StepEvent(
            step=step.name,
            outcome="wait",
            stretch=step.stretch,
            reason=wait.reason,
            percent=wait.percent,
            seconds=seconds,
        )
        events.step(session, operation, now, payload)
    operation.reason, operation.percent = wait.reason, wait.percent
    operation.due_at = now + wait.seconds
    operation.owner = operation.lease_until = None


def _too_late(step: Step[Any], wait: Wait) -> DeadlinePassed:
    return DeadlinePassed(
        f"Step {step.name} waited {step.patience:g} s with nothing moving",
        seen=wait.reason,
        remedy="Mend the cause and resume the operation.",
    )


def _advance(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    step: Step[Any],
    outcome: Done | Goto,
    target: Step[Any] | None,
) -> None:
    operation.outputs = {**operation.outputs, step.name: dict(outcome.output)}
    if outcome.details:
        operation.details = {**operation.details, **outcome.details}
    operation.outage = dict(outcome.outage) if outcome.outage is not None else operation.outage
    _put(story, operation, step, outcome.record)
    _close_step(session, now, story, operation, StepState.DONE, "done", None)
    aborted = _abort(story, operation, step)
    if target is not None and aborted is not None and _leads_back(story, operation, step):
        _turn(session, now, story, operation, step, aborted)  # from here, before the next step closes a way
        return
    _go_on(session, now, story, operation, target)


def _put(story: Story[Any], operation: Operation, step: Step[Any], record: Mapping[str, Any]) -> None:
    """Put what a step says of the instance onto its row."""
    for name, value in record.items():
        if not hasattr(Instance, name) or name == "status":
            raise StoryError(f"Step {step.name} of {story.kind} may not write {name} on the instance")
        setattr(operation.instance, name, value)


def _go_on(
    session: Session, now: float, story: Story[Any], operation: Operation, target: Step[Any] | None
) -> None:
    """Put the cursor on the step that follows; without one the story, or the way back, is at its end."""
    if target is not None:
        enter(session, now, operation, target)
    elif operation.error is not None:
        back = {**operation.outputs.get("way_back", {}), "done": True}
        operation.outputs = {**operation.outputs, "way_back": back}
        operation.error = _nothing_to_resume(operation.error)
        ending.end(session, now, story, operation, ErrorBody.model_validate(operation.error), harmless=True)
    else:
        ending.end(session, now, story, operation, None, harmless=True)


def _nothing_to_resume(error: Mapping[str, Any]) -> dict[str, Any]:
    """Give the error that led back, with a remedy that still can be followed."""
    return {**error, "remedy": error["remedy"].replace("resume the operation", "send the request again")}


def _close_step(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    state: StepState,
    outcome: str,
    error: ErrorBody | None,
) -> None:
    body = error.model_dump(mode="json") if error else None
    of = {"of_operation": operation.id, "of_number": operation.passages}
    session.connection().execute(_CLOSE, {**of, "state": state, "ended": now, "error": body})
    if story.quiet or operation.step_started is None:
        return
    step = story.find(operation.cursor)
    payload = StepEvent(
        step=operation.cursor,
        outcome=outcome,
        stretch=step.stretch if step else "",
        seconds=now - operation.step_started,
        error=error,
    )
    events.step(session, operation, now, payload)
