"""Stop: the database is stopped cleanly and stays so, until a restart; for administrators.

1. stop    the guest stops the database
2. verify  it says that the database is down

A failure starts the database again: the instance serves as before.
"""

from instar.control.engine.outcomes import Done, Outcome, Step, Story, Wait
from instar.control.engine.submit import Submission, refuse_if_busy, submit
from instar.control.operations import guest_steps, lookup
from instar.control.operations.context import Context
from instar.control.operations.desk import Caller, Desk, Submitted
from instar.wire.states import InstanceStatus, ServiceStatus, Stretch


def request(desk: Desk, caller: Caller, instance_id: str) -> Submitted:
    """Accept a stop. Raises NotFound, and Busy when an operation is open or the instance is not ACTIVE."""
    with desk.store.begin() as session:
        instance = lookup.instance(session, caller, instance_id)
        refuse_if_busy(session, instance.id)
        lookup.refuse_unless_active(instance)
        submission = Submission(caller.user, caller.request_id)
        operation = submit(session, desk.store.now(session), STORY, instance, submission)
    desk.wake()
    return Submitted(operation.id, instance_id)


def stop(ctx: Context) -> Outcome:
    """Let the guest stop the database."""
    return guest_steps.run_job(ctx, "stop")


def verify(ctx: Context) -> Outcome:
    """Wait until the guest says that the database is down."""
    status = ctx.guest.status()
    if status.status != ServiceStatus.SHUTDOWN:
        return Wait(guest_steps.LOOK_AGAIN, f"the database is {status.status}: {status.reason}")
    return Done(record={"service_status": status.status})


STORY: Story[Context] = Story(
    kind="stop",
    status=InstanceStatus.ACTIVE,
    steps=(
        Step("stop", stop, Stretch.SWITCH, patience=180, way_back="reinstate"),
        Step("verify", verify, Stretch.SWITCH, patience=60, way_back="reinstate"),
    ),
    ways_back=((Step("reinstate", guest_steps.reinstate, Stretch.SWITCH, patience=180),),),
)
