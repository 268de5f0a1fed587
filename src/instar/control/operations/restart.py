"""Restart: the database is stopped cleanly and started again, on the same server.

1. restart  the guest stops and starts the database
2. verify   it answers again

A failure leaves the instance in ERROR with a fault; `resume` tries again.
"""

from instar.control.engine.outcomes import Done, Outcome, Step, Story, Wait
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.wire.states import InstanceStatus, ServiceStatus, Stretch


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


def verify(ctx: Context) -> Outcome:
    """Wait until the database answers a query."""
    status = ctx.guest.status()
    if status.status != ServiceStatus.HEALTHY:
        return Wait(guest_steps.LOOK_AGAIN, f"the database is {status.status}: {status.reason}")
    return Done(record={"service_status": status.status, "restart_required": False})


STORY: Story[Context] = Story(
    kind="restart",
    status=InstanceStatus.REBOOT,
    steps=(
        Step("restart", restart, Stretch.SWITCH, patience=180),
        Step("verify", verify, Stretch.SETTLE, patience=60),
    ),
)
