"""Ends an open operation where it stands, at an administrator's word: no step more, and no way back."""

from typing import Any

from sqlalchemy.orm import Session

from instar.control.engine import record
from instar.control.engine.outcomes import Story
from instar.control.store.tables import Operation
from instar.wire.errors import Aborted, Busy


def reset(session: Session, now: float, story: Story[Any], operation: Operation, actor: str) -> None:
    """End the operation as failed, in the caller's transaction; the fence keeps out whoever comes late.

    What its steps did to the machine stays done: unless the step it stands on is harmless, the instance is in
    ERROR. Raises Busy while a worker holds it.
    """
    if is_held(operation, now):
        raise Busy(
            f"Operation {operation.id} ({operation.kind}) can't be reset: a worker is at work on it",
            seen=f"{operation.owner} at step {operation.cursor}",
            remedy=f"Wait for the step's end, or abort it: `instar operation abort {operation.id}`.",
            retryable=True,
        )
    break_off(session, now, story, operation, actor)


def break_off(session: Session, now: float, story: Story[Any], operation: Operation, actor: str) -> None:
    """End the operation even while a worker holds it, which learns of it when it next looks."""
    operation.fence += 1
    error = Aborted(
        f"Operation {operation.id} ({operation.kind}) was reset by {actor or 'somebody'}",
        seen=f"it stood at step {operation.cursor}" + (f", {operation.reason}" if operation.reason else ""),
        remedy="Look at what it left; then resume it, roll it back, or delete the instance.",
    )
    record.break_off(session, now, story, operation, error)
    session.flush()


def is_held(operation: Operation, now: float) -> bool:
    """Tell whether a worker's lease on the operation runs."""
    return operation.lease_until is not None and operation.lease_until > now
