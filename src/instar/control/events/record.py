"""Events are written by the machinery, in the transaction of the change they tell of."""

from sqlalchemy import insert
from sqlalchemy.orm import Session

from instar.control.store.tables import Event, Operation
from instar.wire import events
from instar.wire.errors import ErrorBody

_INSERT = insert(Event).inline()
"""Made once, and not by way of an object: nobody reads an event where it is written."""


def step(session: Session, operation: Operation, now: float, payload: events.StepEvent) -> None:
    """Record an outcome of one step; it goes to the stream, not to the notifications."""
    _add(session, operation, now, events.STEP, payload.model_dump(exclude_none=True), delivered=True)


def start(session: Session, operation: Operation, now: float, details: dict[str, object]) -> None:
    """Record that an operation was accepted."""
    _tell(session, operation, now, events.start(operation.kind), details)


def end(session: Session, operation: Operation, now: float, details: dict[str, object]) -> None:
    """Record that an operation succeeded."""
    _tell(session, operation, now, events.end(operation.kind), details)


def error(
    session: Session, operation: Operation, now: float, details: dict[str, object], body: ErrorBody
) -> None:
    """Record that an operation failed."""
    _tell(session, operation, now, events.error(operation.kind), details, body)


def _tell(
    session: Session,
    operation: Operation,
    now: float,
    kind: str,
    details: dict[str, object],
    body: ErrorBody | None = None,
) -> None:
    instance = operation.instance
    payload = events.OperationEvent(
        operation_id=operation.id,
        instance_id=instance.id,
        instance_name=instance.name,
        tenant_id=instance.project,
        actor=operation.actor,
        request_id=operation.request_id,
        datastore=instance.version.manager,
        seconds=now - operation.created if kind != events.start(operation.kind) else None,
        downtime_seconds=operation.downtime,
        details=details,
        error=body,
        message=body.sentence() if body else "",
        exception=[body.sentence()] if body else [],
    )
    _add(session, operation, now, kind, payload.model_dump(mode="json"), delivered=False)


def _add(
    session: Session,
    operation: Operation,
    now: float,
    kind: str,
    payload: dict[str, object],
    *,
    delivered: bool,
) -> None:
    event = {
        "project": operation.project,
        "operation_id": operation.id,
        "instance_id": operation.instance_id,
        "kind": kind,
        "payload": payload,
        "delivered": delivered,
        "created": now,
    }
    session.connection().execute(_INSERT, event)
