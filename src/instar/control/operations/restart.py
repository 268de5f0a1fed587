"""Restart: the database is stopped cleanly and started again, on the same server.

1. restart  the guest stops and starts the database
2. verify   it answers again

A failure leaves the instance in ERROR with a fault; `resume` tries again.
"""

from instar.control.engine.outcomes import Outcome, Step, Story
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.wire.states import InstanceStatus, Stretch


def request(desk: Desk, caller: Caller, instance_id: str) -> Submitted:
    """Accept a restart. Raises NotFound, and Busy when an operation is open or the instance is not ACTIVE."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        submission = Submission(caller.user, caller.request_id)
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def restart(ctx: Context) -> Outcome:
    """Let the guest restart the database."""
    return guest_steps.run_job(ctx, "restart")


STORY: Story[Context] = Story(
    kind="restart",
    status=InstanceStatus.REBOOT,
    steps=(
        Step("restart", restart, Stretch.SWITCH, patience=180),
        Step("verify", guest_steps.healthy, Stretch.SETTLE, patience=60),
    ),
)
