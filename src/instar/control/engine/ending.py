"""The end of an operation: what becomes of its slot, of the instance's status, and who is told."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from instar.control.engine.outcomes import Story
from instar.control.events import record as events
from instar.control.store.tables import Operation, StepRecord
from instar.wire.errors import ErrorBody
from instar.wire.states import InstanceStatus, OperationState, Stretch

FAULT_LIMIT = 255


def end(
    session: Session,
    now: float,
    story: Story[Any],
    operation: Operation,
    error: ErrorBody | None,
    *,
    harmless: bool,
) -> None:
    """End the operation: free its slot and permit, derive the instance's status, tell the world."""
    instance = operation.instance
    operation.state = OperationState.FAILED if error else OperationState.SUCCEEDED
    operation.ended = now
    operation.slot = operation.permit = operation.owner = operation.lease_until = operation.due_at = None
    operation.reason = ""
    lasting = error is not None and not harmless  # clients may be out still: nobody knows for how long
    measured = story.ends_as == InstanceStatus.ACTIVE and not lasting
    operation.downtime = _downtime(session, operation) if measured else None
    operation.asked_back = None
    if not (error and not harmless):  # what a resumed step needs is kept while it may be resumed
        operation.secrets = None
    if story.status is not None:
        instance.updated = now
        instance.next_check = now
        instance.status = _status_after(story, operation, failed=error is not None, harmless=harmless)
        instance.fault = _fault(now, error) if instance.status == InstanceStatus.ERROR else None
    if story.quiet:
        return
    if error:
        events.error(session, operation, now, operation.details, error)
    else:
        events.end(session, operation, now, operation.details)


def _status_after(story: Story[Any], operation: Operation, *, failed: bool, harmless: bool) -> InstanceStatus:
    status = InstanceStatus.ERROR
    if not failed or harmless:
        status = story.ends_as if not failed else InstanceStatus(operation.status_before)
    if status in (InstanceStatus.ACTIVE, InstanceStatus.RESTART_REQUIRED):
        waits = operation.instance.restart_required
        return InstanceStatus.RESTART_REQUIRED if waits else InstanceStatus.ACTIVE
    return status


def _fault(now: float, error: ErrorBody | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"message": error.sentence()[:FAULT_LIMIT], "created": now, "details": error.model_dump_json()}


def _downtime(session: Session, operation: Operation) -> float | None:
    """Seconds without service: as measured from outside, else the time from the start of the first step in
    the switch stretch to the end of the last, as recorded.
    """
    if operation.outage and operation.outage.get("whole"):
        return round(float(operation.outage["seconds"]), 3)
    session.flush()
    query = select(func.min(StepRecord.started), func.max(StepRecord.ended)).where(
        StepRecord.operation_id == operation.id, StepRecord.stretch == Stretch.SWITCH
    )
    begun, over = session.execute(query).one()
    return round(over - begun, 3) if begun is not None and over is not None else None
