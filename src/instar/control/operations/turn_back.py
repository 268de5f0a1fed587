"""Turn back: an operator has an operation take its way back, while it is open (abort) or after it failed."""

from typing import Any

from sqlalchemy.orm import Session

from instar.control.engine.submit import ask_back, reopen
from instar.control.operations import lookup, resume
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.operations.stories import STORIES
from instar.control.store.tables import Operation
from instar.wire.errors import Busy, NeedsConsent, NoWayBack
from instar.wire.states import OperationState


def abort(desk: Desk, caller: Caller, operation_id: str) -> Submitted:
    """Ask an open operation to stop: before downtime it just ends, after that it takes its way back.

    Raises NotFound, and NoWayBack or Busy, saying why, where that does not apply. An abort that the operation
    overtakes is told of in its events, and the operation goes on.
    """
    with desk.store.begin() as session:
        operation = lookup.operation(session, caller, operation_id)
        if operation.state != OperationState.OPEN:
            raise Busy(f"Operation {operation_id} can't be aborted: it is {operation.state}")
        back = {"verb": "abort", "actor": caller.user}
        ask_back(session, desk.store.now(session), _story(operation), operation, back)
    desk.wake()
    return Submitted(operation_id, operation.instance_id)


def roll_back(
    desk: Desk, caller: Caller, operation_id: str, *, discard_writes_since: str | None = None
) -> Submitted:
    """Have a failed operation lead back to where it began.

    Raises NotFound, and NoWayBack or Busy, saying why, where that does not apply; so, too, when it would lose
    writes and `discard_writes_since` is not the time of the snapshot.
    """
    with desk.store.begin() as session:
        operation = lookup.operation(session, caller, operation_id)
        obstacle = resume.obstacle(session, operation)
        if obstacle:
            raise Busy(
                f"Operation {operation_id} can't be rolled back: {obstacle}",
                remedy="`instar rollback <instance>` undoes an upgrade that succeeded."
                if operation.state == OperationState.SUCCEEDED
                else "",
            )
        story = _story(operation)
        step = story.find(operation.cursor)
        if story.is_way_back(step):
            raise NoWayBack(
                f"Operation {operation_id} is on its way back already",
                remedy=f"Resume it: `instar operation resume {operation_id}`.",
            )
        back = {"verb": "rollback", "actor": caller.user, "discard_writes_since": discard_writes_since}
        reopen(session, desk.store.now(session), story, operation, back=back)
    desk.wake()
    return Submitted(operation_id, operation.instance_id)


def verbs(session: Session, operation: Operation) -> list[str]:
    """List what an operator can do with the operation now."""
    if operation.state == OperationState.OPEN:
        return ["abort"] if _leads_back(operation, aborting=True) else []
    if resume.obstacle(session, operation):
        return []
    return ["resume", "rollback"] if _leads_back(operation, aborting=False) else ["resume"]


def _leads_back(operation: Operation, *, aborting: bool) -> bool:
    """Tell whether a way leads back, be it one that loses writes and wants that to be accepted."""
    story = STORIES.get(operation.kind)
    step = story.find(operation.cursor) if story else None
    if story is None or step is None or story.is_way_back(step):
        return False
    if step.harmless:
        return aborting
    try:
        story.back_from(step, operation)
    except NeedsConsent:
        return not aborting
    except NoWayBack:
        return False
    return True


def _story(operation: Operation) -> Any:
    return STORIES[operation.kind]
