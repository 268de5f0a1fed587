"""Answers that a request waits for: the door writes operations, workers carry them out, the door reads."""

import time
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from instar.control.operations.desk import Desk
from instar.control.store.tables import Operation
from instar.wire.errors import ErrorBody, InstarError
from instar.wire.states import OperationState

PAUSES = (0.005, 0.01, 0.02, 0.05)
_WITH_INSTANCES = select(Operation).options(joinedload(Operation.instance))


def ended(desk: Desk, operation_id: str) -> Operation:
    """Look for an operation's end until the desk's time is over; gives it as it stands then.

    Raises the operation's own error when it failed.
    """
    (operation,) = all_ended(desk, [operation_id])
    if operation.state == OperationState.FAILED:
        raise error_of(operation)
    return operation


def all_ended(desk: Desk, wanted: Sequence[str]) -> list[Operation]:
    """Look for the end of operations, by their ids, until all have ended or the desk's time is over; gives
    them, with their instances, as they stand then.
    """
    until = time.monotonic() + desk.answer_timeout
    looks = 0
    while wanted:
        with desk.store.read() as session:
            found = list(session.execute(_WITH_INSTANCES.where(Operation.id.in_(wanted))).scalars())
        if all(one.state != OperationState.OPEN for one in found) or time.monotonic() >= until:
            return sorted(found, key=lambda one: wanted.index(one.id))
        time.sleep(PAUSES[min(looks, len(PAUSES) - 1)])
        looks += 1
    return []


def error_of(operation: Operation) -> InstarError:
    """Make the error that a failed operation ended with."""
    return InstarError.from_body(ErrorBody.model_validate(operation.error))
