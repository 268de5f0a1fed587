"""Resume: a failed operation goes on at the step that failed, after its cause was mended."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from instar.control.engine.submit import reopen
from instar.control.operations import lookup
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.operations.stories import STORIES
from instar.control.store.tables import Operation
from instar.wire.errors import Busy
from instar.wire.states import InstanceStatus, OperationState


def request(desk: Desk, caller: Caller, operation_id: str) -> Submitted:
    """Reopen a failed operation. Raises NotFound, and Busy with the reason when it can't be resumed."""
    with desk.store.begin() as session:
        operation = lookup.operation(session, caller, operation_id)
        if in_the_way := obstacle(session, operation):
            raise Busy(f"Operation {operation_id} can't be resumed: {in_the_way}")
        story: Any = STORIES[operation.kind]
        reopen(session, desk.store.now(session), story, operation)
    desk.wake()
    return Submitted(operation_id, operation.instance_id)


def obstacle(session: Session, operation: Operation) -> str | None:
    """Say why a failed operation can't be gone on with, be it forwards or back; None when it can."""
    if operation.state != OperationState.FAILED:
        return f"it is {operation.state}, and only a failed one can be"
    if operation.instance.deleted or operation.instance.status != InstanceStatus.ERROR:
        return f"it left its instance as it was (status {operation.instance.status}): send the request again"
    newest = select(Operation.id).where(
        Operation.instance_id == operation.instance_id, Operation.kind.in_(_exclusive_kinds())
    )
    if session.execute(newest.order_by(Operation.created.desc()).limit(1)).scalar() != operation.id:
        return "another operation came after it"
    if STORIES[operation.kind].find(operation.cursor) is None:
        return f"this release knows no step {operation.cursor}"
    return None


def _exclusive_kinds() -> list[str]:
    return [kind for kind, story in STORIES.items() if story.exclusive]
