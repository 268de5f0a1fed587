"""Opens an operation, in the transaction of the request, and reopens one that failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from instar.control.engine import record as record_step
from instar.control.engine.outcomes import Step, Story
from instar.control.events import record
from instar.control.store.tables import Instance, Operation
from instar.wire.errors import Busy, NoWayBack
from instar.wire.ids import new_id
from instar.wire.states import InstanceStatus, OperationState


@dataclass(frozen=True)
class Submission:
    """What is frozen at submission; `secrets` is sealed text, `details` go into the events."""

    actor: str
    request_id: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    secrets: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def submit(
    session: Session, now: float, story: Story[Any], instance: Instance, submission: Submission
) -> Operation:
    """Write operation, first event and status in the caller's transaction.

    Raises Busy, naming the operation in the way, when the instance's one slot is taken.
    """
    if story.exclusive:
        refuse_if_busy(session, instance.id)
    operation = Operation(
        id=new_id(),
        instance_id=instance.id,
        instance=instance,
        project=instance.project,
        kind=story.kind,
        inputs=dict(submission.inputs),
        details=dict(submission.details),
        secrets=submission.secrets,
        outputs={},
        status_before=instance.status,
        state=OperationState.OPEN,
        cursor=story.steps[0].name,
        slot=instance.id if story.exclusive else None,
        due_at=now,
        actor=submission.actor,
        request_id=submission.request_id,
        asked_back=record_step.policy(submission.inputs),
        created=now,
    )
    session.add(operation)
    _occupy(story, instance, now)
    if not story.quiet:
        record.start(session, operation, now, dict(submission.details))
    _flush(session)
    return operation


def reopen(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    *,
    back: Mapping[str, Any] | None = None,
) -> None:
    """Put a failed operation back on the step under its cursor, or, with `back`, on the way back from there.

    In the caller's transaction; `back` tells who asked and how (`Operation.asked_back`). Raises Busy, and
    NoWayBack.
    """
    refuse_if_busy(session, operation.instance_id)
    operation.state = OperationState.OPEN
    operation.slot = operation.instance_id
    operation.due_at = now
    operation.ended = None
    operation.step_started = None
    operation.resumes += 1
    operation.reason = "resumed"
    step = story.find(operation.cursor)
    if back is not None and step is not None:
        _turn_back(session, now, story, operation, step, back)
    elif step in story.steps:
        operation.error = None
        operation.outputs = {**operation.outputs, "resumed": {"at": operation.cursor}}
        operation.asked_back = record_step.policy(operation.inputs)
    operation.instance.fault = None
    _occupy(story, operation.instance, now)
    record.start(session, operation, now, {**operation.details, "resumed": operation.resumes})
    _flush(session)


def _turn_back(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    step: Step[Any],
    back: Mapping[str, Any],
) -> None:
    operation.asked_back = dict(back)
    operation.reason = "on the way back"
    record_step.take_back(session, now, operation, step, story.back_from(step, operation))


def ask_back(
    session: Session, now: float, story: Story[Any], operation: Operation, back: Mapping[str, Any]
) -> None:
    """Ask an open operation to stop and take its way back, in the caller's transaction.

    The worker that holds it obeys before the next step, or at the next look at a waiting one. Raises
    NoWayBack, saying why, when it stands where that is not possible.
    """
    step = story.find(operation.cursor)
    if step is None or story.is_way_back(step):
        raise NoWayBack(f"Operation {operation.id} is on its way back already")
    if not step.harmless:
        asked, operation.asked_back = operation.asked_back, dict(back)
        try:
            story.back_from(step, operation)
        except NoWayBack:
            operation.asked_back = asked
            raise
    operation.asked_back = dict(back)
    operation.due_at = now if operation.lease_until is None else operation.due_at


def refuse_if_busy(session: Session, instance_id: str) -> None:
    """Raise Busy, naming the operation, when one is open on the instance."""
    other = session.execute(select(Operation).where(Operation.slot == instance_id)).scalar_one_or_none()
    if other is not None:
        raise Busy(
            f"Instance {instance_id} is not currently available for an action to be performed: "
            f"operation {other.id} ({other.kind}) is in the way",
            seen=f"it stands at step {other.cursor}" + (f", {other.reason}" if other.reason else ""),
            remedy=f"Wait for its end (`instar operation show {other.id}`) and send the request again.",
            retryable=True,
        )


def _occupy(story: Story[Any], instance: Instance, now: float) -> None:
    if story.status is not None:
        instance.status = InstanceStatus(story.status)
        instance.service_status = ""
        instance.updated = now


def _flush(session: Session) -> None:
    """Let the unique slot speak: two requests at the same moment, one of them wins."""
    try:
        session.flush()
    except IntegrityError as error:
        raise Busy(
            "Another operation on this instance was accepted at the same moment",
            remedy="Look at the instance's operations and send the request again when it has ended.",
            retryable=True,
        ) from error
