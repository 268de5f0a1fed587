"""Delete by force: an instance goes in whatever state it is, its open operation with it.

The operation is ended as by a reset, also while a worker holds it: the delete begins when that worker's lease
is over, so that nothing is made behind it. The story is that of `delete`, which a guest and a server that are
gone do not hold up.
"""

from instar.control.engine import reset
from instar.control.engine.submit import Submission, submit
from instar.control.operations import delete, lookup
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.control.operations.stories import STORIES
from instar.control.store import instances


def request(desk: Desk, caller: Caller, instance_id: str) -> Submitted:
    """Accept a delete, whatever else is under way. Raises NotFound."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        now = due = desk.store.now(session)
        if other := instances.open_operations(session, [instance.id]).get(instance.id):
            due = max(now, other.lease_until or now)
            reset.break_off(session, now, STORIES[other.kind], other, caller.user)
        details = {"address": instance.address, "forced": True}
        submission = Submission(caller.user, caller.request_id, details=details)
        operation = submit(session, now, delete.STORY, instance, submission)
        operation.due_at = due
    desk.wake()
    return Submitted(operation.id, instance_id)
