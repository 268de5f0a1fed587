"""Answers that a request waits for: the door writes an operation, a worker carries it out, the door reads."""

import time

from instar.control.operations.desk import Desk
from instar.control.store.tables import Operation
from instar.wire.errors import ErrorBody, InstarError
from instar.wire.states import OperationState

PAUSES = (0.005, 0.01, 0.02, 0.05)


def ended(desk: Desk, operation_id: str) -> Operation:
    """Look for an operation's end until the desk's time is over; gives it as it stands then.

    Raises the operation's own error when it failed.
    """
    until = time.monotonic() + desk.answer_timeout
    looks = 0
    while True:
        with desk.store.read() as session:
            operation = session.get_one(Operation, operation_id)
        if operation.state == OperationState.FAILED:
            raise InstarError.from_body(ErrorBody.model_validate(operation.error))
        if operation.state == OperationState.SUCCEEDED or time.monotonic() >= until:
            return operation
        time.sleep(PAUSES[min(looks, len(PAUSES) - 1)])
        looks += 1
