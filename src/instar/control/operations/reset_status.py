"""Reset of a status: an open operation that nobody works on is ended, as failed; a change of the record only.

A status follows from operations and nobody sets it by hand, so there is nothing else to reset: an instance
without an open operation keeps its status, be it ERROR, and its machine is not touched. What its database is
doing counts as unknown until its guest is asked again.
"""

from instar.control.engine import reset
from instar.control.operations import lookup
from instar.control.operations.desk import Caller, Desk
from instar.control.operations.stories import STORIES
from instar.control.store import instances
from instar.control.store.tables import Instance


def request(desk: Desk, caller: Caller, instance_id: str) -> None:
    """End the instance's open operation, if any. Raises NotFound, and Busy while a worker holds it."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        now = desk.store.now(session)
        operation = instances.open_operations(session, [instance.id]).get(instance.id)
        if operation is not None:
            reset.reset(session, now, STORIES[operation.kind], operation, caller.user)
        _forget_service(instance, now)


def _forget_service(instance: Instance, now: float) -> None:
    instance.service_status = instance.service_reason = ""
    instance.next_check = now
    instance.updated = now
