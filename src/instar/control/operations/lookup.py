"""Finds what a request names, as far as its project may see it."""

from sqlalchemy.orm import Session

from instar.control.operations.desk import Caller
from instar.control.store.tables import Instance, Operation
from instar.wire.errors import Busy, NotFound
from instar.wire.states import USABLE


def instance(session: Session, caller: Caller, instance_id: str) -> Instance:
    """Find an instance within the caller's reach. Raises NotFound."""
    found = session.get(Instance, instance_id)
    if found is None or found.deleted or caller.reach not in (None, found.project):
        raise NotFound(f"Instance {instance_id} cannot be found.")
    return found


def operation(session: Session, caller: Caller, operation_id: str) -> Operation:
    """Find an operation within the caller's reach, and keep it from others' changes. Raises NotFound."""
    found = session.get(Operation, operation_id, with_for_update={"of": Operation})
    if found is None or caller.reach not in (None, found.project):
        raise NotFound(f"Operation {operation_id} cannot be found.")
    return found


def refuse_unless_active(instance: Instance) -> None:
    """Raise Busy, naming the status, unless the instance is usable."""
    if instance.status not in USABLE:
        raise Busy(
            f"Instance {instance.id} is not currently available for an action to be performed "
            f"(instance status was {instance.status})",
            remedy="Wait for the operation in the way; out of ERROR, resume the failed one or roll it back.",
        )
